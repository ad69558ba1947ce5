package seal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fuin.dev/keys"
)

// An Object is what of a SealedSecret concerns opening it.
type Object struct {
	Namespace, Name string
	Annotations     map[string]string // the SealedSecret's own: they decide the scope
	Values          map[string]string // spec.encryptedData
	Templates       map[string]string // spec.template.data
	Legacy          []byte            // spec.data, the V1 format: one value that holds the whole Secret
}

// Scope is the scope under which the object's values open.
func (ob Object) Scope() Scope { return ScopeOf(ob.Annotations) }

// Hints lists the fingerprints that the object claims were used.
func (ob Object) Hints() []string { return list(ob.Annotations[AnnotationKey]) }

// Inputs lists the items that feed templates and stay out of the Secret.
func (ob Object) Inputs() []string { return list(ob.Annotations[AnnotationInputs]) }

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// Opened is the content of the Secret that a SealedSecret makes.
type Opened struct {
	Data   map[string][]byte
	Random []string         // keys whose template differs from run to run, sorted
	Keys   []*keys.Identity // those that opened a value, in the order of first use
	Legacy *LegacySecret    // set for the V1 format
}

// A LegacySecret is the rest of a Secret that was sealed whole, as V1 did.
type LegacySecret struct {
	Type        string
	Immutable   *bool
	Labels      map[string]string
	Annotations map[string]string
}

// A Renderer runs templates over opened values; see render.Pool.
type Renderer func(ctx context.Context, templates map[string]string, inputs map[string][]byte) (map[string]Rendered, error)

// Rendered is what one template made.
type Rendered struct {
	Value  []byte
	Random bool // another run would make another value
}

// Object opens every value of a SealedSecret and runs its templates. The error
// for values that do not open is an *[ObjectError]; all of them are named. It is
// [ErrUndecided] where the Search is to go on in another turn, and Try's where
// that ends the opening.
func (o Opener) Object(ctx context.Context, ob Object) (Opened, error) {
	if ob.Legacy != nil {
		return o.legacy(ob)
	}
	out := Opened{Data: make(map[string][]byte, len(ob.Values)+len(ob.Templates))}
	if err := o.values(ctx, ob, &out); err != nil {
		return Opened{}, err
	}
	if err := o.templates(ctx, ob, &out); err != nil {
		return Opened{}, fmt.Errorf("opening %s/%s: %w", ob.Namespace, ob.Name, err)
	}
	return out, nil
}

func (o Opener) values(ctx context.Context, ob Object, out *Opened) error {
	s := o.Search
	if s == nil {
		s = patiently()
	}
	s.begin(o.Identities)
	failed := &ObjectError{Namespace: ob.Namespace, Name: ob.Name}
	names := slices.Sorted(maps.Keys(ob.Values))
	earlier := len(s.found)
	for _, key := range names[earlier:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, by, err := s.open(o, ob.Place(key), ob.Values[key])
		switch {
		case s.stopped != nil:
			return s.stopped
		case err != nil:
			failed.Keys = append(failed.Keys, KeyError{key, err})
			continue
		}
		out.Data[key] = value
		out.use(by)
	}
	if len(failed.Keys) > 0 {
		return failed
	}
	return o.again(ctx, ob, names[:earlier], s.found, out)
}

// again opens the values whose keys earlier turns found.
func (o Opener) again(ctx context.Context, ob Object, names []string, found []*keys.Identity, out *Opened) error {
	for i, key := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Identities = found[i : i+1]
		value, by, err := o.Open(ob.Place(key), ob.Values[key])
		if err != nil {
			return err
		}
		out.Data[key] = value
		out.use(by)
	}
	return nil
}

// Place is where a value of the object stands.
func (ob Object) Place(key string) Place {
	return Place{Scope: ob.Scope(), Namespace: ob.Namespace, Name: ob.Name, Key: key}
}

func (out *Opened) use(by *keys.Identity) {
	if !slices.Contains(out.Keys, by) {
		out.Keys = append(out.Keys, by)
	}
}

func (o Opener) templates(ctx context.Context, ob Object, out *Opened) error {
	if len(ob.Templates) > 0 {
		if o.Render == nil {
			return refuse("", "it has templates, and nothing here runs them")
		}
		rendered, err := o.Render(ctx, ob.Templates, out.Data)
		if err != nil {
			return err
		}
		for key, r := range rendered {
			out.Data[key] = r.Value
			if r.Random {
				out.Random = append(out.Random, key)
			}
		}
		slices.Sort(out.Random)
	}
	for _, key := range ob.Inputs() {
		if _, isTemplate := ob.Templates[key]; !isTemplate {
			delete(out.Data, key)
		}
	}
	return nil
}

// legacy opens the V1 format: the JSON of a Secret, sealed as one value.
func (o Opener) legacy(ob Object) (Opened, error) {
	fail := func(err error) (Opened, error) {
		return Opened{}, &ObjectError{Namespace: ob.Namespace, Name: ob.Name, Keys: []KeyError{{"spec.data", err}}}
	}
	if len(ob.Values) > 0 {
		return fail(errBothFormats)
	}
	at := Place{Scope: ob.Scope(), Namespace: ob.Namespace, Name: ob.Name}
	if _, err := rsaSize(ob.Legacy); err != nil {
		return fail(err)
	}
	plain, by, err := o.openRSA(ob.Legacy, at.label())
	if err != nil {
		return fail(err)
	}
	out, err := parseLegacy(plain)
	if err != nil {
		return fail(err)
	}
	out.use(by)
	return out, nil
}

func parseLegacy(plain []byte) (Opened, error) {
	var s struct {
		Type      string `json:"type"`
		Immutable *bool  `json:"immutable"`
		Metadata  struct {
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Data       map[string][]byte `json:"data"`
		StringData map[string]string `json:"stringData"`
	}
	if err := json.Unmarshal(plain, &s); err != nil {
		return Opened{}, errors.New("what it holds is no Secret") // json's message can quote it
	}
	out := Opened{Data: make(map[string][]byte, len(s.Data)), Legacy: &LegacySecret{
		Type: s.Type, Immutable: s.Immutable, Labels: s.Metadata.Labels, Annotations: s.Metadata.Annotations,
	}}
	maps.Copy(out.Data, s.Data)
	for key, value := range s.StringData {
		out.Data[key] = []byte(value)
	}
	return out, nil
}
