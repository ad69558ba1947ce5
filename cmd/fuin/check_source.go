package main

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"fuin.dev/check"
	"fuin.dev/config"
	"fuin.dev/seal"
	"golang.org/x/sync/errgroup"
)

// A checkRun is a run of fuin check: the files to check, and how they are read.
type checkRun struct {
	u     *ui
	root  string // that names of files are relative to, absolute
	git   bool   // it is the root of a Git work tree
	files []checkedFile

	blobs       *gitBlobs    // of --staged and --history
	index       *stagedIndex // of --staged
	mu          sync.Mutex
	byDirectory map[string]*configured // by names from the root
	byRoot      map[string]*configured // by directories of .fuin.yaml
}

// A checkedFile is one version of a file.
type checkedFile struct {
	name        string // relative to the root, with slashes
	path        string // to read, of a file of the work tree; "-" is standard input
	blob        string // its hash, of one that Git keeps
	before      string // hash of the blob that it replaces; "" is none
	commit      string // that added it, of a check of history
	foundByWalk bool
}

// configured is what a directory's .fuin.yaml gives a check.
type configured struct {
	config   *config.Config // nil: there is none
	prefix   string         // of names below it
	clusters map[string][]string
	former   map[string][]config.Former
}

// source finds the files to check.
func (f *checkFlags) source(ctx context.Context, u *ui, args []string) (*checkRun, error) {
	here, err := realPath(".")
	if err != nil {
		return nil, fileError(".", err)
	}
	c := &checkRun{u: u, root: here, byDirectory: map[string]*configured{}, byRoot: map[string]*configured{}}
	if root, ok := gitRoot(here); ok {
		c.root, c.git = root, true
	} else if dir, err := config.Find(here); err == nil {
		c.root = dir
	}
	pushed := ""
	if f.staged {
		pushed = pushedRange(u.getenv)
	}
	switch {
	case (f.staged || f.history != "") && !c.git:
		return nil, fail("run it in one", "no git work tree here")
	case pushed != "":
		err = c.history(ctx, pushed, args)
	case f.staged:
		if err = c.staged(ctx, args); err != nil && c.blobs != nil {
			c.blobs.close()
		}
	case f.history != "":
		err = c.history(ctx, f.history, args)
	case len(args) == 0:
		err = c.tree(ctx, c.root)
	default:
		err = c.paths(ctx, args)
	}
	return c, err
}

// pushedRange is what is about to be pushed, where the pre-commit program runs
// its hooks before a push: nothing is staged then. It is "" elsewhere.
func pushedRange(getenv func(string) string) string {
	from, to := getenv("PRE_COMMIT_FROM_REF"), getenv("PRE_COMMIT_TO_REF")
	switch {
	case from != "" && to != "":
		return from + ".." + to
	case getenv("PRE_COMMIT_REMOTE_NAME") != "":
		return "HEAD" // to a repository that has nothing of it
	}
	return ""
}

// gitRoot is the nearest directory upwards with .git.
func gitRoot(dir string) (string, bool) {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
		dir = filepath.Dir(dir)
	}
}

// paths are those of the arguments.
func (c *checkRun) paths(ctx context.Context, args []string) error {
	for _, arg := range args {
		info, err := statArgument(arg)
		switch {
		case err != nil:
			return err
		case info != nil && info.IsDir():
			dir, err := realPath(arg)
			if err == nil {
				err = c.tree(ctx, dir)
			}
			if err != nil {
				return err
			}
		default:
			c.add(checkedFile{name: c.nameOf(arg), path: arg})
		}
	}
	return nil
}

// nameOf is a file's name from the root; of one outside, as it was given.
func (c *checkRun) nameOf(arg string) string {
	if arg == "-" {
		return arg
	}
	real, err := realPath(arg)
	if err != nil {
		return filepath.ToSlash(arg)
	}
	rel, err := filepath.Rel(c.root, real)
	if err != nil || !filepath.IsLocal(rel) {
		return filepath.ToSlash(arg)
	}
	return filepath.ToSlash(rel)
}

func (c *checkRun) add(file checkedFile) { c.files = append(c.files, file) }

// tree adds all files below a directory that Git does not ignore.
func (c *checkRun) tree(ctx context.Context, dir string) error {
	if !c.git {
		return c.walk(dir)
	}
	names, err := gitFiles(ctx, dir)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(c.root, dir)
	if err != nil {
		return fileError(dir, err)
	}
	for _, name := range names {
		c.add(checkedFile{name: path.Join(filepath.ToSlash(rel), name), path: filepath.Join(dir, filepath.FromSlash(name)), foundByWalk: true})
	}
	return nil
}

// walk adds all files below a directory that is in no Git work tree. What is
// hidden is read, too, but for directories as .terraform.
func (c *checkRun) walk(dir string) error {
	return filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return fileError(file, err)
		case d.IsDir() && file != dir && strings.HasPrefix(d.Name(), ".") && d.Name() != ".github":
			return filepath.SkipDir
		case d.Type().IsRegular():
			rel, err := filepath.Rel(c.root, file)
			if err != nil {
				return fileError(file, err)
			}
			c.add(checkedFile{name: filepath.ToSlash(rel), path: file, foundByWalk: true})
		}
		return nil
	})
}

// run checks all files, several at a time.
func (c *checkRun) run(ctx context.Context) ([]check.Finding, error) {
	if c.blobs != nil {
		defer c.blobs.close()
	}
	reports := make([]check.Report, len(c.files))
	bar := c.u.progress("checking", len(c.files))
	defer collectLess(c.u, len(c.files))()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0) + 1) // while one waits for the disk, others work
	for i, file := range c.files {
		g.Go(func() (err error) {
			defer bar.step()
			if err = ctx.Err(); err == nil {
				reports[i], err = c.one(ctx, file)
			}
			return err
		})
	}
	err := g.Wait()
	bar.end()
	if err != nil {
		return nil, err
	}
	var all []check.Finding
	for i, report := range reports {
		if report.Passed != "" {
			c.u.warn(c.shown(c.files[i].name), "%s", report.Passed)
		}
		all = append(all, report.Findings...)
	}
	return all, nil
}

func (c *checkRun) one(ctx context.Context, file checkedFile) (check.Report, error) {
	data, before, err := c.read(ctx, file)
	if data == nil || err != nil {
		return check.Report{}, err
	}
	known, err := c.configuredFor(file.name)
	if err != nil {
		return check.Report{}, err
	}
	name := strings.TrimPrefix(file.name, known.prefix)
	checker := check.Checker{Config: known.config, Clusters: known.clusters, Former: known.former}
	checker.Exists = func(name string) bool { return c.exists(file, known.prefix+name) }
	checker.Final = func(_ string, scope seal.Scope, at check.Place) (check.Place, bool) { return c.final(file, scope, at) }
	report := checker.File(name, data, before)
	for i := range report.Findings {
		report.Findings[i].File, report.Findings[i].Commit = file.name, file.commit
	}
	return report, nil
}

// read returns nil for what is no file any more, or never was one.
func (c *checkRun) read(ctx context.Context, file checkedFile) (data, before []byte, err error) {
	switch {
	case file.blob != "":
		return c.blobs.pair(file.blob, file.before)
	case file.path == "-":
		data, err = c.u.readStdin(ctx, "manifests", check.MaxFile)
	case file.foundByWalk:
		if info, err := os.Lstat(file.path); err != nil || !info.Mode().IsRegular() {
			return nil, nil, nil // a link, a submodule, or deleted and not yet staged
		}
		fallthrough
	default:
		data, err = readFile(ctx, file.path, check.MaxFile)
	}
	if data == nil && err == nil {
		data = []byte{}
	}
	return data, nil, err
}

// configuredFor is what the .fuin.yaml of a file says; never nil.
func (c *checkRun) configuredFor(name string) (*configured, error) {
	dir := path.Dir(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.byDirectory[dir]; known != nil {
		return known, nil
	}
	r, err := c.u.repositoryAt(filepath.Join(c.root, filepath.FromSlash(dir)))
	if err != nil {
		return nil, err
	}
	known := &configured{}
	if r != nil {
		known = c.configure(r)
	}
	c.byDirectory[dir] = known
	return known, nil
}

func (c *checkRun) configure(r *repository) *configured {
	if known := c.byRoot[r.root]; known != nil {
		return known
	}
	known := &configured{config: r.config, clusters: r.config.Holders(r.files), former: r.config.Former(r.files)}
	if rel, err := filepath.Rel(c.root, r.root); err == nil && rel != "." && filepath.IsLocal(rel) {
		known.prefix = filepath.ToSlash(rel) + "/"
	}
	c.byRoot[r.root] = known
	return known
}

// final asks the kustomizations of the work tree, which are read once.
func (c *checkRun) final(file checkedFile, scope seal.Scope, at check.Place) (final check.Place, ok bool) {
	if file.path == "-" {
		return at, true
	}
	t, err := c.u.targetOf(filepath.Join(c.root, filepath.FromSlash(file.name)))
	if err != nil {
		return at, false
	}
	final.Namespace, final.Name, err = t.final(scope, at.Namespace, at.Name)
	return final, err == nil
}

// exists reports whether a name is a file that is checked, too.
func (c *checkRun) exists(file checkedFile, name string) bool {
	switch {
	case c.index != nil:
		return c.index.exists(name)
	case c.blobs != nil:
		return c.blobs.exists(file.commit, name)
	case !c.git:
		info, err := os.Stat(filepath.Join(c.root, filepath.FromSlash(name)))
		return err == nil && info.Mode().IsRegular()
	}
	return isTracked(c.root, name)
}

// shown is a file as people name it where they stand.
func (c *checkRun) shown(name string) string {
	if name == "-" {
		return stdinName
	}
	here, err := realPath(".")
	if err != nil {
		return name
	}
	rel, err := filepath.Rel(here, filepath.Join(c.root, filepath.FromSlash(name)))
	if err != nil || !filepath.IsLocal(rel) {
		return name
	}
	return rel
}
