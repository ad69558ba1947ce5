package main

import (
	"context"
	"errors"

	"fuin.dev/seal"
)

// secretJob seals the Secrets of a file, as fuin seal --in-place does, with the
// patches that change them; or those of a patch, with what it patches.
func (f *fixRun) secretJob(name string) func(context.Context, *repair) error {
	return func(ctx context.Context, r *repair) error {
		r.what = "sealed in place"
		patching, err := f.patching(name)
		switch {
		case err != nil:
			return err
		case len(patching) == 0:
			return f.sealFile(ctx, r, name)
		}
		r.mustProve = true
		for _, k := range patching {
			if err := f.sealPatches(ctx, r, k, name); err != nil {
				return err
			}
		}
		if len(r.changed) == 0 {
			return errRepaired
		}
		return nil
	}
}

// patching are the kustomizations of which a file is a patch, or itself if it
// is one.
func (f *fixRun) patching(name string) ([]string, error) {
	if isKustomization(name) {
		return []string{name}, nil
	}
	t, err := f.c.u.targetOf(f.pathOf(name))
	if err != nil || t.tree == nil || t.tree.root != f.c.root {
		return nil, err
	}
	all, err := t.tree.kustomizations()
	if err != nil {
		return nil, err
	}
	return all.Patching(name), nil
}

// sealFile seals the Secrets of a file that is no patch.
func (f *fixRun) sealFile(ctx context.Context, r *repair, name string) error {
	plan, data, err := f.planned(ctx, r, name)
	if err != nil {
		return err
	}
	result, err := plan.seal(data, seal.Options{})
	if errors.Is(err, seal.ErrNothing) {
		return f.nothingIn(name)
	}
	if err != nil {
		return err
	}
	f.take(r, name, result)
	return f.sealPatchesOf(ctx, r, plan, result)
}

// nothingIn tells that a file has no Secret that can be sealed in place, unless
// that was done.
func (f *fixRun) nothingIn(name string) error {
	if _, ok := f.files.changed[name]; ok {
		return errRepaired
	}
	return fail("make it a manifest of its own, and seal that: fuin seal --in-place PATH",
		"no Secret that stands by itself, but a part of something else")
}

// take takes over a file that was sealed.
func (f *fixRun) take(r *repair, name string, result seal.Result) {
	r.changed[name] = result.Out
	r.touched = append(r.touched, name)
	for _, w := range result.Warnings {
		r.warnings = append(r.warnings, f.c.shown(name)+": "+w.String())
	}
}
