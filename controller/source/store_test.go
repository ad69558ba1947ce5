package source_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

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
	time.AfterFunc(500*time.Millisecond, func() { close(g.open) })
	callers.Wait()
	// On a busy machine some come late, and ask once more.
	if n := w.repo.Listings(); n > 10 || w.repo.Fetches() != 1 {
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
