package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"unicode/utf8"

	"fuin.dev/controller/parts"
	"github.com/go-git/go-git/v5/plumbing"
)

// Local returns a directory as it is now, without what is called .git. The
// directory is below Config.LocalRoot, relative to it or absolute. Symbolic
// links are kept, and lead nowhere outside. Errors are ctx's or an [*Error].
func (s *Store) Local(ctx context.Context, dir string) (*Checkout, error) {
	name, err := s.localName(dir)
	if err != nil {
		return nil, err
	}
	return s.flights.do(ctx, digest("local", name), func(ctx context.Context) (*Checkout, error) {
		ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
		c, err := s.local(ctx, name)
		s.sweep()
		return c, err
	})
}

// localName is a path relative to the root.
func (s *Store) localName(dir string) (string, error) {
	root := s.config.LocalRoot
	if root == "" {
		return "", fail(Unsupported, "start the controller with --source-root", "no directory of this machine may be a source")
	}
	if filepath.IsAbs(dir) {
		relative, err := filepath.Rel(root, dir)
		if err != nil {
			relative = ".."
		}
		dir = relative
	}
	if dir = filepath.Clean(dir); !filepath.IsLocal(dir) {
		return "", fail(InvalidURL, "name one that is", "the directory is not below the root of local sources")
	}
	return dir, nil
}

func (s *Store) local(ctx context.Context, name string) (*Checkout, error) {
	r := s.enter("local:" + name)
	defer s.leave(r)
	r.turn <- struct{}{} // flights let in one at a time
	defer func() { <-r.turn }()
	top, err := os.OpenRoot(s.config.LocalRoot)
	if err != nil {
		return nil, localError("the root of local sources", err)
	}
	defer top.Close()
	dir, err := top.OpenRoot(name)
	if err != nil {
		return nil, localError("directory "+printable(name), err)
	}
	defer dir.Close()
	g, _, err := r.generation()
	if err != nil {
		return nil, explain(ctx, "", err)
	}
	return r.copyLocal(ctx, g, dir)
}

func localError(what string, err error) error {
	reason, hint := PathNotFound, ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(reason, "check its name", "%s does not exist", what).because(err)
	case errors.Is(err, fs.ErrPermission):
		hint = "let the controller read it"
	}
	return fail(reason, hint, "%s cannot be read", what).because(err)
}

// copier copies a directory into a database.
type copier struct {
	walker
	dir    *os.Root
	batch  *batch
	limits limits
	sum    hash.Hash
}

func (r *repository) copyLocal(ctx context.Context, g *generation, dir *os.Root) (*Checkout, error) {
	b, err := g.db.begin()
	if err != nil {
		return nil, explain(ctx, "", err)
	}
	l := r.store.limits
	c := &copier{walker: walker{ctx: ctx, db: g.db, max: l.pack}, dir: dir, batch: b, limits: l, sum: sha256.New()}
	root := &node{name: ".", mode: fs.ModeDir | 0o755}
	if err = c.fill(root, ".", 0); err == nil {
		err = b.commit()
	}
	if err != nil {
		return nil, explain(ctx, "the directory", err)
	}
	if g.first == 0 {
		g.first = g.db.bytes()
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	g.refs++
	return &Checkout{
		Revision: "local@sha256:" + hex.EncodeToString(c.sum.Sum(nil)),
		Files:    &snapshot{db: g.db, root: root, size: c.bytes},
		store:    r.store, held: []*generation{g},
	}, nil
}

func (c *copier) fill(n *node, at string, depth int) error {
	if depth > maxDepth {
		return fail(TooLarge, "", "the directory is nested more than %d deep", maxDepth)
	}
	entries, err := fs.ReadDir(c.dir.FS(), at)
	if err != nil {
		return localError("directory "+printable(at), err)
	}
	for _, e := range entries {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if e.Name() == ".git" {
			continue
		}
		if !utf8.ValidString(e.Name()) {
			n.odd = true
			continue
		}
		if c.entries++; c.entries > maxEntries {
			return fail(TooLarge, "", "the directory has more than %d files", maxEntries)
		}
		child := &node{name: e.Name(), mode: e.Type()}
		if err := c.take(child, path.Join(at, e.Name()), depth); err != nil {
			return err
		}
		n.children = append(n.children, child)
	}
	return sortUnique(n.children, at)
}

// take copies one entry of whatever kind.
func (c *copier) take(n *node, at string, depth int) error {
	switch n.mode.Type() {
	case fs.ModeDir:
		n.mode |= 0o755
		c.note(at, n.mode, nil)
		return c.fill(n, at, depth+1)
	case fs.ModeSymlink:
		n.mode |= 0o777
		target, err := c.dir.Readlink(filepath.FromSlash(at))
		if err != nil {
			return localError("link "+printable(at), err)
		}
		return c.store(n, at, []byte(target))
	case 0:
		n.mode = 0o644
		content, err := c.read(at)
		if err != nil {
			return err
		}
		return c.store(n, at, content)
	}
	return fail(Unsupported, "remove it", "%s is neither a file nor a directory", printable(at))
}

// read reads a file, which may have become a pipe in the meantime.
func (c *copier) read(at string) ([]byte, error) {
	f, err := c.dir.OpenFile(filepath.FromSlash(at), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, localError("file "+printable(at), err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, localError("file "+printable(at), errors.Join(fs.ErrInvalid, err))
	}
	content, err := io.ReadAll(io.LimitReader(f, c.limits.object+1))
	switch {
	case err != nil:
		return nil, localError("file "+printable(at), err)
	case int64(len(content)) > c.limits.object:
		return nil, fail(TooLarge, "", "file %s is larger than %d MiB", printable(at), c.limits.object>>20)
	}
	return content, nil
}

func (c *copier) store(n *node, at string, content []byte) error {
	n.size = int64(len(content))
	if c.bytes += n.size; c.bytes > c.max {
		return fail(TooLarge, "", "the directory is larger than %d MiB", c.max>>20)
	}
	c.note(at, n.mode, content)
	n.hash = plumbing.ComputeHash(plumbing.BlobObject, content)
	if _, known := c.db.find(n.hash); known || c.batch.has(n.hash) {
		return nil
	}
	c.batch.add(n.hash, plumbing.BlobObject, n.size)
	_, err := c.batch.out.Write(content)
	return err
}

// note adds an entry to the digest of all, so that no two trees have the same.
func (c *copier) note(at string, mode fs.FileMode, content []byte) {
	parts.Write(c.sum, []byte(at), []byte(mode.String()), content)
}
