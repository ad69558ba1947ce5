package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"fuin.dev/check"
	"fuin.dev/config"
	"fuin.dev/render"
	"golang.org/x/sync/errgroup"
)

// rendered checks what directories render to: those that check.render of
// .fuin.yaml names, or else every kustomization that no other one includes.
func (c *checkRun) rendered(ctx context.Context) ([]check.Finding, error) {
	root, err := os.OpenRoot(c.root)
	if err != nil {
		return nil, fileError(c.root, err)
	}
	defer root.Close()
	dirs, err := c.renderedDirectories(ctx, root)
	if err != nil || len(dirs) == 0 {
		return nil, err
	}
	sandbox := render.NewPool(render.Config{})
	defer sandbox.Close()
	all := make([]check.Rendered, len(dirs))
	failed := make([]*check.Finding, len(dirs))
	bar := c.u.progress("rendering", len(dirs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, dir := range dirs {
		g.Go(func() (err error) {
			defer bar.step()
			all[i], failed[i], err = c.renderOne(ctx, sandbox, root, dir)
			return err
		})
	}
	err = g.Wait()
	bar.end()
	if err != nil {
		return nil, err
	}
	var findings []check.Finding
	for _, f := range failed {
		if f != nil {
			findings = append(findings, *f)
		}
	}
	all = slices.DeleteFunc(all, func(one check.Rendered) bool { return one.Set == nil })
	findings = append(findings, check.Directories(all, c.locate(root))...)
	return slices.DeleteFunc(findings, func(f check.Finding) bool { return !c.concerns(f) || c.allows(f) }), nil
}

// concerns reports whether a finding is about what was asked for. All
// directories are rendered all the same: one may hold what another needs.
func (c *checkRun) concerns(f check.Finding) bool {
	return slices.ContainsFunc(c.files, func(file checkedFile) bool {
		return file.name == f.File || path.Dir(file.name) == f.Directory
	})
}

// allows reports what check.allow lets pass.
func (c *checkRun) allows(f check.Finding) bool {
	known, err := c.configuredFor(f.File)
	return err == nil && known.config != nil && known.config.Check.Allows(strings.TrimPrefix(f.File, known.prefix), f.Rule)
}

// renderOne returns a finding for a directory that does not render.
func (c *checkRun) renderOne(ctx context.Context, sandbox *render.Pool, root *os.Root, dir string) (check.Rendered, *check.Finding, error) {
	one, err := c.renderedFor(dir)
	if err != nil {
		return one, nil, err
	}
	set, err := sandbox.Directory(ctx, render.Directory{Files: root.FS(), Path: dir})
	var d *render.DirectoryError
	if errors.As(err, &d) {
		at := d.File
		if at == "" {
			at = dir
		}
		return one, &check.Finding{
			File: at, Directory: dir, Line: max(d.Line, 1), Rule: check.RenderFailed, Severity: check.Error, Hint: d.Hint(),
			Message: fmt.Sprintf("%s does not render: %s", dir, d.Message),
		}, nil
	}
	one.Set = set
	return one, nil, err
}

// renderedFor is a directory with its cluster and namespace, by the rules.
func (c *checkRun) renderedFor(dir string) (check.Rendered, error) {
	one := check.Rendered{Directory: dir}
	known, err := c.configuredFor(path.Join(dir, "x"))
	if err == nil && known.config != nil {
		rule, _ := known.config.RuleFor(strings.TrimPrefix(dir, known.prefix))
		one.Cluster, one.Namespace = strings.Join(rule.Clusters, ", "), rule.Namespace
	}
	return one, err
}

// renderedDirectories are those of the whole work tree.
func (c *checkRun) renderedDirectories(ctx context.Context, root *os.Root) ([]string, error) {
	tree := checkRun{u: c.u, root: c.root, git: c.git}
	if err := tree.tree(ctx, c.root); err != nil {
		return nil, err
	}
	dirs := map[string]bool{}
	named := false
	for _, file := range tree.files {
		known, err := c.configuredFor(file.name)
		if err != nil {
			return nil, err
		}
		if known.config == nil || len(known.config.Check.Render) == 0 {
			continue
		}
		named = true
		dir := path.Dir(file.name)
		if inside, ok := strings.CutPrefix(dir+"/", known.prefix); ok && known.config.Renders(path.Clean(inside)) {
			dirs[dir] = true
		}
	}
	if !named {
		if err := tree.kustomized(root, dirs); err != nil {
			return nil, err
		}
	}
	var out []string
	for dir := range dirs {
		out = append(out, dir)
	}
	slices.Sort(out)
	return out, nil
}

// kustomized adds the directories that nothing includes, of all that reach a
// file that is checked.
func (c *checkRun) kustomized(root *os.Root, dirs map[string]bool) error {
	all, err := config.ReadKustomizations(root.FS())
	if err != nil {
		return err
	}
	for _, file := range c.files {
		placings, err := all.Placings(file.name, nil)
		if err != nil {
			return err
		}
		for _, p := range placings {
			dirs[p.Top] = true
		}
	}
	return nil
}

// locate finds objects in the work tree's files.
func (c *checkRun) locate(root *os.Root) func(file, kind, namespace, name string) check.Located {
	read := map[string][]byte{}
	return func(file, kind, namespace, name string) check.Located {
		data, ok := read[file]
		if !ok {
			if info, err := root.Stat(file); err == nil && info.Mode().IsRegular() && info.Size() <= check.MaxFile {
				data, _ = root.ReadFile(file)
			}
			read[file] = data
		}
		return check.Locate(data, kind, namespace, name)
	}
}
