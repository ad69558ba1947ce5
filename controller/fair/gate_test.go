package fair_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"fuin.dev/controller/fair"
)

func TestGateLetsAFewThrough(t *testing.T) {
	g := fair.NewGate(2)
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			tenant := string(rune('a' + i%5))
			if err := g.Enter(t.Context(), tenant); err != nil {
				t.Error(err)
				return
			}
			n := inside.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			inside.Add(-1)
			g.Leave(tenant)
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d were inside", most.Load())
	}
}

// One caller of a tenant waits for one of another at most, however long the
// other's line.
func TestGateTakesTenantsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fair.NewGate(1)
		if err := g.Enter(t.Context(), "hog"); err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 10)
		enter := func(tenant string) {
			go func() {
				if g.Enter(t.Context(), tenant) == nil {
					order <- tenant
				}
			}()
			synctest.Wait()
		}
		for range 3 {
			enter("hog")
		}
		enter("other")
		inside := "hog"
		for _, want := range []string{"hog", "other", "hog", "hog"} {
			g.Leave(inside)
			if inside = <-order; inside != want {
				t.Errorf("%s went, want %s", inside, want)
			}
		}
	})
}

func TestGateYieldsToWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fair.NewGate(1)
		if err := errors.Join(g.Enter(t.Context(), "a"), g.Yield(t.Context(), "a")); err != nil {
			t.Fatal(err)
		}
		went := false
		go func() {
			_ = g.Enter(t.Context(), "b")
			went = true
			g.Leave("b")
		}()
		synctest.Wait()
		if err := g.Yield(t.Context(), "a"); err != nil || !went {
			t.Errorf("b went: %v, %v", went, err)
		}
		g.Leave("a")
	})
}

func TestGateLosesNoPlaceWithACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fair.NewGate(1)
		_ = g.Enter(t.Context(), "a")
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { gone <- g.Enter(ctx, "b") }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		g.Leave("a")
		if err := g.Enter(t.Context(), "c"); err != nil { // would block for ever
			t.Error(err)
		}
	})
}

// Where work takes long, a tenant leaves a place for a newcomer.
func TestRoomyGateKeepsAPlaceForANewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fair.NewRoomyGate(2)
		inside := make(chan string, 3)
		enter := func(tenant string) {
			go func() {
				if g.Enter(t.Context(), tenant) == nil {
					inside <- tenant
				}
			}()
			synctest.Wait()
		}
		enter("hog")
		enter("hog")
		if n := len(inside); n != 1 {
			t.Errorf("the hog has %d of 2 places", n)
		}
		enter("other")
		if n := len(inside); n != 2 {
			t.Error("another tenant found no place")
		}
		g.Leave("other")
		g.Leave("hog")
		synctest.Wait()
		if n := len(inside); n != 3 {
			t.Error("who waited was forgotten")
		}
	})
}
