package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/vault"
	"fuin.dev/render"
	"fuin.dev/render/reference"
	"fuin.dev/seal"
)

// references are those to Vault that the templates of one SealedSecret hold.
type references struct {
	parts map[string][]reference.Part // of the templates that may hold some, by key
	all   []reference.Reference       // each once, in the order of how they are written
	keys  map[string][]string         // the keys that a reference stands in, by how it is written
}

// maxReferences is how many different references one SealedSecret may hold.
const maxReferences = 1000

// referencesOf finds them. The failure is one of the grammar.
func referencesOf(ss *bitnami.SealedSecret) (references, *failure) {
	r := references{parts: map[string][]reference.Part{}, keys: map[string][]string{}}
	if ss.Spec.Data != nil {
		return r, nil // the older format knows no templates
	}
	for _, key := range slices.Sorted(maps.Keys(ss.Spec.Template.Data)) {
		parts, err := reference.ParseTemplate(ss.Spec.Template.Data[key])
		if err != nil {
			return r, refused(fmt.Sprintf("template key %q: %s", key, whyRefused(err)))
		}
		if reference.Contains(ss.Spec.Template.Data[key]) {
			r.add(key, parts)
		}
	}
	if len(r.all) > maxReferences {
		return r, refused(fmt.Sprintf("it holds more than %d references: divide it into several Secrets", maxReferences))
	}
	slices.SortFunc(r.all, func(a, b reference.Reference) int { return strings.Compare(a.String(), b.String()) })
	return r, nil
}

func refused(message string) *failure {
	return &failure{reason: "InvalidReference", kind: "unseal", message: message}
}

// whyRefused is what the grammar says, where, and what to do about it.
func whyRefused(err error) string {
	var e *reference.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := fmt.Sprintf("%s (at byte %d)", e.Message, e.Offset)
	if e.Hint() != "" {
		text += ": " + e.Hint()
	}
	return text
}

func (r *references) add(key string, parts []reference.Part) {
	for _, one := range reference.Of(parts) {
		written := one.String()
		if r.keys[written] == nil {
			r.all = append(r.all, one)
		}
		if in := r.keys[written]; len(in) == 0 || in[len(in)-1] != key { // keys come one after the other
			r.keys[written] = append(in, key)
		}
	}
	r.parts[key] = parts
}

func (r references) none() bool { return len(r.all) == 0 }

// escaped are the values of templates that only look as if they held references,
// nil if there are no such.
func (r references) escaped() *values {
	if len(r.parts) == 0 {
		return nil
	}
	return &values{references: r}
}

// without leaves out those that are written so.
func (r references) without(written []string) []reference.Reference {
	return slices.DeleteFunc(slices.Clone(r.all), func(one reference.Reference) bool {
		return slices.Contains(written, one.String())
	})
}

// keysOf lists the keys that hold any of these.
func (r references) keysOf(written []string) []string {
	in := map[string]bool{}
	for _, one := range written {
		for _, key := range r.keys[one] {
			in[key] = true
		}
	}
	return slices.Sorted(maps.Keys(in))
}

// values are what the references of one SealedSecret stand for, and which keys
// of its Secret stay as they are: those with a lease that lives.
type values struct {
	references
	of     map[string]vault.Value // by how the reference is written
	mac    string                 // of those that are not leased
	lease  *bitnami.Lease         // as it will be recorded; nil if nothing is leased
	leased bool                   // and was just fetched
	kept   map[string][]byte
}

// over has a renderer make values of references as well: they are inputs of
// the templates, and an action stands where the reference stood, so that no value
// is ever read as a part of a template. Nothing is made of a template of which a
// reference is absent, or whose key is kept.
func (v *values) over(run seal.Renderer) seal.Renderer {
	if v == nil || run == nil {
		return run
	}
	return func(ctx context.Context, templates map[string]string, inputs map[string][]byte) (map[string]seal.Rendered, error) {
		inputs = maps.Clone(inputs)
		if inputs == nil {
			inputs = map[string][]byte{}
		}
		actions := map[string]string{}
		for i, one := range v.all {
			name, action := render.ReferenceInput(i)
			inputs[name], actions[one.String()] = v.of[one.String()].Bytes, action
		}
		filled := map[string]string{}
		for key, text := range templates {
			if v.leavesOut(key) {
				continue
			}
			filled[key] = text
			if parts := v.parts[key]; parts != nil {
				filled[key] = fill(parts, actions)
			}
		}
		return run(ctx, filled, inputs)
	}
}

func fill(parts []reference.Part, actions map[string]string) string {
	in := reference.Of(parts)
	return reference.Fill(parts, func(i int) string { return actions[in[i].String()] })
}

// leavesOut tells whether a key is not made from its template.
func (v *values) leavesOut(key string) bool {
	_, kept := v.kept[key]
	return kept || v.isAbsent(key)
}

// isAbsent tells whether a key is to be missing, as an optional reference of
// it is.
func (v *values) isAbsent(key string) bool {
	for _, one := range reference.Of(v.parts[key]) {
		if v.of[one.String()].Absent {
			return true
		}
	}
	return false
}

// settle brings the keys that no template was run for to what they are.
func (v *values) settle(data map[string][]byte) {
	if v == nil {
		return
	}
	for key := range v.parts {
		switch value, kept := v.kept[key]; {
		case kept:
			data[key] = value
		case v.isAbsent(key):
			delete(data, key)
		}
	}
}
