package source

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// repository is what is kept of one URL. Its fields, and those of its
// generations, are guarded by the Store, but what is said to be the turn's.
type repository struct {
	store   *Store
	turn    chan struct{} // holds a token while somebody writes
	users   int           // calls that are under way
	used    time.Time     // when the last one ended
	current *generation
}

// maxKnown is how many objects all repositories may have, above which unused
// ones are removed: each costs some 80 bytes of memory.
const maxKnown = 1_000_000

// enter returns the repository of a URL, which stays until leave.
func (s *Store) enter(url string) *repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repositories[url]
	if r == nil {
		r = &repository{store: s, turn: make(chan struct{}, 1)}
		s.repositories[url] = r
	}
	r.users++
	return r
}

func (s *Store) leave(r *repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.users--
	r.used = s.config.Now()
}

// obtain returns what a job asks for, from the cache or from the server.
func (r *repository) obtain(ctx context.Context, j *job) (*Checkout, error) {
	if c := r.cached(j); c != nil {
		return c, nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	g, fresh, err := r.generation()
	if err != nil {
		return nil, err
	}
	c, err := r.update(ctx, j, g)
	if err == nil || fresh || !doubtful(err) {
		return c, err
	}
	// What was kept may be to blame: begin anew, once.
	if g, err = r.replace(g); err != nil {
		return nil, err
	}
	if err := j.again(ctx); err != nil {
		return nil, err
	}
	return r.update(ctx, j, g)
}

// cached returns a checkout if the caller may have it and it is there.
func (r *repository) cached(j *job) *Checkout {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	g := r.current
	if g == nil || g.db.damaged.Load() || !j.found.listed && !g.proved[j.proof()] {
		return nil
	}
	commit, err := g.db.peel(j.found.object)
	if err != nil || g.snapshots[commit] == nil {
		return nil
	}
	return r.checkout(g, j, g.snapshots[commit])
}

// checkout makes a checkout that holds its generation. The caller holds the lock.
func (r *repository) checkout(g *generation, j *job, snap *snapshot) *Checkout {
	if j.target.Ref.Commit != "" {
		g.prove(j.proof())
	}
	g.refs++
	f := j.found
	f.commit = snap.hash
	return &Checkout{Revision: f.revision(), Commit: snap.info, Files: snap, store: r.store, held: []*generation{g}}
}

// generation returns the one to write to, and whether it is new.
func (r *repository) generation() (*generation, bool, error) {
	r.store.mu.Lock()
	g := r.current
	r.store.mu.Unlock()
	if g != nil && !g.db.damaged.Load() && g.db.bytes() <= 4*g.first+slack {
		return g, false, nil
	}
	g, err := r.replace(g)
	return g, true, err
}

// replace begins anew.
func (r *repository) replace(old *generation) (*generation, error) {
	db, err := newDatabase(r.store.dir)
	if err != nil {
		return nil, err
	}
	g := &generation{db: db, snapshots: map[plumbing.Hash]*snapshot{}, proved: map[proof]bool{}}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.current = g
	return g, old.retire()
}

// update makes the job's commit one of the snapshots, and returns it. The
// caller has the turn.
func (r *repository) update(ctx context.Context, j *job, g *generation) (*Checkout, error) {
	if !r.holds(ctx, j, g) {
		if err := j.download(ctx, g); err != nil {
			return nil, err
		}
	}
	commit, err := g.db.peel(j.found.object)
	if err != nil {
		return nil, err
	}
	snap, err := r.snapshot(ctx, g, commit)
	if err != nil {
		return nil, err
	}
	g.have(commit, !j.search)
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	g.keep(snap)
	return r.checkout(g, j, snap), nil
}

// holds reports whether all is there, and the caller may see it: a reference
// leads to it, or the history of one does.
func (r *repository) holds(ctx context.Context, j *job, g *generation) bool {
	if _, ok := g.db.find(j.found.object); !ok {
		return false
	}
	if j.found.listed {
		return true
	}
	r.store.mu.Lock()
	proved := g.proved[j.proof()]
	r.store.mu.Unlock()
	return proved || g.db.reaches(ctx, j.tips(), j.found.object)
}

func (r *repository) snapshot(ctx context.Context, g *generation, h plumbing.Hash) (*snapshot, error) {
	r.store.mu.Lock()
	known := g.snapshots[h]
	r.store.mu.Unlock()
	if known != nil {
		return known, nil
	}
	commit, err := g.db.commit(h)
	if err != nil {
		return nil, err
	}
	tree, err := commit.hash("tree")
	if err != nil {
		return nil, err
	}
	snap, err := g.db.tree(ctx, tree, r.store.limits.pack)
	if err != nil {
		return nil, err
	}
	snap.hash, snap.info = h, commit.describe(h)
	return snap, nil
}

// doubtful tells an error that another database may not give.
func doubtful(err error) bool {
	_, known := errors.AsType[*Error](err)
	return !known && !errors.Is(err, errSearch) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// close removes everything. The caller holds the lock.
func (r *repository) close() error {
	if r.current == nil {
		return nil
	}
	g := r.current
	r.current, g.refs = nil, 0
	return g.retire()
}

// known returns the repository of that name, if there is one.
func (s *Store) known(key string) *repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repositories[key]
}

// sweep removes repositories that nobody uses: those not asked for in a long
// time, and while there is too much, the longest unused.
func (s *Store) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bytes, objects int64
	var unused []string
	for key, r := range s.repositories {
		b, n := r.weight()
		bytes, objects = bytes+b, objects+n
		if r.users == 0 && (r.current == nil || r.current.refs == 0) {
			unused = append(unused, key)
		}
	}
	slices.SortFunc(unused, func(a, b string) int {
		return s.repositories[a].used.Compare(s.repositories[b].used)
	})
	for _, key := range unused {
		r := s.repositories[key]
		if bytes <= s.config.MaxTotal && objects <= maxKnown && s.config.Now().Sub(r.used) <= s.config.MaxIdle {
			continue
		}
		b, n := r.weight()
		bytes, objects = bytes-b, objects-n
		_ = r.close()
		delete(s.repositories, key)
	}
}

// weight is what a repository takes on disk and in memory.
func (r *repository) weight() (bytes, objects int64) {
	if r.current == nil {
		return 0, 0
	}
	db := r.current.db
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.size, int64(len(db.at))
}
