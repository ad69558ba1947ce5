package source_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

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
		files, err := filepath.Glob(filepath.Join(dir, "sources-*", "objects-*"))
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

// What a killed process left is removed, and what another one has is not.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"sources-left/objects-1", "mine"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	newStore(t, source.Config{Dir: dir})
	newStore(t, source.Config{Dir: dir})
	if places, _ := filepath.Glob(filepath.Join(dir, "sources-*")); len(places) != 2 {
		t.Errorf("two stores have %v", places)
	}
	if _, err := os.Stat(filepath.Join(dir, "sources-left")); err == nil {
		t.Error("what was left is there still")
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
		files, err := filepath.Glob(filepath.Join(dir, "sources-*", "objects-*"))
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
