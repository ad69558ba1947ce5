package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A kustomization is what of a kustomization file concerns the names of the
// objects that it reaches.
type kustomization struct {
	file       string // in the repository
	dir        string
	component  bool
	namespace  string
	prefix     string
	suffix     string
	resources  []string // paths in the repository, of files and directories
	components []string
	renames    string // the field that can rename objects in ways not followed here; "" if none
}

// KustomizationNames are the names that kustomize looks for in a directory.
var KustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// Bounds of what is read to find out what reaches a file.
const (
	maxKustomization  = 1 << 20 // bytes of a kustomization file
	maxKustomizations = 20_000
	maxDirectories    = 200_000
	maxEntries        = 500_000 // that all of them list
)

// Kustomizations are those of a repository, with what each of them reaches.
type Kustomizations struct {
	at      map[string]*kustomization   // by directory
	above   map[string][]*kustomization // by what they list
	entries int
}

// ReadKustomizations finds the kustomizations of a repository. It leaves out
// hidden directories and node_modules, follows no symbolic link, and passes
// over kustomizations that cannot be read: no kustomize would render them.
func ReadKustomizations(files fs.FS) (*Kustomizations, error) {
	k := &Kustomizations{at: map[string]*kustomization{}, above: map[string][]*kustomization{}}
	directories := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil: // a directory that may not be read
			return fs.SkipDir
		case d.IsDir():
			directories++
			return enter(name, directories)
		case d.Type().IsRegular() && isKustomization(d.Name()):
			return k.add(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for kustomizations: %w", err)
	}
	return k, nil
}

func isKustomization(base string) bool {
	for _, name := range KustomizationNames {
		if base == name {
			return true
		}
	}
	return false
}

// enter decides whether to look into a directory.
func enter(dir string, count int) error {
	base := path.Base(dir)
	switch {
	case count > maxDirectories:
		return errTooLarge
	case dir != "." && (strings.HasPrefix(base, ".") || base == "node_modules"):
		return fs.SkipDir
	}
	return nil
}

var errTooLarge = &Error{
	Reason: "too many directories or kustomizations to tell which of them reach a file",
	hint:   "name what is sealed for in full: --recipient, --namespace and --name",
}

func (k *Kustomizations) add(files fs.FS, name string) error {
	data, err := readFile(files, name, maxKustomization)
	if err != nil {
		return nil
	}
	one := parseKustomization(name, data)
	if one == nil || k.at[one.dir] != nil { // two in a directory: kustomize refuses that
		return nil
	}
	k.at[one.dir] = one
	for _, list := range [][]string{one.resources, one.components} {
		k.entries += len(list)
		for _, entry := range list {
			k.above[entry] = append(k.above[entry], one)
		}
	}
	if len(k.at) > maxKustomizations || k.entries > maxEntries {
		return errTooLarge
	}
	return nil
}

// parseKustomization returns nil for what is no kustomization.
func parseKustomization(file string, data []byte) *kustomization {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil || len(doc.Content) == 0 {
		return nil
	}
	k := &kustomization{file: file, dir: path.Dir(file)}
	err := eachEntry(doc.Content[0], func(key, value *yaml.Node) error {
		value = target(value)
		switch key.Value {
		case "kind":
			k.component = value.Value == "Component"
		case "namespace":
			return short(&k.namespace, value)
		case "namePrefix":
			return short(&k.prefix, value)
		case "nameSuffix":
			return short(&k.suffix, value)
		case "resources", "bases":
			k.resources = append(k.resources, k.entriesOf(value)...)
		case "components":
			k.components = append(k.components, k.entriesOf(value)...)
		case "transformers", "configurations":
			if len(value.Content) > 0 {
				k.renames = key.Value
			}
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return k
}

// target is what an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

var errNoName = errors.New("no name")

// short reads a name or a part of one.
func short(to *string, n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || len(n.Value) > maxName {
		return errNoName
	}
	if n.Tag != "!!null" {
		*to = n.Value
	}
	return nil
}

// maxName is the longest name of an object.
const maxName = 253

// entriesOf are the paths of a list that lie in the repository. What is fetched
// from elsewhere reaches no file of it.
func (k *kustomization) entriesOf(list *yaml.Node) []string {
	var out []string
	for _, item := range list.Content {
		item = target(item)
		if item.Kind != yaml.ScalarNode || item.Value == "" || len(item.Value) > maxPath || strings.Contains(item.Value, "://") {
			continue
		}
		if p, ok := inside(path.Join(k.dir, item.Value)); ok && !path.IsAbs(item.Value) {
			out = append(out, p)
		}
	}
	return out
}
