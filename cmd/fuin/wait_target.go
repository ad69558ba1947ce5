package main

import (
	"cmp"
	"context"
	"errors"
	"path"
	"strings"
)

// targets finds the Environments that the argument means, and what to wait for
// in each. The scope has them all.
func (f *waitFlags) targets(ctx context.Context, u *ui, argument string) (*cluster, scope, []*waiting, error) {
	if isDirectory(argument) {
		c, s, waits, err := f.ofDirectory(ctx, u, argument)
		if err == nil || !mayBeName(argument) {
			return c, s, waits, err
		}
		if c, s, waits, named := f.ofName(ctx, u, argument); named == nil {
			return c, s, waits, nil
		}
		return nil, s, nil, err
	}
	return f.ofName(ctx, u, argument)
}

// mayBeName reports whether an argument could be an Environment's name, too.
func mayBeName(argument string) bool {
	for part := range strings.SplitSeq(argument, "/") {
		if !dnsName().MatchString(part) {
			return false
		}
	}
	return strings.Count(argument, "/") < 2
}

func (f *waitFlags) ofName(ctx context.Context, u *ui, argument string) (*cluster, scope, []*waiting, error) {
	c, s, err := f.at.dial(argument)
	if err != nil {
		return nil, s, nil, err
	}
	all, _, err := c.environments(ctx, s)
	if err == nil {
		err = s.needSome(c, all)
	}
	if err != nil {
		return nil, s, nil, err
	}
	tree, err := openWorktree(ctx, ".")
	if err != nil && !errors.Is(err, errNoWorktree) {
		return nil, s, nil, err
	}
	if git := all[0].Spec.Source.Git; tree != nil && (git == nil || !tree.from(git.URL)) {
		tree = nil
	}
	waits, err := f.waits(ctx, u, tree, all)
	return c, scope{all[0].Metadata.Namespace, all[0].Metadata.Name}, waits, err
}

func (f *waitFlags) ofDirectory(ctx context.Context, u *ui, dir string) (*cluster, scope, []*waiting, error) {
	tree, err := openWorktree(ctx, dir)
	if errors.Is(err, errNoWorktree) {
		return nil, scope{}, nil, failAt(dir, "name the environment: fuin wait NAMESPACE/NAME", "%w", err)
	}
	if err != nil {
		return nil, scope{}, nil, err
	}
	c, s, err := f.at.dial("")
	if err != nil {
		return nil, s, nil, err
	}
	all, _, err := c.environments(ctx, s)
	if err != nil {
		return nil, s, nil, err
	}
	found, err := tree.environments(c, all)
	if err != nil {
		return nil, s, nil, err
	}
	if len(found) == 1 {
		s = scope{found[0].Metadata.Namespace, found[0].Metadata.Name}
	}
	waits, err := f.waits(ctx, u, tree, found)
	return c, s, waits, err
}

// environments are those that apply the directory: of a remote of the work
// tree, if one is known.
func (w *worktree) environments(c *cluster, all []environment) ([]environment, error) {
	var found, elsewhere []environment
	for _, e := range all {
		git := e.Spec.Source.Git
		switch {
		case path.Clean(cmp.Or(e.Spec.Path, ".")) != w.path:
		case git != nil && w.hasRemote() && !w.from(git.URL):
			elsewhere = append(elsewhere, e)
		default:
			found = append(found, e)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case len(elsewhere) > 0:
		e := elsewhere[0]
		return nil, failAt(w.dir, "fuin wait "+e.String()+", if it is the same", "%s: %s applies %s, but of %s, which is no remote here",
			c, e.String(), w.path, clean(e.Spec.source().URL))
	}
	return nil, failAt(w.dir, "fuin status -A -o json tells what each applies; -A looks into all namespaces",
		"%s: no environment applies %s", c, w.path)
}

// waits are begun for Environments, with what is known of their repository.
func (f *waitFlags) waits(ctx context.Context, u *ui, tree *worktree, all []environment) ([]*waiting, error) {
	commit, err := f.commit(ctx, tree)
	if err != nil {
		return nil, err
	}
	out := make([]*waiting, 0, len(all))
	for _, e := range all {
		w := &waiting{title: e.String(), commit: commit, until: f.until.value, tree: tree}
		if e.Spec.Source.Git == nil && f.revision == "" {
			w.commit = "" // its directory may be a work tree, but it has no commit
		}
		what := "what its spec asks for"
		if w.commit != "" {
			what = "commit " + shortCommit(w.commit)
		}
		u.note("waiting for %s: %s %s", w.title, what, w.until)
		out = append(out, w)
	}
	return out, nil
}

// commit is the one to wait for; "" is whatever the spec asks for.
func (f *waitFlags) commit(ctx context.Context, tree *worktree) (string, error) {
	switch {
	case f.revision == "" && tree == nil:
		return "", nil
	case f.revision == "":
		return tree.head, nil
	case strings.Contains(f.revision, "@sha1:"):
		return commitOf(f.revision), nil
	}
	if tree == nil {
		if here, err := openWorktree(ctx, "."); err == nil {
			tree = here
		}
	}
	if tree != nil {
		if commit := tree.resolve(ctx, f.revision); commit != "" {
			return commit, nil
		}
	}
	if commit := strings.ToLower(f.revision); isCommit().MatchString(commit) {
		return commit, nil
	}
	return "", misuse("give a commit of seven characters at least", "--revision %q: no commit, and the name of none in the work tree", f.revision)
}
