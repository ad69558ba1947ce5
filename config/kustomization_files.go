package config

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
)

// MaxKustomization bounds a kustomization file, in bytes.
const MaxKustomization = maxKustomization

// NewKustomizations takes the kustomizations among files that are at hand, by
// their names in the repository. It leaves out what [ReadKustomizations] does.
func NewKustomizations(files map[string][]byte) (*Kustomizations, error) {
	k := &Kustomizations{
		all: make([]*source, 0, len(files)), at: make(map[string]*source, len(files)), above: map[string][]*kustomization{},
	}
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !IsKustomization(name) {
			continue
		}
		if sum += len(files[name]); sum > sumKustomizations {
			return nil, errTooLarge
		}
		if err := k.add(name); err != nil {
			return nil, err
		}
		if s := k.at[path.Dir(name)]; s.file == name {
			s.data = files[name]
		}
	}
	return k, nil
}

// IsKustomization reports whether a file of a repository is called as one, and
// is not in a directory that is left out.
func IsKustomization(name string) bool {
	if !slices.Contains(KustomizationNames, path.Base(name)) {
		return false
	}
	for dir := range strings.SplitSeq(path.Dir(name), "/") {
		if dir == "node_modules" || len(dir) > 1 && dir[0] == '.' {
			return false
		}
	}
	return true
}

// ReducedKustomization is what of a kustomization file concerns the names of
// objects, as a kustomization that says that and nothing else: no values that
// it may hold.
func ReducedKustomization(name string, data []byte) []byte {
	k := parseKustomization(name, data)
	if k == nil || len(data) > maxKustomization {
		return []byte("[]") // which is none either
	}
	up := ""
	if k.dir != "." {
		up = strings.Repeat("../", strings.Count(k.dir, "/")+1)
	}
	from := func(paths []string) []string {
		out := make([]string, 0, len(paths))
		for _, p := range paths {
			out = append(out, up+p)
		}
		return out
	}
	said := map[string]any{
		"namespace": k.namespace, "namePrefix": k.prefix, "nameSuffix": k.suffix,
		"resources": from(k.resources), "components": from(k.components),
	}
	if k.component {
		said["kind"] = "Component"
	}
	if k.renames != "" {
		said[k.renames] = []string{"-"}
	}
	maps.DeleteFunc(said, func(_ string, v any) bool {
		list, ok := v.([]string)
		return v == "" || ok && len(list) == 0
	})
	out, err := json.Marshal(said)
	if err != nil {
		return []byte("[]")
	}
	return out
}
