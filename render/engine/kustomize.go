package engine

import (
	"encoding/json"
	"io"
	"io/fs"
	"log"
	"net/http"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"

	"fuin.dev/render/wire"
)

// kustomize renders a kustomization, as kustomize build does, without
// functions, plugins, Helm and the network. It reads files of all of the
// checkout, and what lies elsewhere through the parent.
func kustomize(files fs.FS, d wire.Directory) (rendition, error) {
	r := newReader(files, d)
	log.SetOutput(io.Discard) // warnings about old fields, which notes tell of
	http.DefaultTransport = r // which kustomize would use to read files
	keepBuildAnnotations()
	var result rendition
	if _, err := fs.ReadDir(files, d.Path); err != nil {
		return result, noDirectory(err, d.Path)
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionNone // the parent sorts
	options.LoadRestrictions = types.LoadRestrictionsNone
	objects, err := krusty.MakeKustomizer(options).Run(r.system(), path.Join("/", d.Path))
	result.notes = r.notes
	if err != nil || r.fault != nil {
		return result, r.diagnose(err)
	}
	result.objects, err = r.collect(objects)
	return result, err
}

// previous are the annotations in which kustomize keeps what an object was
// called before, and by which prefixes and suffixes it was renamed, each
// separated by commas. It removes them when it is done.
const (
	previousNames      = "internal.config.kubernetes.io/previousNames"
	previousNamespaces = "internal.config.kubernetes.io/previousNamespaces"
	previousKinds      = "internal.config.kubernetes.io/previousKinds"
	addedPrefixes      = "internal.config.kubernetes.io/prefixes"
	addedSuffixes      = "internal.config.kubernetes.io/suffixes"
)

var previous = []string{previousNames, previousNamespaces, previousKinds, addedPrefixes, addedSuffixes}

// keepBuildAnnotations lets kustomize leave them for [reader.collect].
func keepBuildAnnotations() {
	resource.BuildAnnotations = slices.DeleteFunc(slices.Clone(resource.BuildAnnotations), func(a string) bool {
		return slices.Contains(previous, a)
	})
}

// collect makes objects of what kustomize built.
func (r *reader) collect(built resmap.ResMap) ([]wire.Object, error) {
	var all []wire.Object
	for _, res := range built.Resources() {
		content, err := res.Map()
		if err != nil {
			return nil, err
		}
		o := r.object(content)
		if o.Content, err = json.Marshal(content); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// object tells where content comes from, by the annotations that it takes out.
func (r *reader) object(content map[string]any) wire.Object {
	metadata, _ := content["metadata"].(map[string]any)
	told := takeAnnotations(metadata)
	now := source{kind: text(content, "kind"), namespace: text(metadata, "namespace"), name: text(metadata, "name")}
	was := now
	if _, moved := told[previousNames]; moved {
		first := func(key string) string { return strings.Split(told[key], ",")[0] }
		was = source{kind: first(previousKinds), namespace: first(previousNamespaces), name: first(previousNames)}
	}
	found := r.locate(was, told)
	if now.kind == "SealedSecret" {
		followTemplate(content, found.source, now)
	}
	return wire.Object{File: found.file, Line: found.line, Origin: &wire.Origin{
		Name: found.name, Namespace: found.namespace, MovedBy: found.movedTo(now),
	}}
}

func text(fields map[string]any, key string) string {
	s, _ := fields[key].(string)
	return s
}

// takeAnnotations removes and returns those of kustomize.
func takeAnnotations(metadata map[string]any) map[string]string {
	annotations, _ := metadata["annotations"].(map[string]any)
	told := map[string]string{}
	for _, key := range previous {
		if value, ok := annotations[key].(string); ok {
			told[key] = value
			delete(annotations, key)
		}
	}
	if len(told) > 0 && len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return told
}

// followTemplate lets the Secret in a SealedSecret be called as the
// SealedSecret is, if it was.
func followTemplate(content map[string]any, was, now source) {
	spec, _ := content["spec"].(map[string]any)
	template, _ := spec["template"].(map[string]any)
	metadata, _ := template["metadata"].(map[string]any)
	if metadata["name"] == was.name {
		metadata["name"] = now.name
	}
	if metadata["namespace"] == was.namespace && now.namespace != "" {
		metadata["namespace"] = now.namespace
	}
}
