package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"fuin.dev/render/wire"
)

// kustomization is one that was read, brought up to date.
type kustomization struct {
	types.Kustomization
	file string
	dir  string
	text []byte // as it stands in the checkout

	includes []include
}

// kustomization reads one, and returns it as kustomize is to see it: in the
// fields of today, and with the configuration by which names follow
// SealedSecrets. docs/render.md says what is changed.
func (r *reader) kustomization(file string, text []byte) ([]byte, error) {
	k := &kustomization{file: file, dir: path.Dir(file), text: text}
	if other := r.kustomizations[k.dir]; other != nil && other.file != file {
		return nil, blame(wire.Conflict, file, 0, "stands beside %s, and only one can count", path.Base(other.file)).advise("delete one of the two")
	}
	docs, err := parseManifests(file, text)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, blame(wire.NotRenderable, file, 0, "holds %d documents, and a kustomization is one", len(docs))
	}
	fields, err := k.fields(docs[0])
	if err != nil {
		return nil, err
	}
	first := r.kustomizations[k.dir] == nil
	u := update{kustomization: k, fields: fields}
	if err := u.all(); err != nil {
		return nil, err
	}
	if first { // kustomize reads a base again for each that names it
		r.notes = append(r.notes, u.notes...)
	}
	if err := k.decode(fields); err != nil {
		return nil, err
	}
	r.kustomizations[k.dir] = k
	if err := r.check(k, fields); err != nil {
		return nil, err
	}
	configurations, _ := fields["configurations"].([]any)
	fields["configurations"] = append(configurations, namesFile)
	return json.Marshal(fields)
}

func (k *kustomization) fields(doc manifest) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(doc.json))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, blame(wire.NotRenderable, k.file, doc.line, "is no kustomization")
	}
	empty := true
	for field := range fields {
		empty = empty && (field == "apiVersion" || field == "kind")
	}
	if empty {
		return nil, blame(wire.NotRenderable, k.file, 0, "is empty").advise("list files under resources")
	}
	return fields, nil
}

// decode decodes strictly: kustomize knows each field.
func (k *kustomization) decode(fields map[string]any) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&k.Kustomization)
	if err == nil {
		return nil
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		name = strings.Trim(name, `"`)
		return blame(wire.NotRenderable, k.file, k.lineOf(name), "has a field that kustomize does not know: %s", clip(name)).
			advise("correct its name or its indentation")
	}
	if bad := (*json.UnmarshalTypeError)(nil); errors.As(err, &bad) && bad.Field != "" {
		field := strings.TrimPrefix(bad.Field, "Kustomization.")
		return blame(wire.NotRenderable, k.file, k.lineOf(field[strings.LastIndex(field, ".")+1:]), "has a field of the wrong type: %s", clip(field))
	}
	return blame(wire.NotRenderable, k.file, 0, "is no kustomization")
}

// update brings one kustomization up to date.
type update struct {
	*kustomization
	fields map[string]any
	notes  []wire.Note
}

func (u *update) note(field, format string, args ...any) {
	n := wire.Note{File: u.file, Line: u.lineOf(field), Message: fmt.Sprintf(format, args...)}
	if !slices.Contains(u.notes, n) {
		u.notes = append(u.notes, n)
	}
}

func (u *update) all() error {
	u.version()
	for _, step := range []func() error{u.unsupported, u.generators} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, old := range []string{"patchesStrategicMerge", "patchesJson6902", "commonLabels", "vars"} {
		if _, ok := u.fields[old]; ok {
			u.note(old, "old field %s, which still works; kustomize edit fix writes what replaced it", old)
		}
	}
	u.rename("bases", "resources")
	u.rename("imageTags", "images")
	u.patches()
	slices.SortStableFunc(u.notes, func(a, b wire.Note) int { return a.Line - b.Line })
	return nil
}

// version corrects the versions that repositories of old have.
func (u *update) version() {
	old := []string{"v1", "v1beta1", "kustomize.config.k8s.io/v1", "kustomize.config.k8s.io/v1alpha1", "kustomize.k8s.io/v1beta1"}
	kind, _ := u.fields["kind"].(string)
	if version, _ := u.fields["apiVersion"].(string); slices.Contains(old, version) && kind != types.ComponentKind {
		u.note("apiVersion", "apiVersion %s read as %s", version, types.KustomizationVersion)
		u.fields["apiVersion"] = types.KustomizationVersion
	}
}

// unsupported refuses what would start a program.
func (u *update) unsupported() error {
	for _, field := range []string{"helmCharts", "helmChartInflationGenerator"} {
		if _, ok := u.fields[field]; ok {
			return blame(wire.Unsupported, u.file, u.lineOf(field), "uses %s, for which kustomize would start helm", field).
				advise("commit what helm template prints, or render the chart as an environment of its own")
		}
	}
	return nil
}

// rename moves a list to the end of another.
func (u *update) rename(old, today string) {
	list, ok := u.fields[old].([]any)
	if !ok {
		return
	}
	more, _ := u.fields[today].([]any)
	u.fields[today] = append(more, list...)
	delete(u.fields, old)
	u.note(old, "old field %s read as %s", old, today)
}

// patches moves files in a list of patches, which were strategic merge patches.
func (u *update) patches() {
	list, _ := u.fields["patches"].([]any)
	var files, rest []any
	for _, p := range list {
		if _, ok := p.(string); ok {
			files = append(files, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(files) == 0 {
		return
	}
	more, _ := u.fields["patchesStrategicMerge"].([]any)
	u.note("patches", "old list of files in patches read as strategic merge patches")
	u.fields["patches"] = rest
	u.fields["patchesStrategicMerge"] = append(more, files...)
}

// generators brings the arguments of generators up to date.
func (u *update) generators() error {
	for _, field := range []string{"configMapGenerator", "secretGenerator"} {
		list, _ := u.fields[field].([]any)
		for _, item := range list {
			if args, ok := item.(map[string]any); ok {
				if err := u.generator(field, args); err != nil {
					return err
				}
			}
		}
	}
	if options, ok := u.fields["generatorOptions"].(map[string]any); ok {
		u.drop(options, "timeoutSeconds", "shell")
	}
	return nil
}

func (u *update) generator(field string, args map[string]any) error {
	name, _ := args["name"].(string)
	for _, command := range []string{"commands", "envCommand"} {
		if _, ok := args[command]; ok {
			return blame(wire.Unsupported, u.file, u.lineOf(command), "generates %s by %s, which are programs to run", clip(name), command).
				advise("commit a SealedSecret, or literals and files")
		}
	}
	u.drop(args, "timeoutSeconds")
	sources, ok := args["kvSources"].([]any)
	if !ok {
		return nil
	}
	for _, s := range sources {
		source, _ := s.(map[string]any)
		kind, _ := source["name"].(string)
		if plugin, _ := source["pluginType"].(string); plugin != "builtin" || !slices.Contains([]string{"literals", "files", "envfiles"}, kind) {
			return blame(wire.Unsupported, u.file, u.lineOf("kvSources"), "generates %s by a plugin", clip(name)).
				advise("write literals, files or envs")
		}
		if kind == "envfiles" {
			kind = "envs"
		}
		more, _ := args[kind].([]any)
		list, _ := source["args"].([]any)
		args[kind] = append(more, list...)
	}
	delete(args, "kvSources")
	u.note("kvSources", "old field kvSources of %s read as literals, files and envs", field)
	return nil
}

func (u *update) drop(fields map[string]any, names ...string) {
	for _, name := range names {
		if _, ok := fields[name]; ok {
			delete(fields, name)
			u.note(name, "old field %s left out, for no command runs", name)
		}
	}
}
