package source

import (
	"io/fs"
	"sync"
)

// Checkout is a revision, for reading.
type Checkout struct {
	// Revision as Flux writes them: BRANCH@sha1:COMMIT, TAG@sha1:COMMIT, or
	// sha1:COMMIT where a commit was asked for; local@sha256:DIGEST for a
	// directory.
	Revision string
	Commit   Commit
	// Files are those of the commit. Symbolic links are followed inside of it.
	// It is also an fs.ReadDirFS, fs.ReadFileFS, fs.StatFS and fs.ReadLinkFS,
	// and may be read by several goroutines, until Release.
	Files fs.FS

	once  sync.Once
	store *Store
	held  []*generation
}

// Release tells that the files are no longer read. Calling it again is
// harmless.
func (c *Checkout) Release() {
	c.once.Do(func() { c.store.release(c.held) })
}

// share returns the same checkout, with a Release of its own.
func (c *Checkout) share() *Checkout {
	c.store.retain(c.held)
	return &Checkout{Revision: c.Revision, Commit: c.Commit, Files: c.Files, store: c.store, held: c.held}
}

func (s *Store) retain(held []*generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range held {
		g.refs++
	}
}

func (s *Store) release(held []*generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range held {
		if g.refs--; g.refs == 0 && g.retired {
			_ = g.db.close()
		}
	}
}

// revision writes what a Ref came to.
func (f found) revision() string {
	if f.name == "" {
		return "sha1:" + f.commit.String()
	}
	return f.name + "@sha1:" + f.commit.String()
}
