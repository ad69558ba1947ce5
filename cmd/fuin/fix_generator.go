package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/check"
	"fuin.dev/config"
	"fuin.dev/render"
	"fuin.dev/seal"
)

// generatorJob makes a SealedSecret of what a secretGenerator generates: a file
// that the kustomization lists in its place. kustomize itself says what that is.
func (f *fixRun) generatorJob(k, name string) func(context.Context, *repair) error {
	return func(ctx context.Context, r *repair) error {
		r.mustProve = true
		data, err := f.read(ctx, r, k)
		if err != nil {
			return err
		}
		g, err := generatorIn(k, name, data)
		if err != nil {
			return err
		}
		secret, err := f.generated(ctx, k, g)
		if err != nil {
			return err
		}
		file := f.newName(path.Dir(k), name)
		if err := f.sealGenerated(r, file, secret); err != nil {
			return err
		}
		if r.changed[k], err = listInstead(data, g, path.Base(file)); err != nil {
			return err
		}
		r.what = "sealed in " + f.c.shown(file) + ", which the kustomization lists in place of the generator"
		r.made, r.touched = file, append(r.touched, k)
		r.warnings = append(r.warnings, fmt.Sprintf(
			"%s: Secret %s has no hash in its name any more; what is to restart when it changes needs rollout: OnChange of an Environment, or the annotation fuin.dev/roll", f.c.shown(k), name))
		return f.stayPlain(r, k, file, g)
	}
}

func generatorIn(k, name string, data []byte) (config.Generator, error) {
	sources, ok := config.ReadSources(k, data)
	i := slices.IndexFunc(sources.Generators, func(g config.Generator) bool { return g.Name == name })
	switch {
	case !ok || i < 0 || name == "" || sources.Generators[i].Alone == nil:
		return config.Generator{}, fail("write it in plain block style", "the kustomization cannot be read")
	case !sources.Generators[i].Makes:
		return config.Generator{}, fail("seal what it merges into, and set these keys in a patch of that: fuin set FILE KEY", "a generator that changes what another one makes")
	}
	return sources.Generators[i], nil
}

// generated is the Secret that kustomize makes, without what the kustomization
// does to its name.
func (f *fixRun) generated(ctx context.Context, k string, g config.Generator) (map[string]any, error) {
	d := render.Directory{Path: path.Dir(k), Files: f.files.with(map[string][]byte{k: g.Alone}), Kind: render.Kustomize}
	set, err := f.prover.sandbox.Directory(ctx, d)
	switch {
	case err != nil:
		return nil, err
	case len(set.Objects) != 1 || set.Objects[0].Kind() != kindSecret:
		return nil, fail("", "it generates something else than a Secret")
	}
	return set.Objects[0].Content, nil
}

// newName is a file that is not there yet.
func (f *fixRun) newName(dir, name string) string {
	file := path.Join(dir, name+".yaml")
	for i := 1; f.exists(file); i++ {
		file = path.Join(dir, name+"-sealed"+strings.TrimPrefix("-"+strconv.Itoa(i), "-1")+".yaml")
	}
	return file
}

func (f *fixRun) sealGenerated(r *repair, file string, secret map[string]any) error {
	plan, err := f.plan(file)
	if err != nil {
		return err
	}
	text, err := json.Marshal(secret)
	if err != nil {
		return err
	}
	options, err := plan.options(seal.Options{Format: seal.YAML, AllowEmpty: true})
	if err != nil {
		return err
	}
	result, err := plan.sealer.Manifest(text, options)
	if err == nil {
		f.take(r, file, result)
	}
	return err
}

// listInstead lists a file in place of a generator.
func listInstead(data []byte, g config.Generator, file string) ([]byte, error) {
	resources, err := seal.ParseField("resources")
	if err != nil {
		return nil, err
	}
	generators, err := seal.ParseField("secretGenerator")
	if err != nil {
		return nil, err
	}
	if data, err = resources.Append(data, file); err != nil {
		return nil, err
	}
	return generators.Remove(data, g.Index)
}

// stayPlain reports the files that hold in plain what is sealed now: they are
// the user's to delete.
func (f *fixRun) stayPlain(r *repair, k, sealed string, g config.Generator) error {
	t, err := f.c.u.targetOf(f.pathOf(k))
	if err != nil {
		return err
	}
	kustomizations, err := t.tree.kustomizations()
	if err != nil {
		return err
	}
	for _, name := range g.Reads {
		if check.IsPublicFile(name) || !f.c.exists(checkedFile{}, name) {
			continue
		}
		hint := "delete it (git rm " + name + "), and replace the values where they are used: who has the history has them"
		if by := slices.DeleteFunc(kustomizations.Reading(name), func(other string) bool { return other == k }); len(by) > 0 {
			hint = filepath.ToSlash(by[0]) + " reads it, too; seal that as well, and then " + hint
		}
		r.stay = append(r.stay, check.Finding{
			File: name, Line: 1, Rule: check.SecretGenerator, Severity: check.Error, Object: "secretGenerator " + g.Name,
			Message: "a file in plain of what is sealed in " + sealed + " now", Hint: hint,
		})
	}
	return nil
}
