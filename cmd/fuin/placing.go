package main

import (
	"os"
	"path"
	"path/filepath"
	"sync"

	"fuin.dev/config"
	"fuin.dev/seal"
)

// A tree is all in which kustomizations can reach a file: a Git repository, or
// else the directory of a .fuin.yaml.
type tree struct {
	root           string                                 // absolute, without symbolic links
	kustomizations func() (*config.Kustomizations, error) // read once, when first needed
}

// tree is that of a directory, nil outside of any. It needs the lock on
// repositories.
func (u *ui) tree(real string) *tree {
	root, found := repositoryOf(real)
	if !found {
		return nil
	}
	if known := u.repositories.trees[root]; known != nil {
		return known
	}
	t := &tree{root: root}
	t.kustomizations = sync.OnceValues(func() (*config.Kustomizations, error) {
		all, err := config.ReadKustomizations(os.DirFS(root)) // which follows no link, and opens faster than os.Root
		return all, locatedIn(root, err)
	})
	if u.repositories.trees == nil {
		u.repositories.trees = map[string]*tree{}
	}
	u.repositories.trees[root] = t
	return t
}

// readKustomizations has those of a tree read in another way than from its files.
func (u *ui) readKustomizations(root string, read func() (*config.Kustomizations, error)) {
	u.repositories.Lock()
	defer u.repositories.Unlock()
	if t := u.tree(root); t != nil {
		t.kustomizations = sync.OnceValues(func() (*config.Kustomizations, error) {
			all, err := read()
			return all, locatedIn(root, err)
		})
	}
}

// placings is what each of the kustomizations that are rendered makes of the
// path; none if none reaches it. assumed names the kustomization beside the
// path if it does not list it, and the placings are those once it does.
func (t *target) placings() (all []config.Placing, assumed string, err error) {
	t.once.Do(func() { t.placed, t.assumed, t.failed = t.readPlacings() })
	return t.placed, t.assumed, t.failed
}

func (t *target) readPlacings() (all []config.Placing, assumed string, err error) {
	if t.tree == nil || t.path == "-" { // which may go anywhere
		return nil, "", nil
	}
	name, ok := nameIn(t.tree.root, t.real)
	if !ok {
		return nil, "", nil
	}
	ks, err := t.tree.kustomizations()
	if err != nil {
		return nil, "", err
	}
	all, err = ks.Placings(name, t.renders)
	if err != nil || len(all) > 0 {
		return all, "", locatedIn(t.tree.root, err)
	}
	dir := path.Dir(name)
	if info, err := os.Stat(t.path); err == nil && info.IsDir() {
		dir = name
	}
	all, err = ks.PlacingsIn(dir, t.renders)
	return all, ks.FileIn(dir), locatedIn(t.tree.root, err)
}

// renders reports whether check.render names a directory of the tree.
func (t *target) renders(dir string) bool {
	if t.repository == nil {
		return false
	}
	name, err := filepath.Rel(t.repository.root, filepath.Join(t.tree.root, filepath.FromSlash(dir)))
	return err == nil && t.repository.config.Renders(filepath.ToSlash(name))
}

// final tells where an object of the path will stand: kustomizations rename and
// give namespaces, and the rule gives one to what has none. Only a scope that
// binds to a place has them read.
func (t *target) final(scope seal.Scope, namespace, name string) (finalNamespace, finalName string, err error) {
	var placings []config.Placing
	if scope != seal.ClusterWide {
		if placings, _, err = t.placings(); err != nil {
			return "", "", err
		}
	}
	return config.Final(placings, t.rule.Namespace, scope, namespace, name)
}

// defaultNamespace is the one to write into objects that name none: that of the
// rule, unless kustomizations give them one.
func (t *target) defaultNamespace() (string, error) {
	if t.rule.Namespace == "" {
		return "", nil
	}
	placings, _, err := t.placings()
	for _, p := range placings {
		if p.Namespace != "" {
			return "", err
		}
	}
	return t.rule.Namespace, err
}

// doubts are what could make objects of the path stand elsewhere than they are
// sealed for.
func (t *target) doubts() []seal.Warning {
	if t.path == "-" {
		return doubtsHere()
	}
	placings, assumed, _ := t.placings()
	var out []seal.Warning
	for _, p := range placings {
		if assumed != "" && (p.Namespace != "" || p.Prefix+p.Suffix != "") {
			out = append(out, seal.Warning{Text: fromHere(t.tree.root, assumed) + " does not list the file under resources; sealed as if it did"})
			break
		}
	}
	for _, p := range placings {
		if p.Unsure != "" {
			out = append(out, seal.Warning{Text: fromHere(t.tree.root, p.Unsure) + " has transformers of its own; what they do to names is not followed"})
			break
		}
	}
	return out
}

// doubtsHere are those about standard input, which comes from nowhere.
func doubtsHere() []seal.Warning {
	for _, name := range config.KustomizationNames {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return []seal.Warning{{Text: "what " + name + " does to names is not followed for standard input; say where it goes: --out FILE"}}
		}
	}
	return nil
}
