package seal

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// respliced writes the SealedSecrets of a document that were converted into its
// bytes: their values and their hints, and nothing else. It is false where that
// cannot be done safely; the document is encoded anew then.
func (d *document) respliced() ([]byte, bool) {
	sheets, err := sheetsOf(d.raw)
	if err != nil || len(sheets) != 1 {
		return nil, false
	}
	s, converted := sheets[0], d.sealedSecrets()
	if len(converted) != len(s.objects) {
		return nil, false
	}
	for i, o := range s.objects {
		if !s.resplice(o, converted[i]) {
			return nil, false
		}
	}
	out, err := rewritten(d.raw, sheets)
	if err != nil {
		return nil, false
	}
	docs, err := documents(out)
	if err != nil || len(docs) != 1 || !slices.EqualFunc(docs[0].sealedSecrets(), converted, same) {
		return nil, false
	}
	return out, true
}

// sealedSecrets are the objects of a document as they read.
func (d *document) sealedSecrets() []*yaml.Node {
	var out []*yaml.Node
	_ = (&walk{want: kindSealedSecret}).pairs(d.root, nil, func(plain, _ *yaml.Node) error {
		out = append(out, plain)
		return nil
	})
	return out
}

// resplice writes what an object says now.
func (s *sheet) resplice(o *sheetObject, now *yaml.Node) bool {
	if o.written == nil {
		return false
	}
	for _, spot := range o.spots {
		value := text(get(now, "spec", "encryptedData", spot.At.Key))
		if spot.isLegacy {
			value = text(get(now, "spec", "data"))
		}
		if value != spot.Sealed {
			s.put(spot, s.word(spot, value))
		}
	}
	hint, had := text(get(now, "metadata", "annotations", AnnotationKey)), o.Annotations[AnnotationKey]
	if hint == had {
		return true
	}
	s.about = "SealedSecret " + o.label() + ": " + AnnotationKey
	return s.editor.put(o.written, hintWay(), hint) == nil
}

// Exchange gives the SealedSecrets of a file the values and the hints of
// others, in their order, as somebody who resealed them answered: each value in
// place of another one. The rest of the file keeps its bytes.
func Exchange(data []byte, with []Object) (Result, error) {
	w := &walk{want: kindSealedSecret, keepsKind: true}
	i := 0
	w.convert = func(n *yaml.Node) (*yaml.Node, error) {
		if i == len(with) {
			return nil, refuseAt(n.Line, "", "more SealedSecrets than were resealed")
		}
		ob := with[i]
		i++
		return w.exchange(n, ob)
	}
	r, err := w.run(data)
	if err == nil && i != len(with) {
		err = refuse("", "fewer SealedSecrets than were resealed")
	}
	return r, err
}

func (w *walk) exchange(n *yaml.Node, with Object) (*yaml.Node, error) {
	ob, err := readObject(n)
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(n, ob)
	if err != nil {
		return nil, err
	}
	name := ob.Namespace + "/" + ob.Name
	w.result.Objects = append(w.result.Objects, name)
	changed := false
	for _, e := range entries {
		value := with.Values[e.at.Key]
		if e.isLegacy || len(with.Values) != len(entries) || !isSealed(value) {
			return nil, ob.failed(e.at.Key, refuse("", "no sealed value came back for it"))
		}
		if value != text(e.node) {
			restate(e.node, value)
			changed = true
		}
	}
	if !changed {
		w.result.Current = append(w.result.Current, name)
		return n, nil
	}
	setHint(n, with.Hints())
	out := *n // another node tells the walk that it changed
	return &out, nil
}
