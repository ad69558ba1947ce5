package main

import (
	"cmp"
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/check"
	"fuin.dev/config"
	"fuin.dev/render"
	"fuin.dev/seal"
)

// jobs sorts findings by what can be done about them. What is not sealed in
// place, as comments and private keys, has none.
func (f *fixRun) jobs(ctx context.Context, findings []check.Finding) []job {
	var files, generators, values, templates []job
	at := map[string]int{}
	group := func(list *[]job, key string, found check.Finding, make func(context.Context, *repair) error) {
		i, ok := at[key]
		if !ok {
			i = len(*list)
			at[key] = i
			*list = append(*list, job{make: make})
		}
		(*list)[i].findings = append((*list)[i].findings, found)
	}
	for _, found := range findings {
		name := found.File
		switch {
		case name == "-" || found.Commit != "":
		case found.Rule == check.PlaintextSecret:
			group(&files, "file\x00"+name, found, f.secretJob(name))
		case found.Rule == check.SecretGenerator && isKustomization(name):
			generator := strings.TrimPrefix(found.Object, "secretGenerator ")
			group(&generators, "generator\x00"+name+"\x00"+generator, found, f.generatorJob(name, generator))
		case f.isValue(found):
			field := f.fieldOf(ctx, found)
			group(&values, "value\x00"+name+"\x00"+field.String(), found, f.tokenJob(name, field))
		case found.Rule == check.SealedTemplate:
			target, ok := f.templateOf(ctx, found)
			if ok {
				group(&templates, "template\x00"+name+"\x00"+target.Namespace+"\x00"+target.Name+"\x00"+target.Key, found, f.templateJob(name, target))
			}
		}
	}
	return slices.Concat(files, generators, values, templates)
}

func isKustomization(name string) bool {
	return slices.Contains(config.KustomizationNames, path.Base(name))
}

// isValue reports a value of a chart, by its name or by its form.
func (f *fixRun) isValue(found check.Finding) bool {
	isInValues := found.Object == "" && strings.Contains(path.Base(found.File), "values")
	switch found.Rule {
	case check.HelmValues:
		return found.Object == ""
	case check.URLCredentials, check.KnownToken:
		return isInValues && f.chartsOf(found.File) != nil
	}
	return false
}

// A valueField is the field of a value of a chart; why is not nil if it was not
// found.
type valueField struct {
	seal.Field
	isPart bool // the value is a part of its text
	why    error
}

// fieldOf finds the way to a value before anything changes its line.
func (f *fixRun) fieldOf(ctx context.Context, found check.Finding) valueField {
	data, err := readFile(ctx, f.pathOf(found.File), seal.MaxManifest)
	if err != nil {
		return valueField{why: err}
	}
	if field, ok := seal.FieldAt(data, found.Line, found.Column); ok {
		return valueField{Field: field}
	}
	field, ok := seal.FieldAround(data, found.Line, found.Column)
	if !ok {
		return valueField{why: fail("put it into a field of its own, and seal that: fuin seal "+found.File+" --field FIELD", "it is not in YAML that can be read")}
	}
	return valueField{Field: field, isPart: true}
}

func (f *fixRun) templateOf(ctx context.Context, found check.Finding) (seal.Target, bool) {
	data, err := readFile(ctx, f.pathOf(found.File), seal.MaxManifest)
	if err != nil {
		return seal.Target{}, false
	}
	return seal.TemplateAt(data, found.Line)
}

// directories are those that show what becomes of files: kustomizations that
// nothing includes, and the chart that a file is part of.
func (f *fixRun) directories(names []string) ([]render.Directory, error) {
	var out []render.Directory
	seen := map[string]bool{}
	add := func(d render.Directory) {
		if key := directoryKey(d); !seen[key] {
			seen[key] = true
			out = append(out, d)
		}
	}
	for _, name := range names {
		if charts := f.chartsOf(name); charts != nil {
			for _, chart := range charts {
				add(chart)
			}
			continue
		}
		t, err := f.c.u.targetOf(f.pathOf(name))
		if err != nil {
			return nil, err
		}
		if t.tree == nil || t.tree.root != f.c.root {
			continue
		}
		placings, _, err := t.placings()
		if err != nil {
			return nil, err
		}
		for _, p := range placings {
			add(render.Directory{Path: p.Top})
		}
	}
	return out, nil
}

func directoryKey(d render.Directory) string {
	return strings.Join(append([]string{d.Path, d.Helm.Namespace}, d.Helm.ValuesFiles...), "\x00")
}

// chartsOf is the chart of which a file is a template or has values: with its
// own values, and with those of each other file beside them, for the namespace
// that the rules give that. None if the file is in no chart.
func (f *fixRun) chartsOf(name string) []render.Directory {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if f.exists(path.Join(dir, "Chart.yaml")) {
			return f.chartWith(dir, name)
		}
		if dir == "." || dir == "/" || strings.HasPrefix(dir, "..") {
			return nil
		}
	}
}

func (f *fixRun) chartWith(dir, name string) []render.Directory {
	own, templates := path.Join(dir, "values.yaml"), path.Join(dir, "templates")
	files := []string{name}
	if name == own || strings.HasPrefix(name, templates+"/") {
		files = append([]string{own}, f.otherValues(dir)...)
	}
	var out []render.Directory
	for _, file := range files {
		t, err := f.c.u.targetOf(f.pathOf(file))
		if err != nil {
			continue
		}
		d := render.Directory{Path: dir, Helm: render.HelmOptions{ReleaseName: "release", Namespace: cmp.Or(t.rule.Namespace, "default")}}
		if rel, err := filepath.Rel(filepath.FromSlash(dir), filepath.FromSlash(file)); err == nil && file != own {
			d.Helm.ValuesFiles = []string{filepath.ToSlash(rel)}
		}
		out = append(out, d)
	}
	return out
}

// otherValues are the files of values in the directory of a chart but for its
// own, the first few of them.
func (f *fixRun) otherValues(dir string) []string {
	const most = 16
	entries, err := fs.ReadDir(f.files, dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		isYAML := strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
		if isYAML && strings.Contains(name, "values") && name != "values.yaml" && len(out) < most {
			out = append(out, path.Join(dir, name))
		}
	}
	return out
}
