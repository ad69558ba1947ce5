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

// A KustomizationFile is one that is at hand.
type KustomizationFile struct {
	Name string // in the repository
	Data []byte
}

// NewKustomizations takes kustomizations that are at hand, for which
// [IsKustomization] holds. It sorts the files by their names.
func NewKustomizations(files []KustomizationFile) (*Kustomizations, error) {
	byName := func(a, b KustomizationFile) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(files, byName) {
		slices.SortFunc(files, byName)
	}
	k := &Kustomizations{all: make([]*source, 0, len(files)), above: map[string][]*kustomization{}}
	block, sum := make([]source, len(files)), 0
	others := map[string]bool{} // directories with one that is called Kustomization
	for i, f := range files {
		dir, base := ".", f.Name
		if slash := strings.LastIndexByte(f.Name, '/'); slash >= 0 {
			dir, base = f.Name[:slash], f.Name[slash+1:]
		}
		if previous := len(k.all) - 1; others[dir] || previous >= 0 && k.all[previous].dir == dir {
			continue // two in a directory: kustomize refuses that
		}
		if base == "Kustomization" {
			others[dir] = true
		}
		if sum += len(f.Data); sum > sumKustomizations || len(k.all) == maxKustomizations {
			return nil, errTooLarge
		}
		s := &block[i]
		s.file, s.dir, s.data = f.Name, dir, f.Data
		k.all = append(k.all, s)
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
			if own, ok := strings.CutPrefix(p, k.dir+"/"); ok && up != "" {
				out = append(out, own)
			} else {
				out = append(out, up+p)
			}
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
