// Package source fetches revisions of Git repositories, and of directories of
// this machine, for reading:
//
//	store, err := source.New(source.Config{Dir: cache})
//	defer store.Close()
//	checkout, err := store.Fetch(ctx, source.Git{URL: url, Ref: source.Ref{Branch: "main"}, Auth: auth})
//	defer checkout.Release()
//	data, err := fs.ReadFile(checkout.Files, "base/kustomization.yaml")
//
// Repositories are hostile. All that they send is bounded, nothing of it is
// written but as bytes of one file, and no path or symbolic link leads out of
// the tree. Nothing of a repository is handed to anybody who has not just
// listed its references with credentials of their own.
//
// Files that Git LFS keeps elsewhere are the pointers that stand in the
// repository: they are not fetched.
package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Config says how a [Store] works. Only Dir is required.
type Config struct {
	// Dir is where the cache lies, in a directory of its own that New makes and
	// Close removes. What a process that was killed left behind, the next one
	// removes and does not trust. Several may share Dir.
	Dir string
	// MaxSize of what a server sends of one repository, and of all files of one
	// revision, in bytes. One file may have a quarter of it, and is held in
	// memory while it is read. Default: 256 MiB.
	MaxSize int64
	// MaxTotal of the cache; what nobody uses is removed above it, the longest
	// unused first. Default: 2 GiB.
	MaxTotal int64
	// MaxIdle is after how long a repository is removed that nobody asks for.
	// Default: 1 hour.
	MaxIdle time.Duration
	// Timeout of one Fetch, with everything in it. Default: 2 minutes.
	Timeout time.Duration
	// LocalRoot is the directory below which Local may read; "" is none.
	LocalRoot string
	// Now is the time by which keys expire. Default: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.MaxSize <= 0 {
		c.MaxSize = 256 << 20
	}
	if c.MaxTotal <= 0 {
		c.MaxTotal = 2 << 30
	}
	if c.MaxIdle <= 0 {
		c.MaxIdle = time.Hour
	}
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Store fetches repositories, and keeps what it fetched. It may be used by
// several goroutines.
type Store struct {
	config     Config
	dir        string
	kept       *os.File // keeps dir to this process
	limits     limits
	flights    *flights
	transports transports
	unpacking  chan struct{} // holds a token for each pack that is
	cancel     context.CancelFunc

	mu           sync.Mutex // also of what repositories say is theirs
	repositories map[string]*repository
}

// maxUnpacking is how many packs are unpacked at a time: each may take much
// memory, and one processor.
const maxUnpacking = 2

// New makes a Store with an empty cache.
func New(config Config) (*Store, error) {
	config = config.withDefaults()
	if config.Dir == "" {
		return nil, errors.New("no directory for the cache of sources")
	}
	dir, kept, err := newPlace(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("making a place for sources: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Store{
		config: config, dir: dir, kept: kept, limits: newLimits(config.MaxSize),
		flights: newFlights(ctx), unpacking: make(chan struct{}, maxUnpacking), cancel: cancel, repositories: map[string]*repository{},
	}, nil
}

// Close ends all calls and removes the cache. Checkouts cannot be read after it.
func (s *Store) Close() error {
	s.cancel()
	s.flights.wait()
	s.transports.mu.Lock()
	s.transports.closeAll()
	s.transports.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, r := range s.repositories {
		errs = append(errs, r.close())
	}
	clear(s.repositories)
	return errors.Join(append(errs, os.RemoveAll(s.dir), s.kept.Close())...)
}

// Fetch returns the newest revision that a Git names. It asks the server each
// time, and transfers only what is new. Errors are ctx's or an [*Error].
func (s *Store) Fetch(ctx context.Context, g Git) (*Checkout, error) {
	t, err := g.check()
	if err != nil {
		return nil, err
	}
	return s.flights.do(ctx, t.key(), func(ctx context.Context) (*Checkout, error) {
		ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
		c, err := s.fetch(ctx, t)
		s.sweep()
		return c, err
	})
}

// fetch is all of it: ask, transfer, verify, and the same for submodules.
func (s *Store) fetch(ctx context.Context, t *target) (*Checkout, error) {
	c, err := s.revision(ctx, t)
	if err != nil {
		return nil, explain(ctx, t.url.Host, err)
	}
	if t.Submodules {
		if err := s.addSubmodules(ctx, t, c); err != nil {
			c.Release()
			return nil, explain(ctx, t.url.Host, err)
		}
	}
	return c, nil
}

func (s *Store) revision(ctx context.Context, t *target) (*Checkout, error) {
	job, err := s.ask(ctx, t)
	if err != nil {
		return nil, err
	}
	defer job.close()
	c, err := s.obtain(ctx, job)
	if err != nil {
		return nil, err
	}
	if c.Commit.Signer, err = t.verify(c.held[0].db, job.found, s.config.Now()); err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

// obtain returns what a job asks for from the repository of its URL. Where the
// history of branches has to be searched, that gets a repository of its own,
// so that others do not wait for it.
func (s *Store) obtain(ctx context.Context, j *job) (*Checkout, error) {
	aside := j.target.URL + " " + j.found.object.String()
	if r := s.known(j.target.URL); r != nil {
		if c := r.cached(j); c != nil {
			return c, nil
		}
	}
	if j.found.listed || s.known(aside) == nil {
		c, err := s.repository(ctx, j.target.URL, j)
		if !errors.Is(err, errSearch) {
			return c, err
		}
		if err := j.again(ctx); err != nil {
			return nil, err
		}
	}
	j.search = true
	return s.repository(ctx, aside, j)
}

func (s *Store) repository(ctx context.Context, key string, j *job) (*Checkout, error) {
	r := s.enter(key)
	defer s.leave(r)
	return r.obtain(ctx, j)
}
