package engine

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

type patch = types.Patch

// include is a file or directory that a kustomization takes in.
type include struct {
	path      string // in the checkout
	component bool
}

// source is how a file has an object.
type source struct {
	kind, namespace, name string
}

// lineage is where an object comes from, and through which kustomizations.
type lineage struct {
	source
	file    string
	line    int
	through []*kustomization // those that transform it, the nearest first
}

// generated are the arguments of all generators of k.
func (k *kustomization) generated() []types.GeneratorArgs {
	var all []types.GeneratorArgs
	for _, g := range k.ConfigMapGenerator {
		all = append(all, g.GeneratorArgs)
	}
	for _, g := range k.SecretGenerator {
		all = append(all, g.GeneratorArgs)
	}
	return all
}

// locate finds the origin of what kustomize calls was, with the annotations
// that it left. If there are several, the one counts whose kustomizations add
// the same prefixes and suffixes. Without any, all that is known is was.
func (r *reader) locate(was source, told map[string]string) lineage {
	if r.found == nil {
		r.found = map[[2]string][]lineage{}
		r.index(r.root, nil)
	}
	best, rank := lineage{source: was}, -1
	for _, o := range r.found[[2]string{was.kind, was.name}] {
		fits := 0
		if o.namespace == was.namespace || o.namespace == "" && was.namespace == "default" {
			fits += 2
		}
		prefixes, suffixes := o.affixes()
		if prefixes == told[addedPrefixes] && suffixes == told[addedSuffixes] {
			fits++
		}
		if fits > rank {
			best, rank = o, fits
		}
	}
	return best
}

// affixes are what the kustomizations add to a name, as kustomize's annotations
// list them.
func (o lineage) affixes() (prefixes, suffixes string) {
	var before, after []string
	for _, k := range o.through {
		if k.NamePrefix != "" {
			before = append(before, k.NamePrefix)
		}
		if k.NameSuffix != "" {
			after = append(after, k.NameSuffix)
		}
	}
	return strings.Join(before, ","), strings.Join(after, ",")
}

// index finds all objects below the kustomization of a directory, which outer
// transform, too.
func (r *reader) index(dir string, outer []*kustomization) {
	k := r.kustomizations[dir]
	if k == nil || len(outer) > 64 {
		return
	}
	r.indexAll(k, slices.Concat(r.transforming(k, 0), outer), 0)
}

// indexAll finds what k includes and generates, which through transform: k, its
// components, and those that include it.
func (r *reader) indexAll(k *kustomization, through []*kustomization, depth int) {
	for _, i := range k.includes {
		included := r.kustomizations[i.path]
		switch {
		case included == nil:
			r.indexFile(i.path, through)
		case !i.component:
			r.index(i.path, through)
		case depth < 64:
			r.indexAll(included, through, depth+1)
		}
	}
	for _, g := range k.ConfigMapGenerator {
		r.add(lineage{source{"ConfigMap", g.Namespace, g.Name}, k.file, k.lineOf(g.Name), through})
	}
	for _, g := range k.SecretGenerator {
		r.add(lineage{source{"Secret", g.Namespace, g.Name}, k.file, k.lineOf(g.Name), through})
	}
}

// transforming are k and its components, which transform what k holds.
func (r *reader) transforming(k *kustomization, depth int) []*kustomization {
	var all []*kustomization
	for _, i := range k.includes {
		if c := r.kustomizations[i.path]; c != nil && i.component && depth < 64 {
			all = append(all, r.transforming(c, depth+1)...)
		}
	}
	return append(all, k)
}

func (r *reader) add(o lineage) {
	key := [2]string{o.kind, o.name}
	r.found[key] = append(r.found[key], o)
}

func (r *reader) indexFile(file string, through []*kustomization) {
	data, err := fs.ReadFile(r.files, file)
	if err != nil {
		return
	}
	docs, _ := parseManifests(file, data)
	for _, d := range docs {
		var h header
		if json.Unmarshal(d.json, &h) == nil {
			h.each(func(s source) { r.add(lineage{s, file, d.line, through}) })
		}
	}
}

// header is what identifies an object, or those of a List.
type header struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Items []header `json:"items"`
}

func (h header) each(add func(source)) {
	if len(h.Items) > 0 && strings.HasSuffix(h.Kind, "List") {
		for _, item := range h.Items {
			item.each(add)
		}
		return
	}
	add(source{h.Kind, h.Metadata.Namespace, h.Metadata.Name})
}

// movedTo lists the kustomizations that made the object what it is now called,
// the nearest first.
func (o lineage) movedTo(now source) []string {
	var files []string
	put := func(k *kustomization) {
		if !slices.Contains(files, k.file) {
			files = append(files, k.file)
		}
	}
	name := o.name
	for _, k := range o.through {
		affixed := o.name != now.name && k.NamePrefix+k.NameSuffix != ""
		if affixed {
			name = k.NamePrefix + name + k.NameSuffix
		}
		if affixed || o.namespace != now.namespace && k.Namespace != "" {
			put(k)
		}
	}
	if len(o.through) > 0 && name != now.name { // a hash, or a patch
		put(o.through[0])
	}
	return files
}
