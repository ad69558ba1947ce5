package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"fuin.dev/check"
	"fuin.dev/lazy"
	"fuin.dev/render"
	"fuin.dev/seal"
)

// A madeSecret is a Secret that an object makes, by its keys. What is known of
// a value begins with how: plain, or sealed and nobody knows.
type madeSecret struct {
	typ       string
	values    map[string]string
	labels    map[string]string
	isSealed  bool
	isRenamed bool // and others name it
}

// sameSecrets compares all Secrets of a directory. was is nil where it did not
// render before: then what was sealed must open.
func (p *prover) sameSecrets(ctx context.Context, was *check.Rendered, is check.Rendered) error {
	after, err := p.secrets(ctx, is)
	if err != nil || was == nil {
		return err
	}
	before, err := p.secrets(ctx, *was)
	if err != nil {
		return err
	}
	left := maps.Clone(after)
	for _, at := range slices.Sorted(maps.Keys(before)) {
		old := before[at]
		now, ok := after[at]
		if !ok {
			at = generatedHash().ReplaceAllString(at, "")
			now, ok = after[at]
		}
		if !ok {
			return fail("", "%s would not make Secret %s any more", is.Directory, at)
		}
		delete(left, at)
		if err := old.same(at, now); err != nil {
			return err
		}
		if now.isSealed && !old.isSealed {
			p.note(at, old, now)
		}
	}
	for at := range left {
		return fail("", "%s would make Secret %s, which it did not", is.Directory, at)
	}
	return nil
}

// note takes up what is the same for Fuin, and may not be for others.
func (p *prover) note(at string, old, now madeSecret) {
	if !maps.Equal(old.labels, now.labels) {
		p.lost[at] = true
	}
	if now.isRenamed {
		p.renamed[at] = true
	}
}

// generatedHash is what kustomize puts behind the name of what it generates.
var generatedHash = lazy.Regexp(`-[2456789bcdfghkmt]{10}$`)

func (m madeSecret) same(at string, now madeSecret) error {
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		value, ok := now.values[key]
		switch {
		case !ok:
			return fail("", "Secret %s would not have key %q any more", at, key)
		case value != m.values[key]:
			return fail("", "key %q of Secret %s would get another value", key, at)
		}
	}
	for key := range now.values {
		if _, ok := m.values[key]; !ok {
			return fail("", "Secret %s would get key %q, which it had not", at, key)
		}
	}
	if m.typ != now.typ {
		return fail("", "Secret %s would be of another type", at)
	}
	return nil
}

// secrets are all Secrets that a directory makes, as NAMESPACE/NAME.
func (p *prover) secrets(ctx context.Context, one check.Rendered) (map[string]madeSecret, error) {
	out := map[string]madeSecret{}
	named := map[string]bool{}
	for _, o := range one.Set.Objects {
		for _, use := range render.Uses(o.Content) {
			named[use.Name] = named[use.Name] || use.Kind == kindSecret
		}
	}
	for _, o := range one.Set.Objects {
		at := cmp.Or(o.Namespace(), one.Namespace) + "/" + o.Name()
		var err error
		switch {
		case o.Kind() == kindSecret && o.Group() == "":
			out[at] = madeOf(o)
		case o.Kind() == kindSealedSecret && o.Group() == "bitnami.com":
			var made madeSecret
			made, err = p.sealedSecret(ctx, o, one.Namespace)
			made.isSealed, made.isRenamed = true, o.WasName != o.Name() && named[o.Name()]
			out[at] = made
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

const (
	knownValue   = "is "     // a value in plain follows
	unknownValue = "sealed " // what was sealed, or the text of a template
)

func madeOf(o render.Object) madeSecret {
	m := madeSecret{typ: typeOf(o.Content), values: map[string]string{}, labels: labelsOf(o.Content)}
	data, _ := o.Content["data"].(map[string]any)
	for key, text := range data {
		encoded, _ := text.(string)
		value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
		if err != nil {
			value = []byte(encoded)
		}
		m.values[key] = knownValue + string(value)
	}
	texts, _ := o.Content["stringData"].(map[string]any)
	for key, text := range texts {
		value, _ := text.(string)
		m.values[key] = knownValue + value
	}
	return m
}

func typeOf(fields map[string]any) string {
	typ, _ := fields["type"].(string)
	return cmp.Or(typ, "Opaque")
}

func labelsOf(fields map[string]any) map[string]string {
	metadata, _ := fields["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	out := map[string]string{}
	for name, value := range labels {
		out[name], _ = value.(string)
	}
	return out
}

// sealedSecret opens what this run sealed. A value that it sealed and that does
// not open is an error.
func (p *prover) sealedSecret(ctx context.Context, o render.Object, namespace string) (madeSecret, error) {
	m := madeSecret{typ: typeOf(templateOf(o)), values: map[string]string{}, labels: labelsOf(templateOf(o))}
	text, err := json.Marshal(o.Content)
	if err != nil {
		return m, err
	}
	all, err := seal.Objects(text, 1)
	if err != nil {
		return m, err
	}
	ob := all[0]
	ob.Namespace = cmp.Or(ob.Namespace, namespace)
	inputs, allKnown := map[string][]byte{}, true
	for key, sealed := range ob.Values {
		value, known, ok := p.ledger.open(ob.Place(key), sealed)
		switch {
		case known && !ok:
			return m, fail("", "key %q of Secret %s/%s would not open there", key, ob.Namespace, ob.Name)
		case known:
			inputs[key], m.values[key] = value, knownValue+string(value)
		default:
			allKnown, m.values[key] = false, unknownValue+sealed
		}
	}
	if err := p.templates(ctx, ob, inputs, allKnown, m.values); err != nil {
		return m, err
	}
	for _, key := range ob.Inputs() {
		if _, isTemplate := ob.Templates[key]; !isTemplate {
			delete(m.values, key)
		}
	}
	return m, nil
}

func templateOf(o render.Object) map[string]any {
	spec, _ := o.Content["spec"].(map[string]any)
	template, _ := spec["template"].(map[string]any)
	return template
}

// templates adds what the templates of a SealedSecret make, or their text where
// that is not known.
func (p *prover) templates(ctx context.Context, ob seal.Object, inputs map[string][]byte, allKnown bool, values map[string]string) error {
	run := map[string]string{}
	for key, text := range ob.Templates {
		switch {
		case !strings.Contains(text, "{{"):
			values[key] = knownValue + text
		case allKnown:
			run[key] = text
		default:
			values[key] = unknownValue + text
		}
	}
	rendered, err := p.sandbox.Render(ctx, run, inputs)
	if err != nil {
		return err
	}
	for key, r := range rendered {
		values[key] = knownValue + string(r.Value)
	}
	return nil
}
