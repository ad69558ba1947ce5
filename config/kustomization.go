package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"
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
	maxKustomization   = 1 << 20  // bytes of a kustomization file
	maxKustomizations  = 20_000   // in a repository
	sumKustomizations  = 64 << 20 // bytes of all of them
	maxDirectories     = 200_000
	readKustomizations = 8 // at a time
)

// Kustomizations are those of a repository. They may be used by several
// goroutines.
type Kustomizations struct {
	all []*source          // in the order of their paths
	at  map[string]*source // by directory; nil where all are in the order of text

	mu    sync.Mutex
	above map[string][]*kustomization // of files and directories that were asked for
}

// A source is a kustomization file, which is parsed when it matters: most
// reach nothing that is asked for.
type source struct {
	file, dir string
	data      []byte

	once   sync.Once
	parsed *kustomization // nil if it is none
}

// ReadKustomizations finds the kustomizations of a repository. It leaves out
// hidden directories and node_modules, follows no symbolic link, and passes
// over kustomizations that cannot be read: no kustomize would render them.
func ReadKustomizations(files fs.FS) (*Kustomizations, error) {
	k := &Kustomizations{at: map[string]*source{}, above: map[string][]*kustomization{}}
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
		case d.Type().IsRegular() && slices.Contains(KustomizationNames, d.Name()):
			return k.add(name)
		}
		return nil
	})
	if err == nil {
		err = k.read(files)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for kustomizations: %w", err)
	}
	return k, nil
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
	hint:   "name what is sealed for in full, in a directory outside of the repository",
}

func (k *Kustomizations) add(name string) error {
	s := &source{file: name, dir: path.Dir(name)}
	if k.at[s.dir] != nil {
		return nil // two in a directory: kustomize refuses that
	}
	k.at[s.dir] = s
	if k.all = append(k.all, s); len(k.all) > maxKustomizations {
		return errTooLarge
	}
	return nil
}

// read reads all files, some at a time.
func (k *Kustomizations) read(files fs.FS) error {
	var sum atomic.Int64
	var g errgroup.Group
	g.SetLimit(readKustomizations)
	for part := range slices.Chunk(k.all, 64) {
		g.Go(func() error {
			for _, s := range part {
				data, err := readFile(files, s.file, maxKustomization)
				if err != nil {
					continue
				}
				s.data = data
				if sum.Add(int64(len(data))) > sumKustomizations {
					return errTooLarge
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// kustomization parses the file, once; nil if it is none.
func (s *source) kustomization() *kustomization {
	s.once.Do(func() { s.parsed = parseKustomization(s.file, s.data) })
	return s.parsed
}

// in is the kustomization of a directory; nil if there is none.
func (k *Kustomizations) in(dir string) *kustomization {
	if k.at != nil {
		if s := k.at[dir]; s != nil {
			return s.kustomization()
		}
		return nil
	}
	for _, name := range KustomizationNames {
		at, ok := slices.BinarySearchFunc(k.all, path.Join(dir, name), func(s *source, name string) int { return strings.Compare(s.file, name) })
		if ok {
			return k.all[at].kustomization()
		}
	}
	return nil
}

// including are the kustomizations that list a file or directory.
func (k *Kustomizations) including(name string) []*kustomization {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.above[name]; ok {
		return known
	}
	var out []*kustomization
	for _, s := range k.all {
		if !s.mayList(name) {
			continue
		}
		if by := s.kustomization(); by != nil && (slices.Contains(by.resources, name) || slices.Contains(by.components, name)) {
			out = append(out, by)
		}
	}
	k.above[name] = out
	return out
}

// mayList reports whether the text holds the names that a way from its
// directory to another place must have. It only spares parsing: what it lets
// pass may list something else. Text with escapes always passes.
func (s *source) mayList(name string) bool {
	if name == "." || isWithin(s.dir, name) || bytes.IndexByte(s.data, '\\') >= 0 {
		return true // a way of .. has no names
	}
	dir := s.dir
	for dir != "." { // what they have in common need not be written
		first, more, _ := strings.Cut(dir, "/")
		rest, ok := strings.CutPrefix(name, first+"/")
		if !ok {
			break
		}
		name, dir = rest, cmp.Or(more, ".")
	}
	for part := range strings.SplitSeq(name, "/") {
		if !strings.Contains(part, " ") && !bytes.Contains(s.data, []byte(part)) { // YAML may fold a space
			return false
		}
	}
	return true
}

// isWithin reports whether a directory is another, or below it.
func isWithin(dir, other string) bool {
	return strings.HasPrefix(dir, other) && (len(dir) == len(other) || dir[len(other)] == '/')
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
