package fair

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// A Gate lets a few callers through at a time, tenant by tenant. The zero value
// lets nobody through: use [NewGate].
type Gate struct {
	mu    sync.Mutex
	free  int
	lines map[string][]chan struct{} // who waits, by tenant
	order []string                   // tenants with a line, the next one first
}

// NewGate makes a gate that lets so many through at a time.
func NewGate(places int) *Gate {
	return &Gate{free: places, lines: map[string][]chan struct{}{}}
}

// Enter waits for a place; Leave gives it back. The error is ctx's, and then
// there is no place.
func (g *Gate) Enter(ctx context.Context, tenant string) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if len(g.lines[tenant]) == 0 {
		g.order = append(g.order, tenant)
	}
	g.lines[tenant] = append(g.lines[tenant], turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.giveUp(tenant, turn)
		return ctx.Err()
	}
}

// giveUp leaves the line, or the place that was handed over meanwhile.
func (g *Gate) giveUp(tenant string, turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.lines[tenant], turn)
	if i < 0 {
		g.handOver()
		return
	}
	g.setLine(tenant, slices.Delete(g.lines[tenant], i, i+1))
}

// setLine keeps order in step with the lines.
func (g *Gate) setLine(tenant string, line []chan struct{}) {
	if len(line) > 0 {
		g.lines[tenant] = line
		return
	}
	delete(g.lines, tenant)
	if i := slices.Index(g.order, tenant); i >= 0 {
		g.order = slices.Delete(g.order, i, i+1)
	}
}

// Leave gives a place to whoever is next.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handOver()
}

func (g *Gate) handOver() {
	if len(g.order) == 0 {
		g.free++
		return
	}
	tenant := g.order[0]
	line := g.lines[tenant]
	g.order = append(g.order[1:], tenant)
	g.setLine(tenant, line[1:])
	close(line[0])
}

// Yield lets those who wait go first: between two pieces of work it costs
// next to nothing if nobody does. On an error the place is lost.
func (g *Gate) Yield(ctx context.Context, tenant string) error {
	g.mu.Lock()
	alone := len(g.order) == 0
	g.mu.Unlock()
	if alone {
		runtime.Gosched() // answers of the API server may wait for this processor
		return nil
	}
	g.Leave()
	return g.Enter(ctx, tenant)
}
