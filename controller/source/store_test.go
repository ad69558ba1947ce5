package source_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

// gate is a server in front of another that holds requests back.
type gate struct {
	http.Handler
	arrived chan struct{} // gets one for each request
	open    chan struct{}
}

func newGate(t *testing.T, h http.Handler) (*gate, string) {
	g := &gate{h, make(chan struct{}, 1000), make(chan struct{})}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return g, server.URL + "/team/app.git"
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.arrived <- struct{}{}
	select {
	case <-g.open:
		g.Handler.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// Fifty that ask at once cost two listings: the first one's, and one that
// begins after the others asked.
func TestCallersShareAnAnswer(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	g, url := newGate(t, w.server)
	var callers sync.WaitGroup
	ask := func() {
		c, err := w.store.Fetch(t.Context(), source.Git{URL: url})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Release()
		if w.read(c, "a") != "1" {
			t.Error("not what was pushed")
		}
	}
	callers.Go(ask)
	<-g.arrived
	for range 49 {
		callers.Go(ask)
	}
	time.AfterFunc(100*time.Millisecond, func() { close(g.open) })
	callers.Wait()
	// One that came late may have asked once more.
	if n := w.repo.Listings(); n > 3 || w.repo.Fetches() != 1 {
		t.Errorf("%d listings and %d fetches", n, w.repo.Fetches())
	}
}

// What was pushed before a call is in its answer, though an older answer was on
// its way.
func TestAnswersAreNotStale(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	release := make(chan struct{})
	listed := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.server.ServeHTTP(rw, r)
		if r.Method == http.MethodGet {
			listed <- struct{}{}
			<-release // the answer is made, and not yet sent
		}
	}))
	defer server.Close()
	url := server.URL + "/team/app.git"
	fetch := func() string {
		c, err := w.store.Fetch(t.Context(), source.Git{URL: url})
		if err != nil {
			t.Error(err)
			return ""
		}
		defer c.Release()
		return c.Revision
	}
	var first, second string
	var callers sync.WaitGroup
	callers.Go(func() { first = fetch() })
	<-listed
	hash := w.write(map[string]string{"a": "2"})
	callers.Go(func() { second = fetch() })
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	callers.Wait()
	if second != "main@sha1:"+hash || first == "" {
		t.Errorf("got %s, then %s; want %s", first, second, hash)
	}
}

// Work goes on while somebody waits, and ends when nobody does.
func TestCallersWhoLeave(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	g, url := newGate(t, w.server)
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var gone, stays error
	callers.Go(func() { _, gone = w.store.Fetch(ctx, source.Git{URL: url}) })
	<-g.arrived
	callers.Go(func() {
		var c *source.Checkout
		if c, stays = w.store.Fetch(t.Context(), source.Git{URL: url}); stays == nil {
			c.Release()
		}
	})
	cancel() // the one who began
	<-g.arrived
	close(g.open)
	callers.Wait()
	if !errors.Is(gone, context.Canceled) || stays != nil {
		t.Errorf("got %v and %v", gone, stays)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	dir := t.TempDir()
	store, err := source.New(source.Config{Dir: dir})
	w.ok(err)
	g, url := newGate(t, w.server)
	done := make(chan error)
	go func() {
		_, err := store.Fetch(t.Context(), source.Git{URL: url})
		done <- err
	}()
	<-g.arrived
	w.ok(store.Close())
	if err := <-done; err == nil {
		t.Error("a call went on")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestOutage(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	kept := w.fetch(w.git())
	w.server.Pause()
	w.refused(w.git(), source.Unreachable) // nothing is served that nobody vouches for
	w.refused(w.ssh(), source.Unreachable)
	if w.read(kept, "a") != "1" {
		t.Error("a checkout cannot be read in an outage")
	}
	w.ok(w.server.Resume())
	w.fetch(w.git())
	w.fetch(w.ssh())
	if w.repo.Fetches() != 2 {
		t.Errorf("%d fetches; what was there is fetched again", w.repo.Fetches())
	}
}

// A cache that something damaged is noticed when it is read, and made again.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, source.Config{Dir: dir})
	for name, damage := range map[string]func(file string) error{
		"cut off": func(file string) error { return os.Truncate(file, 10) },
		"zeroes":  func(file string) error { return os.WriteFile(file, make([]byte, 1000), 0o600) },
	} {
		w.write(map[string]string{"a": name, "b": "2"})
		c, err := w.store.Fetch(t.Context(), w.git())
		w.ok(err)
		files, err := filepath.Glob(filepath.Join(dir, "sources", "objects-*"))
		w.ok(err)
		if len(files) != 1 {
			t.Fatalf("the cache is %v", files)
		}
		w.ok(damage(files[0]))
		if data, err := readAll(c, "a"); err == nil {
			t.Errorf("%s: got %q", name, data)
		}
		c.Release()
		c, err = w.store.Fetch(t.Context(), w.git())
		w.ok(err)
		if w.read(c, "a") != name || w.read(c, "b") != "2" {
			t.Errorf("%s: got %s", name, c.Revision)
		}
		c.Release()
	}
}

// What a killed process left is not read.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sources"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sources/objects-1", "mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newStore(t, source.Config{Dir: dir})
	if left, _ := os.ReadDir(filepath.Join(dir, "sources")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "mine")); err != nil {
		t.Error("what is not the store's was removed")
	}
	if _, err := source.New(source.Config{}); err == nil {
		t.Error("a store without a directory")
	}
}

func TestEviction(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	now := time.Now()
	w := newWorld(t, source.Config{Dir: dir, MaxTotal: 3 << 20, MaxIdle: time.Hour, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}})
	cached := func() int {
		files, err := filepath.Glob(filepath.Join(dir, "sources", "objects-*"))
		w.ok(err)
		return len(files)
	}
	var held *source.Checkout
	for i := range 6 {
		repo := w.server.New(t, fmt.Sprint("r", i))
		_, err := repo.Commit(t.Context(), gittest.Commit{Files: map[string]string{"f": string(repeat(1 << 20)), "n": fmt.Sprint(i)}})
		w.ok(err)
		c, err := w.store.Fetch(t.Context(), source.Git{URL: repo.URL()})
		w.ok(err)
		if i == 0 {
			held = c
		} else {
			c.Release()
			c.Release() // which is harmless
		}
	}
	if n := cached(); n < 2 || n > 4 {
		t.Errorf("%d repositories are kept", n)
	}
	if w.read(held, "n") != "0" {
		t.Error("what is in use was removed")
	}
	held.Release()
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	w.write(map[string]string{"a": "1"})
	w.fetch(w.git())
	if n := cached(); n != 1 {
		t.Errorf("%d repositories are kept, want the one in use", n)
	}
}

// Many callers, repositories and revisions at a time.
func TestConcurrency(t *testing.T) {
	w := newWorld(t, source.Config{MaxTotal: 1}) // everything unused goes at once
	var repos []*gittest.Repo
	for i := range 4 {
		repos = append(repos, w.server.New(t, fmt.Sprint("r", i)))
	}
	var callers sync.WaitGroup
	for _, repo := range repos {
		_, err := repo.Commit(t.Context(), gittest.Commit{Files: map[string]string{"n": "0"}})
		w.ok(err)
		callers.Go(func() {
			for n := 1; n < 6; n++ {
				if _, err := repo.Commit(t.Context(), gittest.Commit{Files: map[string]string{"n": fmt.Sprint(n)}}); err != nil {
					t.Error(err)
				}
			}
		})
		for range 3 {
			callers.Go(func() {
				for range 8 {
					c, err := w.store.Fetch(t.Context(), source.Git{URL: repo.URL(), Submodules: true})
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := readAll(c, "n"); err != nil {
						t.Error(err)
					}
					c.Release()
				}
			})
		}
	}
	callers.Wait()
}
