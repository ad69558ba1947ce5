package main

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"fuin.dev/config"
	"fuin.dev/seal"
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

// A patch is one of a kustomization, and its text as it will be.
type patch struct {
	config.Patch
	in   string // the kustomization
	text []byte
}

// file is the file in which a patch is written.
func (p patch) file() string { return cmp.Or(p.File, p.in) }

// patches are those of a kustomization, each with why its file cannot be read.
func (f *fixRun) patches(ctx context.Context, r *repair, k string) (iter.Seq2[patch, error], error) {
	data, err := f.read(ctx, r, k)
	if err != nil {
		return nil, err
	}
	sources, _ := config.ReadSources(k, data)
	return func(yield func(patch, error) bool) {
		for _, source := range sources.Patches {
			p, err := patch{source, k, []byte(source.Text)}, error(nil)
			if p.File != "" {
				p.text, err = f.read(ctx, r, p.File)
			}
			if !yield(p, err) {
				return
			}
		}
	}, nil
}

// sealPatchesIn seals the patches of a kustomization that are of certain
// Secrets.
func (f *fixRun) sealPatchesIn(ctx context.Context, r *repair, k string, of patched) error {
	patches, err := f.patches(ctx, r, k)
	if err != nil {
		return err
	}
	for p, err := range patches {
		if err != nil {
			continue // kustomize would say so
		}
		for _, secret := range secretsIn(p.text) {
			options, ok := of(secret)
			if !ok {
				continue
			}
			if err := f.sealPatch(ctx, r, p, options); err != nil {
				return err
			}
			break // all of the text is done at once
		}
	}
	return nil
}

// sealPatches seals patches that were found, with what they patch: a file of
// Secrets, or else what is a SealedSecret already.
func (f *fixRun) sealPatches(ctx context.Context, r *repair, k, name string) error {
	r.what = "a sealed patch"
	patches, err := f.patches(ctx, r, k)
	if err != nil {
		return err
	}
	for p, err := range patches {
		if p.file() != name {
			continue
		}
		if err != nil {
			return err
		}
		if secrets := secretsIn(p.text); len(secrets) > 0 { // all of the text is done at once
			if err := f.sealPatched(ctx, r, p, secrets[0]); err != nil {
				return err
			}
		}
	}
	if len(r.changed) == 0 {
		return f.nothingIn(name)
	}
	return nil
}

func (f *fixRun) sealPatched(ctx context.Context, r *repair, p patch, secret string) error {
	base, err := f.fileOf(ctx, p.in, secret)
	if err != nil {
		return err
	}
	if base != "" {
		if _, done := r.changed[base]; done {
			return nil
		}
		return f.sealFile(ctx, r, base)
	}
	plan, err := f.plan(p.in)
	if err != nil {
		return err
	}
	options := seal.Options{Scope: cmp.Or(plan.rule.Scope, seal.Strict), Final: plan.finalIn(""), AllowEmpty: true}
	return f.sealPatch(ctx, r, p, options)
}

// sealPatch makes the patch of a Secret one of its SealedSecret, and puts it
// where it stood.
func (f *fixRun) sealPatch(ctx context.Context, r *repair, p patch, options seal.Options) error {
	r.mustProve = true
	switch {
	case p.Targeted:
		return fail("name the Secret in the patch, and take target out", "a patch that is applied by target")
	case removesKeys(p.text):
		return fail("leave the key out of what is patched, too", "a patch that removes what a Secret has: sealed, it would not")
	}
	plan, err := f.plan(p.file())
	if err != nil {
		return err
	}
	if rule := plan.rule.Scope; rule != "" && rule != options.Scope {
		return fail("give both paths the same scope", "its rule says scope %s, and what it patches is sealed in scope %s", rule, options.Scope)
	}
	options.Patch = true
	result, err := plan.sealer.Manifest(p.text, options)
	if err != nil {
		return err
	}
	if p.File == "" {
		return f.takeText(ctx, r, p, result)
	}
	f.take(r, p.File, result)
	r.touched[len(r.touched)-1] = p.in
	return nil
}

// takeText takes over a patch that was sealed and stands as text in its
// kustomization.
func (f *fixRun) takeText(ctx context.Context, r *repair, p patch, result seal.Result) error {
	field, err := seal.ParseField(p.Field)
	if err != nil {
		return err
	}
	whole, err := f.read(ctx, r, p.in)
	if err != nil {
		return err
	}
	sealed := string(result.Out)
	if !strings.HasSuffix(p.Text, "\n") {
		sealed = strings.TrimSuffix(sealed, "\n")
	}
	if result.Out, err = field.Put(whole, sealed); err == nil {
		f.take(r, p.in, result)
	}
	return err
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
