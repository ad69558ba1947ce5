package engine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"fuin.dev/render/wire"
)

// diagnose is the fault behind an error of kustomize. Its text can quote
// values, so that only its shape and the names in it count.
func (r *reader) diagnose(err error) error {
	if r.fault != nil {
		return r.fault
	}
	if f := (*fault)(nil); errors.As(err, &f) {
		return f
	}
	root := r.rootFile()
	if c, ok := r.files.(*checkout); ok && c.trouble != nil {
		return c.trouble
	}
	if f := r.unparsed(); f != nil {
		return f
	}
	if f := r.halves(); f != nil {
		return f
	}
	for _, s := range shapes {
		m := s.pattern.FindStringSubmatch(err.Error())
		if m == nil {
			continue
		}
		f := blame(s.cause, root, 0, "%s", s.message)
		if len(m) > 1 && m[1] != "" {
			f.message += ": " + clip(m[1])
			r.point(f, m[1])
		}
		return f.advise(s.hint)
	}
	return blame(wire.EngineFailed, root, 0, "does not build, for a reason that kustomize tells only with content").
		advise("run kustomize build on the directory")
}

func (r *reader) rootFile() string {
	if k := r.kustomizations[r.root]; k != nil {
		return k.file
	}
	return r.root
}

// unparsed finds the first manifest that was read and is no YAML.
func (r *reader) unparsed() *fault {
	for _, name := range r.read {
		if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" && ext != ".json" {
			continue
		}
		data, err := fs.ReadFile(r.files, name)
		if err != nil {
			continue
		}
		if _, err := parseManifests(name, data); err != nil {
			var f *fault
			errors.As(err, &f)
			return f
		}
	}
	return nil
}

// halves finds the first resource that is no whole object.
func (r *reader) halves() *fault {
	for _, dir := range slices.Sorted(maps.Keys(r.kustomizations)) {
		for _, i := range r.kustomizations[dir].includes {
			data, err := fs.ReadFile(r.files, i.path)
			if err != nil {
				continue // a directory
			}
			docs, _ := parseManifests(i.path, data)
			for _, d := range docs {
				if f := half(i.path, d); f != nil {
					return f
				}
			}
		}
	}
	return nil
}

func half(file string, d manifest) *fault {
	var h header
	if json.Unmarshal(d.json, &h) != nil {
		return blame(wire.NotAnObject, file, d.line, "holds what is no object of Kubernetes")
	}
	switch {
	case h.Kind == "":
		return blame(wire.NotAnObject, file, d.line, "has an object without kind").advise("write its kind, or take the file out of resources")
	case h.Metadata.Name == "" && !strings.HasSuffix(h.Kind, "List"):
		return blame(wire.NotAnObject, file, d.line, "has a %s without metadata.name", clip(h.Kind)).advise("write metadata.name")
	}
	return nil
}

// point names the kustomization and line where a name stands.
func (r *reader) point(f *fault, name string) {
	for _, dir := range slices.Sorted(maps.Keys(r.kustomizations)) {
		if line := r.kustomizations[dir].lineOf(name); line > 0 {
			f.file, f.line = r.kustomizations[dir].file, line
			return
		}
	}
}

// An id of kustomize reads Kind.version.group/name.namespace; its parts are
// names of Kubernetes.
const (
	id   = `([A-Za-z0-9.\[\]-]+/[A-Za-z0-9.\[\]:-]+)`
	word = `([A-Za-z0-9_.-]+)`
)

// shapes are the errors that kustomize is known for.
var shapes = []struct {
	pattern *regexp.Regexp
	cause   wire.Cause
	message string
	hint    string
}{
	{regexp.MustCompile(`may not add resource with an already registered id: ` + id), wire.Duplicate, "includes an object twice", "delete one of the two, or include the base once"},
	{regexp.MustCompile(`failed to find unique target for patch ` + id), wire.NotFound, "has a patch for an object that is not there, or not once", "correct the patch's kind, name and namespace: they are those before prefixes"},
	{regexp.MustCompile(`no resource matches strategic merge patch "?` + id), wire.NotFound, "has a patch for an object that is not there", "correct the patch's kind, name and namespace: they are those before prefixes"},
	{regexp.MustCompile(`multiple matches for Id ` + id), wire.Conflict, "has a patch that fits several objects", "name the namespace in the patch's target"},
	{regexp.MustCompile(`unable to parse SM or JSON patch|trouble configuring builtin Patch\w*Transformer|invalid character .* looking for|unmarshal JSON into Go value of type jsonpatch`), wire.Malformed, "has a patch that is neither a list of operations nor a part of an object", "check the patch's indentation"},
	{regexp.MustCompile(`(?:add|remove|replace|move|copy|test) operation does not apply|doc is missing (?:path|key)|jsonpatch .* operation`), wire.Conflict, "has a JSON patch that does not apply: a path that it names is not there", "correct the path; an operation add creates what is missing"},
	{regexp.MustCompile(`id .* exists; behavior must be merge or replace`), wire.Duplicate, "generates an object that is there already", "set behavior: merge or replace"},
	{regexp.MustCompile(`does not exist; cannot merge or replace`), wire.NotFound, "generates onto an object that is not there", "set behavior: create, or correct the name"},
	{regexp.MustCompile(`conflict between`), wire.Conflict, "has patches that exclude each other", "make one of the two"},
	{regexp.MustCompile(`exists in both commonLabels and labels|label name .* exists`), wire.Conflict, "sets a label twice", "set it in labels alone"},
	{regexp.MustCompile(`cycle detected`), wire.Cycle, "includes itself", "let bases include no overlays"},
	{regexp.MustCompile(`(?:external|alpha) plugins? (?:are )?disabled; unable to load (?:external plugin )?'?` + word), wire.Unsupported, "uses a plugin, which would be a program to run", "commit what it prints"},
	{regexp.MustCompile(`unable to load builtin`), wire.Unsupported, "uses a plugin that kustomize does not have", "correct its kind"},
	{regexp.MustCompile(`must specify --enable-helm`), wire.Unsupported, "uses a Helm chart, for which kustomize would start helm", "commit what helm template prints, or render the chart as an environment of its own"},
	{regexp.MustCompile(`expected kind 'Component'`), wire.NotRenderable, "lists under components what is none", "list it under resources, or make its kind Component"},
	{regexp.MustCompile(`expected kind != 'Component'`), wire.NotRenderable, "lists a Component under resources", "list it under components"},
	{regexp.MustCompile(`kind should be Kustomization|apiVersion for \w+ should be`), wire.NotRenderable, "has another apiVersion or kind than a kustomization", "write apiVersion: kustomize.config.k8s.io/v1beta1 and kind: Kustomization"},
	{regexp.MustCompile(`nothing selected by|unable to find field|fieldPath .* is missing|multiple matches for selector|wrong.* for replacement target|replacement`), wire.Conflict, "has a replacement whose source or target is not there, or not once", "correct its kind, name and field path"},
	{regexp.MustCompile(`var '` + word + `' (?:cannot be mapped|already encountered)|unable to disambiguate|undefined.* var`), wire.Conflict, "has a var that does not resolve", "correct what it refers to"},
	{regexp.MustCompile(`missing metadata.name in object|kind not found|missing Resource metadata|Object 'Kind' is missing`), wire.NotAnObject, "includes a file that holds half of an object", "write its apiVersion, kind and metadata.name"},
	{regexp.MustCompile(`OpenAPI version is not built in|cannot set openapi|openapi`), wire.Unsupported, "names a version of the OpenAPI schema that kustomize does not have", "leave out openapi"},
	{regexp.MustCompile(`loading KV pairs|invalid literal source|key name|already exists in`), wire.Malformed, "has a generator whose literals, files or envs are wrong", "write KEY=VALUE, each key once"},
	{regexp.MustCompile(`unable to find one of 'kustomization`), wire.NotFound, "holds no kustomization", "add a kustomization.yaml"},
	{regexp.MustCompile(`loading CRDs|unable to parse .*crd`), wire.Malformed, "has crds that are no OpenAPI definitions", ""},
	{regexp.MustCompile(`json: unknown field|merging config|unmarshaling JSON`), wire.Malformed, "has configurations that kustomize does not read", ""},
}
