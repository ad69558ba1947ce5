package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"fuin.dev/config"
	"fuin.dev/keys"
)

// A repository is a directory with a .fuin.yaml, which says for all below it
// whom to seal for. It may be used by several goroutines.
type repository struct {
	root   string // absolute, without symbolic links
	files  fs.FS  // no path and no link leads out of it
	config *config.Config
	tree   *tree // the Git repository that it is, or is part of
}

// repositoryAt reads the nearest .fuin.yaml of a path: every command finds its
// configuration so. Beginning with the path's directory, or the path itself if
// it is one, it looks upwards to the root of the Git repository. It is nil if
// there is none.
func (u *ui) repositoryAt(path string) (*repository, error) {
	_, s, err := u.around(path)
	if err != nil {
		return nil, err
	}
	return u.repository(s)
}

// repositories are those that a run of the program came across.
type repositories struct {
	sync.Mutex
	at     map[string]*knownRepository
	trees  map[string]*tree
	around map[string]*surrounding // by directory
}

type knownRepository struct {
	repository *repository
	err        error
}

// repository opens what was found around a path; it is nil if that is none.
func (u *ui) repository(s *surrounding) (*repository, error) {
	if s.root == "" {
		return nil, nil
	}
	u.repositories.Lock()
	defer u.repositories.Unlock()
	if known := u.repositories.at[s.root]; known != nil {
		return known.repository, known.err
	}
	r, err := openRepository(s)
	if u.repositories.at == nil {
		u.repositories.at = map[string]*knownRepository{}
	}
	u.repositories.at[s.root] = &knownRepository{r, err}
	return r, err
}

func openRepository(s *surrounding) (*repository, error) {
	dir, err := os.OpenRoot(s.root) // stays open as long as the program
	if err != nil {
		return nil, fileError(s.root, err)
	}
	r := &repository{root: s.root, files: dir.FS(), tree: s.tree}
	if r.config, err = config.Read(r.files); err != nil {
		return nil, r.located(err)
	}
	return r, nil
}

// nameIn is the name of a path without symbolic links below a root, slashes
// between its parts; false if it lies elsewhere.
func nameIn(root, real string) (string, bool) {
	rel, err := filepath.Rel(root, real)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// file is its .fuin.yaml as people write it where they stand.
func (r *repository) file() string { return fromHere(r.root, config.File) }

// fromHere is a file below a root as people write it where they stand.
func fromHere(root, name string) string {
	full := filepath.Join(root, filepath.FromSlash(name))
	here, err := realPath(".")
	if err != nil {
		return full
	}
	if rel, err := filepath.Rel(here, full); err == nil && strings.Count(rel, "..") < 4 {
		return rel
	}
	return full
}

// located names the file of a configuration's error from where the user stands.
func (r *repository) located(err error) error { return locatedIn(r.root, err) }

func locatedIn(root string, err error) error {
	var e *config.Error
	if errors.As(err, &e) && e.File != "" {
		inside := *e
		inside.File = ""
		return &named{fromHere(root, e.File), &inside}
	}
	return err
}

// A target is what the configuration and the kustomizations say about a path.
type target struct {
	path       string      // as it was given
	real       string      // without symbolic links
	repository *repository // nil where there is no .fuin.yaml
	name       string      // of the path in the repository
	rule       config.Rule // zero if no rule is for the path
	ruled      bool
	tree       *tree // nil outside of a repository

	once    sync.Once // of what follows: see placings
	placed  []config.Placing
	assumed string
	failed  error
}

// targetOf finds the rule of a path, which may have no .fuin.yaml.
// Kustomizations are not asked yet: they cost a walk through the repository.
func (u *ui) targetOf(path string) (*target, error) {
	real, s, err := u.around(path)
	if err != nil {
		return nil, err
	}
	r, err := u.repository(s)
	if err != nil {
		return nil, err
	}
	t := &target{path: path, real: real, repository: r, tree: s.tree}
	if r != nil {
		t.name, _ = nameIn(r.root, real)
		t.rule, t.ruled = r.config.RuleFor(t.name)
	}
	return t, nil
}

// clusters are those that values at the path are sealed for. It is an error if
// no rule names one.
func (t *target) clusters() ([]string, error) {
	file := t.repository.file()
	switch {
	case !t.ruled:
		return nil, misuse("add one, as {path: "+ruleFor(t.name)+", clusters: […]}, or name a key: -r FILE",
			"no rule of %s is for %s", file, t.name)
	case len(t.rule.Clusters) == 0:
		return nil, misuse("add clusters: […] to it, or name a key: -r FILE",
			"the rule of %s line %d, which is for %s, names no cluster", file, t.rule.Line, t.name)
	}
	return t.rule.Clusters, nil
}

// ruleFor suggests a pattern: the directories of a path.
func ruleFor(name string) string {
	if dir := filepath.ToSlash(filepath.Dir(name)); dir != "." {
		return dir + "/**"
	}
	return `"**"`
}

// recipients are the keys of the clusters and the recovery keys: a value can be
// sealed to all of them. Expired certificates are errors unless now is zero.
func (r *repository) recipients(clusters []string, now time.Time) ([]*keys.Recipient, error) {
	var out []*keys.Recipient
	for _, name := range clusters {
		rs, err := r.config.Recipients(name, r.files, now)
		if err != nil {
			return nil, r.located(err)
		}
		out = append(out, rs...)
	}
	if out = distinct(out); len(out) > 0 && out[0].Kind().Age() {
		out = distinct(slices.Concat(out, r.config.Recovery))
	}
	if err := keys.Compatible(out); err != nil {
		err = fmt.Errorf("sealing for %s at once: %w", strings.Join(clusters, ", "), err)
		return nil, &named{r.file(), &fault{err, cmp.Or(hintOf(err), "give each a rule of its own"), exitError}}
	}
	return out, nil
}
