package seal

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"fuin.dev/keys"
	"go.yaml.in/yaml/v3"
)

// A Resealer knows the keys to which sealed values are sealed again.
type Resealer struct {
	rsa, age *Sealer // nil where there is no key of the encoding
}

// NewResealer takes a certificate, age recipients, or both: RSA values are
// sealed to the one, age values to the others. The error is a *[keys.Error].
func NewResealer(recipients ...*keys.Recipient) (*Resealer, error) {
	var certificates, ages []*keys.Recipient
	for _, r := range recipients {
		if r.Kind().Age() {
			ages = append(ages, r)
		} else {
			certificates = append(certificates, r)
		}
	}
	out := &Resealer{}
	var err error
	if len(certificates) > 0 {
		if out.rsa, err = NewSealer(certificates...); err != nil {
			return nil, err
		}
	}
	if len(ages) > 0 {
		out.age, err = NewSealer(ages...)
	}
	return out, err
}

// ResealOptions say how a file is resealed. The zero value keeps its format.
type ResealOptions struct {
	Format Format
	AtMost int  // SealedSecrets in the file; 0 means any number
	First  bool // stop at the first value that fails, in place of naming all

	// Whole says that the keys to seal to are all that there are to be: a value
	// that has other recipients, too, is sealed to these alone. It is then left
	// as it is only where the hint tells that, one of them opened it, and it has
	// as many recipients.
	Whole bool
}

// Reseal seals every value of every SealedSecret in a file again, for the
// place where it opens, and each in the encoding it has: an RSA value never
// becomes age, nor the other way round. Values that are sealed to just these
// keys stay as they are, and so does all that is no value, but for the hint
// which keys were used. Templates are not run. An age value that has more
// recipients than the Opener has identities for is refused: they would lose
// it. The error for values is an *[ObjectError]; it wraps [ErrNothing] if
// there is no SealedSecret.
func (o Opener) Reseal(ctx context.Context, data []byte, to *Resealer, opts ResealOptions) (Result, error) {
	w := &walk{want: "SealedSecret", format: opts.Format, keepsKind: true}
	w.convert = func(n *yaml.Node) (*yaml.Node, error) {
		if opts.AtMost > 0 && len(w.result.Objects) == opts.AtMost {
			return nil, refuseAt(n.Line, "split it", "more than %d SealedSecrets", opts.AtMost)
		}
		return o.reseal(ctx, n, to, w, opts)
	}
	return w.run(data)
}

// reseal returns the node itself if nothing is to be done.
func (o Opener) reseal(ctx context.Context, n *yaml.Node, to *Resealer, w *walk, opts ResealOptions) (*yaml.Node, error) {
	ob, err := readObject(n)
	if err != nil {
		return nil, err
	}
	name := ob.Namespace + "/" + ob.Name
	if ob, err = o.standing(ob, n.Line); err != nil {
		return nil, err
	}
	entries, err := entriesOf(n, ob)
	if err != nil {
		return nil, err
	}
	if err := o.resealAll(ctx, ob, entries, to, opts); err != nil {
		return nil, err
	}
	w.result.Objects = append(w.result.Objects, name)
	if !slices.ContainsFunc(entries, func(e *sealedEntry) bool { return e.resealed != nil }) {
		w.result.Current = append(w.result.Current, name)
		return n, nil
	}
	for _, e := range entries {
		if e.resealed != nil {
			restate(e.node, base64.StdEncoding.EncodeToString(e.resealed))
		}
	}
	setHint(n, to.used(entries))
	out := *n // another node tells the walk that it changed
	return &out, nil
}

// A sealedEntry is a value in the tree of its SealedSecret.
type sealedEntry struct {
	at       Place
	node     *yaml.Node
	isLegacy bool // the one value of the V1 format
	isAge    bool
	resealed []byte // nil if it stays
}

// legacyKey stands for the key that the value of the V1 format does not have.
const legacyKey = "spec.data"

func entriesOf(n *yaml.Node, ob Object) ([]*sealedEntry, error) {
	at := Place{Scope: ob.Scope(), Namespace: ob.Namespace, Name: ob.Name, Key: legacyKey}
	values := get(n, "spec", "encryptedData")
	switch {
	case ob.Legacy != nil && len(ob.Values) > 0:
		return nil, ob.failed(legacyKey, errBothFormats)
	case ob.Legacy != nil:
		return []*sealedEntry{{at: at, node: get(n, "spec", "data"), isLegacy: true}}, nil
	case values == nil || values.Tag == "!!null":
		return nil, nil
	case values.Kind != yaml.MappingNode:
		return nil, refuseAt(values.Line, "", "SealedSecret %s/%s: encryptedData is %s; it maps keys to values", ob.Namespace, ob.Name, describe(values))
	}
	var out []*sealedEntry
	for i := 0; i+1 < len(values.Content); i += 2 {
		at.Key = values.Content[i].Value
		out = append(out, &sealedEntry{at: at, node: values.Content[i+1]})
	}
	return out, nil
}

var errBothFormats = refuse("keep one of them", "encryptedData and the older data exclude each other")

// failed is the error of an object with one bad value.
func (ob Object) failed(key string, err error) error {
	return &ObjectError{Namespace: ob.Namespace, Name: ob.Name, doing: "resealing", Keys: []KeyError{{key, err}}}
}

// resealAll takes all entries, or names each that fails, or the first.
func (o Opener) resealAll(ctx context.Context, ob Object, entries []*sealedEntry, to *Resealer, opts ResealOptions) error {
	o = o.Hinted(ob.Hints())
	failed := &ObjectError{Namespace: ob.Namespace, Name: ob.Name, doing: "resealing"}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		by, err := o.resealEntry(e, to, opts.Whole, ob.Hints())
		if err != nil {
			failed.Keys = append(failed.Keys, KeyError{e.at.Key, err})
			if opts.First {
				break
			}
			continue
		}
		o.Identities = first(by, o.Identities) // most objects were sealed with one key
	}
	if len(failed.Keys) > 0 {
		slices.SortFunc(failed.Keys, func(a, b KeyError) int { return cmp.Compare(a.Key, b.Key) })
		return failed
	}
	return nil
}

// Hinted returns an Opener that tries the identities of these fingerprints
// before the others.
func (o Opener) Hinted(fingerprints []string) Opener {
	rank := make(map[*keys.Identity]int, len(o.Identities))
	for _, id := range o.Identities {
		if rank[id] = slices.Index(fingerprints, id.Fingerprint()); rank[id] < 0 {
			rank[id] = len(fingerprints)
		}
	}
	o.Identities = slices.Clone(o.Identities)
	slices.SortStableFunc(o.Identities, func(a, b *keys.Identity) int { return cmp.Compare(rank[a], rank[b]) })
	return o
}

// used lists the keys to which the entries are sealed now.
func (to *Resealer) used(entries []*sealedEntry) (fingerprints []string) {
	for _, isAge := range []bool{false, true} {
		if slices.ContainsFunc(entries, func(e *sealedEntry) bool { return e.isAge == isAge }) {
			fingerprints = append(fingerprints, to.of(isAge).Fingerprints()...)
		}
	}
	return fingerprints
}

func (to *Resealer) of(isAge bool) *Sealer {
	if isAge {
		return to.age
	}
	return to.rsa
}

// setHint writes the hint into the annotations, which are made if there are
// none.
func setHint(n *yaml.Node, fingerprints []string) {
	meta := get(n, "metadata")
	annotations := get(meta, "annotations")
	if annotations == nil {
		annotations = mapping()
		set(meta, "annotations", annotations)
	}
	if annotations.Tag == "!!null" {
		*annotations = *withComments(mapping(), annotations)
	}
	if annotations.Kind != yaml.MappingNode {
		return // Kubernetes will refuse it
	}
	hint := strings.Join(fingerprints, ",")
	if old := get(annotations, AnnotationKey); old != nil {
		restate(old, hint)
		return
	}
	set(annotations, AnnotationKey, scalar(hint))
}

// restate gives a node another text; its comments and quotes stay.
func restate(n *yaml.Node, text string) {
	n.Kind, n.Tag, n.Value, n.Content = yaml.ScalarNode, "!!str", text, nil
}
