package seal

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DraftOptions say how an edited draft is sealed.
type DraftOptions struct {
	Namespace string // of SealedSecrets that name none
	Final     Final  // where they will stand

	// Open opens a value of the file that was moved to where it does not open;
	// nil or false refuses it.
	Open func(Value) ([]byte, bool)
}

// Seal makes the file that the edited text means: placeholders, and plain
// values that are as they were shown, become the sealed values that stood
// there, byte for byte; other values are sealed. All else is as it was edited.
// The result is the old file where nothing was edited. Every value of the result
// is a sealed one, or it is an error.
func (d *Draft) Seal(edited []byte, s *Sealer, o DraftOptions) (Result, error) {
	if bytes.Equal(edited, d.Text) {
		return Result{Out: d.file}, nil
	}
	for _, keepLayout := range []bool{true, false} {
		e := &draftEdit{draft: d, sealer: s, options: o, keepLayout: keepLayout}
		out, err := e.values(edited)
		if err != nil {
			return Result{}, err
		}
		if e.proven(edited, out) {
			return e.finish(out)
		}
	}
	return Result{}, refuse("write it in plain block style, one key a line", "the way it is written cannot be changed safely")
}

// draftEdit is one attempt to seal a draft.
type draftEdit struct {
	draft      *Draft
	sealer     *Sealer
	options    DraftOptions
	keepLayout bool // of values that stay; it fits where they were

	want   []map[string]string // values by object and key
	fresh  []item              // what was sealed
	sealed []int               // the objects in which something was
}

// values puts sealed values into the text.
func (e *draftEdit) values(edited []byte) ([]byte, error) {
	sheets, err := sheetsOf(edited)
	if err != nil {
		return nil, err
	}
	origins := e.draft.origins(sheets)
	for _, s := range sheets {
		for _, o := range s.objects {
			e.want = append(e.want, map[string]string{})
			if err := e.object(s, o, origins[o.index]); err != nil {
				return nil, err
			}
		}
	}
	return rewritten(edited, sheets)
}

// origins are the objects of the file that those of the edited text were: by
// name, or else, where one was renamed, by their order.
func (d *Draft) origins(sheets []*sheet) map[int]draftObject {
	byLabel := map[string]draftObject{}
	for _, o := range d.objects {
		byLabel[o.label] = o
	}
	out := map[int]draftObject{}
	var all []*sheetObject
	taken := map[string]bool{}
	for _, s := range sheets {
		for _, o := range s.objects {
			all = append(all, o)
			taken[o.label()] = true
		}
	}
	for _, o := range all {
		origin, ok := byLabel[o.label()]
		if !ok && o.index < len(d.objects) && !taken[d.objects[o.index].label] {
			origin = d.objects[o.index]
		}
		out[o.index] = origin
	}
	return out
}

func (e *draftEdit) object(s *sheet, o *sheetObject, origin draftObject) error {
	f := &found{Object: o.Object, label: o.label(), line: s.line + max(o.plain.Line, 1) - 1}
	before := len(e.fresh)
	for _, spot := range o.spots {
		if spot.isLegacy {
			continue
		}
		text, sealed, err := e.value(s, f, spot, origin)
		if err != nil {
			return err
		}
		s.put(spot, text)
		e.want[o.index][spot.At.Key] = sealed
	}
	if len(e.fresh) > before {
		e.sealed = append(e.sealed, o.index)
	}
	return e.complete(f, o)
}

// complete refuses what would stand there in plain, or say nothing.
func (e *draftEdit) complete(f *found, o *sheetObject) error {
	for _, key := range slices.Sorted(maps.Keys(o.Values)) {
		if _, ok := e.want[o.index][key]; ok {
			continue
		}
		n := get(o.plain, "spec", "encryptedData", key)
		line := f.line
		if k, _ := entry(get(o.written, "spec", "encryptedData"), key); k != nil {
			line += k.Line - max(o.plain.Line, 1)
		}
		switch {
		case isSealed(o.Values[key]):
		case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
			return f.refuse(line, `write its value, or "" for an empty one; take the line out to remove it`, "key %.80q has no value", key)
		case n.Kind != yaml.ScalarNode:
			return f.refuse(line, "write it as text, behind | for several lines", "key %.80q: %s, not text", key, describe(n))
		default:
			return f.refuse(line, "write it out", "key %.80q: an alias or a merge key stands where its value belongs", key)
		}
	}
	return nil
}

// value decides what becomes of one value, and how that is written.
func (e *draftEdit) value(s *sheet, f *found, at *spot, origin draftObject) (scalarText, string, error) {
	plain := []byte(at.Sealed)
	if at.node.Tag == "!!binary" {
		var err error
		if plain, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(at.Sealed), "")); err != nil {
			return scalarText{}, "", f.refuse(at.Line, "", "key %.80q: not base64, which !!binary asks for", at.At.Key)
		}
	}
	v, err := e.origin(f, at, origin, string(plain))
	switch {
	case err != nil:
		return scalarText{}, "", err
	case v != nil:
		return e.restore(s, f, at, v)
	case isSealed(string(plain)):
		return s.text(at), string(plain), nil
	}
	return e.fill(s, f, at, plain)
}

// origin is the value of the file that is meant, nil if a new one is.
func (e *draftEdit) origin(f *found, at *spot, origin draftObject, text string) (*drafted, error) {
	name, isNamed := strings.CutPrefix(strings.TrimSuffix(text, ">"), "<sealed ")
	own := origin.values[at.At.Key]
	switch {
	case text != Placeholder && (!isNamed || !strings.HasSuffix(text, ">")):
		if own != nil && own.shown && string(own.plain) == text {
			return own, nil
		}
		return nil, nil
	case isNamed && origin.values[name] != nil:
		return origin.values[name], nil
	case isNamed:
		return nil, f.refuse(at.Line, origin.hint(), "key %.80q: no value stood behind the key that its placeholder names", at.At.Key)
	case own != nil:
		return own, nil
	}
	gone := origin.gone(f.Object)
	if len(gone) == 1 {
		return origin.values[gone[0]], nil
	}
	return nil, f.refuse(at.Line, "write <sealed KEY>, where KEY is what it was called; "+origin.hint(), "key %.80q: no sealed value stood there", at.At.Key)
}

// gone are the keys that an object has no more.
func (d draftObject) gone(now Object) []string {
	var out []string
	for key := range d.values {
		if _, ok := now.Values[key]; !ok {
			out = append(out, key)
		}
	}
	return out
}

func (d draftObject) hint() string {
	return (&found{Object: Object{Values: mapOf(d.values)}}).keysHint()
}

func mapOf(values map[string]*drafted) map[string]string {
	out := map[string]string{}
	for key := range values {
		out[key] = ""
	}
	return out
}

// restore puts the sealed value back, or seals it again where it was moved to
// a place at which it would not open.
func (e *draftEdit) restore(s *sheet, f *found, at *spot, v *drafted) (scalarText, string, error) {
	from, err := e.place(f, v.At)
	if err != nil {
		return scalarText{}, "", err
	}
	to, err := e.place(f, at.At)
	if err != nil {
		return scalarText{}, "", err
	}
	switch {
	case movable(v.Sealed, from, to) && e.keepLayout:
		return v.text, v.Sealed, nil
	case movable(v.Sealed, from, to):
		return s.word(at, v.Sealed), v.Sealed, nil
	case v.shown:
		return e.fill(s, f, at, v.plain)
	}
	if e.options.Open != nil {
		if plain, ok := e.options.Open(v.Value); ok {
			return e.fill(s, f, at, plain)
		}
	}
	return scalarText{}, "", f.refuse(at.Line, "write its value, or give a key that opens it: -i FILE",
		"key %.80q: its sealed value opens only where it stood, at %s with scope %s", at.At.Key, from, from.Scope)
}

func (e *draftEdit) place(f *found, at Place) (Place, error) {
	if at.Namespace == "" {
		at.Namespace = e.options.Namespace
	}
	at, err := e.options.Final.of(at)
	if err != nil {
		return at, refusal(f.line, "SealedSecret "+f.label+": ", err)
	}
	return at, nil
}

// fill seals a value.
func (e *draftEdit) fill(s *sheet, f *found, at *spot, plain []byte) (scalarText, string, error) {
	here := *f
	here.line = at.Line
	sealed, err := here.seal(e.sealer, Target{Key: at.At.Key, Namespace: e.options.Namespace, Final: e.options.Final}, plain)
	if err != nil {
		return scalarText{}, "", err
	}
	e.fresh = append(e.fresh, item{key: at.At.Key, value: plain})
	return s.word(at, sealed), sealed, nil
}

// proven reads the outcome: all but values is as it was edited, and each value
// is the one decided on, or was sealed before.
func (e *draftEdit) proven(edited, out []byte) bool {
	word := func(Value) string { return Placeholder }
	before, err := Masked(edited, word)
	if err != nil {
		return false
	}
	after, err := Masked(out, word)
	if err != nil || !bytes.Equal(before, after) {
		return false
	}
	sheets, err := sheetsOf(out)
	if err != nil {
		return false
	}
	i := 0
	for _, s := range sheets {
		for _, o := range s.objects {
			if i == len(e.want) {
				return false
			}
			for key, value := range o.Values {
				if want, ok := e.want[i][key]; ok && value != want || !ok && !isSealed(value) {
					return false
				}
			}
			i++
		}
	}
	return i == len(e.want)
}

// finish brings the hints up to date, and looks for plain values that were left
// in comments.
func (e *draftEdit) finish(out []byte) (Result, error) {
	r := Result{Out: out}
	for _, index := range e.sealed {
		all, err := allFound(r.Out)
		if err != nil {
			return Result{}, err
		}
		f := all[index]
		r.Objects = append(r.Objects, f.Namespace+"/"+f.Name)
		hint, changed := f.hintWith(e.sealer.Fingerprints())
		if !changed {
			continue
		}
		f.items, _ = itemsTo(f.root, f.node)
		hinted, err := f.result(r.Out, []change{{way: hintWay(), value: hint}})
		if err != nil {
			r.warn(f.line, "the annotation %s could not be brought up to date", AnnotationKey)
			continue
		}
		r.Out, r.Warnings = hinted.Out, append(r.Warnings, hinted.Warnings...)
	}
	return r, r.warnOfCopies(e.fresh...)
}
