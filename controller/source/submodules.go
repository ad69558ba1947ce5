package source

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/config"
)

// The bounds of submodules.
const (
	maxSubmodules  = 64 // of one repository
	maxNested      = 4  // repositories in each other
	maxModulesFile = 256 << 10
	modulesFile    = ".gitmodules"
)

// addSubmodules fetches the submodules of a checkout and lets its files lead
// into them. Each is asked for anew: who may read a repository may not be
// allowed to read what it names.
func (s *Store) addSubmodules(ctx context.Context, t *target, c *Checkout) error {
	top := *c.Files.(*snapshot)
	links := gitlinks(top.root, "", nil)
	if len(links) == 0 {
		return nil
	}
	if len(links) > maxSubmodules || t.depth >= maxNested {
		return fail(TooLarge, "", "the repository has more than %d submodules, or has them nested more than %d deep", maxSubmodules, maxNested)
	}
	urls, err := top.moduleURLs()
	if err != nil {
		return err
	}
	top.mounts = map[string]*snapshot{}
	for at, link := range links {
		sub, err := s.submodule(ctx, t, at, link, urls[at])
		if err != nil {
			return err
		}
		c.held = append(c.held, sub.held...)
		top.mount(at, sub.Files.(*snapshot))
		if top.size > s.limits.pack {
			return fail(TooLarge, "", "the repository and its submodules are larger than %d MiB", s.limits.pack>>20)
		}
	}
	c.Files = &top
	return nil
}

// gitlinks finds the submodules of a tree, by path.
func gitlinks(n *node, at string, found map[string]*node) map[string]*node {
	if found == nil {
		found = map[string]*node{}
	}
	for _, child := range n.children {
		where := join(at, child.name)
		switch {
		case child.isSubmodule():
			found[where] = child
		case child.mode.IsDir():
			gitlinks(child, where, found)
		}
	}
	return found
}

// moduleURLs reads .gitmodules: the URLs of submodules by path, as they stand there.
func (s *snapshot) moduleURLs() (map[string]string, error) {
	info, err := s.Lstat(modulesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxModulesFile {
		return nil, fail(Malformed, "", "%s is not a file of at most %d KiB", modulesFile, maxModulesFile>>10)
	}
	data, err := s.ReadFile(modulesFile)
	if err != nil {
		return nil, err
	}
	modules := config.NewModules()
	if err := modules.Unmarshal(data); err != nil {
		return nil, fail(Unsupported, "", "%s cannot be read", modulesFile).because(err)
	}
	urls := map[string]string{}
	for _, m := range modules.Submodules {
		urls[path.Clean(m.Path)] = m.URL
	}
	return urls, nil
}

// submodule fetches one. Its errors name its path, and no URL: that may hold
// a password.
func (s *Store) submodule(ctx context.Context, parent *target, at string, link *node, raw string) (*Checkout, error) {
	if raw == "" {
		return nil, fail(Unsupported, "add it there, or remove the submodule", "submodule %q has no url in %s", at, modulesFile)
	}
	g := Git{URL: absolute(parent.url, raw), Ref: Ref{Commit: link.hash.String()}, Submodules: true}
	if u, err := checkURL(g.URL); err == nil && confides(parent.url, u) {
		g.Auth = parent.Auth
	}
	t, err := g.check()
	if err == nil {
		t.depth = parent.depth + 1
		var c *Checkout
		if c, err = s.fetch(ctx, t); err == nil {
			return c, nil
		}
	}
	if known, ok := errors.AsType[*Error](err); ok {
		inner := *known
		inner.Message = fail(inner.Reason, "", "submodule %q: %s", at, known.Message).Message
		return nil, &inner
	}
	return nil, err
}

// confides tells whether credentials for one URL may be shown at another: the
// same host and port, and not in the clear if they were not before.
func confides(from, to *url.URL) bool {
	return from.Scheme == to.Scheme && strings.EqualFold(from.Host, to.Host)
}

// absolute resolves what stands in .gitmodules: ./ and ../ are relative to the
// repository, HOST:PATH is SSH.
func absolute(parent *url.URL, raw string) string {
	switch {
	case strings.HasPrefix(raw, "./"), strings.HasPrefix(raw, "../"):
		u := *parent
		u.RawPath, u.Path = "", path.Join("/", u.Path, raw)
		return u.String()
	case !strings.Contains(raw, "://"):
		host, rest, scp := strings.Cut(raw, ":")
		if scp && !strings.Contains(host, "/") {
			return "ssh://" + host + "/" + strings.TrimPrefix(rest, "/")
		}
	}
	return raw
}

// mount lets a path lead into another snapshot, and into those mounted there.
func (s *snapshot) mount(at string, sub *snapshot) {
	here, root := *sub, *sub.root
	root.name = path.Base(at)
	here.root = &root
	s.mounts[at] = &here
	s.size += sub.size
	for below, nested := range sub.mounts {
		s.mounts[join(at, below)] = nested
	}
}
