package main

import (
	"context"
	"slices"
	"strings"

	"fuin.dev/config"
	"fuin.dev/seal"

	"go.yaml.in/yaml/v3"
)

// sealPatchesOf seals the patches of Secrets that were sealed: they would find
// nothing to patch.
func (f *fixRun) sealPatchesOf(ctx context.Context, r *repair, base *plan, sealed seal.Result) error {
	placings, _, err := base.placings()
	if err != nil || base.tree == nil || base.tree.root != f.c.root {
		return err
	}
	states, err := seal.States(sealed.Out)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, p := range placings {
		for _, k := range p.Through {
			if done[k] {
				continue
			}
			done[k] = true
			if err := f.sealPatchesIn(ctx, r, k, baseOf(base, placings, states)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A patched tells how to seal a patch of a Secret by its name; false for one
// that it does not know.
type patched func(name string) (seal.Options, bool)

// baseOf seals patches as what they patch: for the same place, in the same
// scope.
func baseOf(base *plan, placings []config.Placing, states []seal.State) patched {
	isCalled := func(own, now string) bool {
		return slices.ContainsFunc(placings, func(p config.Placing) bool { return wasCalled(own, now, p.Prefix+own+p.Suffix) })
	}
	return func(name string) (seal.Options, bool) {
		i := slices.IndexFunc(states, func(s seal.State) bool { return s.Name == name })
		if i < 0 {
			i = slices.IndexFunc(states, func(s seal.State) bool { return isCalled(s.Name, name) })
		}
		if i < 0 {
			return seal.Options{}, false
		}
		s := states[i]
		final := func(scope seal.Scope, _, _ string) (string, string, error) {
			return base.final(scope, s.Namespace, s.Name)
		}
		return seal.Options{Scope: s.Scope(), Final: final, AllowEmpty: true, DefaultNamespace: s.Namespace}, true
	}
}

// wasCalled reports whether a name can be one on the way from an object's own to
// its final one: a patch names what it patches as that was called at first, or
// is by then.
func wasCalled(own, name, final string) bool {
	return name == own || own != "" && strings.Contains(name, own) && strings.Contains(final, name)
}

// sealPatchesIn seals the patches of a kustomization that are of certain
// Secrets.
func (f *fixRun) sealPatchesIn(ctx context.Context, r *repair, k string, of patched) error {
	data, err := f.read(ctx, r, k)
	if err != nil {
		return err
	}
	sources, _ := config.ReadSources(k, data)
	for _, p := range sources.Patches {
		text := []byte(p.Text)
		if p.File != "" {
			if text, err = f.read(ctx, r, p.File); err != nil {
				continue // kustomize would say so
			}
		}
		options, ok := seal.Options{}, false
		for _, name := range secretsIn(text) {
			if options, ok = of(name); ok {
				break
			}
		}
		if !ok {
			continue
		}
		if err := f.sealPatch(ctx, r, k, p, text, options); err != nil {
			return err
		}
	}
	return nil
}

// sealPatch makes the patch of a Secret one of its SealedSecret, and puts it
// where it stood.
func (f *fixRun) sealPatch(ctx context.Context, r *repair, k string, p config.Patch, text []byte, options seal.Options) error {
	r.mustProve = true
	at := p.File
	if at == "" {
		at = k
	}
	switch {
	case p.Targeted:
		return fail("name the Secret in the patch, and take target out", "a patch that is applied by target")
	case removesKeys(text):
		return fail("leave the key out of what is patched, too", "a patch that removes what a Secret has: sealed, it would not")
	}
	plan, err := f.plan(at)
	if err != nil {
		return err
	}
	if rule := plan.rule.Scope; rule != "" && rule != options.Scope {
		return fail("give both paths the same scope", "its rule says scope %s, and what it patches is sealed in scope %s", rule, options.Scope)
	}
	options.Patch = true
	result, err := plan.sealer.Manifest(text, options)
	if err != nil {
		return err
	}
	if p.File != "" {
		f.take(r, p.File, result)
		r.touched[len(r.touched)-1] = k
		return nil
	}
	field, err := seal.ParseField(p.Field)
	if err != nil {
		return err
	}
	whole, err := f.read(ctx, r, k)
	if err != nil {
		return err
	}
	sealed := string(result.Out)
	if !strings.HasSuffix(p.Text, "\n") {
		sealed = strings.TrimSuffix(sealed, "\n")
	}
	if result.Out, err = field.Put(whole, sealed); err == nil {
		f.take(r, k, result)
	}
	return err
}

// sealPatches seals patches that were found, with what they patch: a file of
// Secrets, or else what is a SealedSecret already.
func (f *fixRun) sealPatches(ctx context.Context, r *repair, k, name string) error {
	r.what = "a sealed patch"
	data, err := f.read(ctx, r, k)
	if err != nil {
		return err
	}
	sources, _ := config.ReadSources(k, data)
	for _, p := range sources.Patches {
		text := []byte(p.Text)
		if p.File != "" && p.File != name || p.File == "" && k != name {
			continue
		}
		if p.File != "" {
			if text, err = f.read(ctx, r, p.File); err != nil {
				return err
			}
		}
		for _, secret := range secretsIn(text) {
			if err := f.sealPatched(ctx, r, k, p, secret, text); err != nil {
				return err
			}
			break // all of the text is done at once
		}
	}
	if len(r.changed) == 0 {
		return f.nothingIn(name)
	}
	return nil
}

func (f *fixRun) sealPatched(ctx context.Context, r *repair, k string, p config.Patch, secret string, text []byte) error {
	base, err := f.fileOf(ctx, k, secret)
	if err != nil {
		return err
	}
	if base != "" {
		if _, done := r.changed[base]; done {
			return nil
		}
		return f.sealFile(ctx, r, base)
	}
	plan, err := f.plan(k)
	if err != nil {
		return err
	}
	scope := plan.rule.Scope
	if scope == "" {
		scope = seal.Strict
	}
	return f.sealPatch(ctx, r, k, p, text, seal.Options{Scope: scope, Final: plan.finalIn(""), AllowEmpty: true})
}

// fileOf is the file with the Secret that a kustomization patches; "" if none
// is rendered from one.
func (f *fixRun) fileOf(ctx context.Context, k, secret string) (string, error) {
	directories, err := f.directories([]string{k})
	if err != nil {
		return "", err
	}
	for _, d := range directories {
		seen, err := f.seen(ctx, d)
		if err != nil || seen == nil {
			continue
		}
		for _, o := range seen.Set.Objects {
			if wasCalled(o.WasName, secret, o.Name()) && o.Kind() == kindSecret && o.Group() == "" && o.File != "" && !isKustomization(o.File) {
				return o.File, nil
			}
		}
	}
	return "", nil
}

// secretsIn are the names of the Secrets in a text of manifests.
func secretsIn(text []byte) []string {
	var out []string
	for _, n := range treesOf(text) {
		if valueAt(n, "kind") == kindSecret {
			out = append(out, valueAt(n, "metadata", "name"))
		}
	}
	return out
}

func treesOf(text []byte) []*yaml.Node {
	var out []*yaml.Node
	for _, part := range seal.Split(text) {
		if n, err := part.Tree(); err == nil && n != nil {
			out = append(out, n)
		}
	}
	return out
}

func nodeAt(n *yaml.Node, way ...string) *yaml.Node {
	for _, name := range way {
		var value *yaml.Node
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				value = n.Content[i+1]
			}
		}
		n = value
	}
	return n
}

func valueAt(n *yaml.Node, way ...string) string {
	if n = nodeAt(n, way...); n == nil {
		return ""
	}
	return n.Value
}

// removesKeys reports whether a patch takes away what a Secret has: by null, or
// by a directive.
func removesKeys(text []byte) bool {
	for _, n := range treesOf(text) {
		if valueAt(n, "kind") != kindSecret {
			continue
		}
		if nodeAt(n, "$patch") != nil || nodeAt(n, "metadata", "$patch") != nil {
			return true
		}
		for _, field := range []string{"data", "stringData"} {
			m := nodeAt(n, field)
			if m != nil && (m.Tag == "!!null" || nodeAt(m, "$patch") != nil || slices.ContainsFunc(m.Content, func(v *yaml.Node) bool { return v.Tag == "!!null" })) {
				return true
			}
		}
	}
	return false
}
