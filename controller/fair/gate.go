package fair

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// A Gate lets a few callers through at a time, tenant by tenant.
type Gate struct {
	roomy bool // a tenant has as many places as are free, as in a Queue

	mu    sync.Mutex
	free  int
	held  map[string]int             // places, by tenant
	lines map[string][]chan struct{} // who waits, by tenant
	order []string                   // tenants with a line, the next one first
}

// NewGate makes a gate for work of which each piece is short: it lets so many
// through at a time, whoever they are.
func NewGate(places int) *Gate {
	return &Gate{free: places, held: map[string]int{}, lines: map[string][]chan struct{}{}}
}

// NewRoomyGate makes a gate for work that can take long: a tenant may hold as
// many places as are free, so that there is one for a newcomer.
func NewRoomyGate(places int) *Gate {
	g := NewGate(places)
	g.roomy = true
	return g
}

// Enter waits for a place; Leave gives it back. The error is ctx's, and then
// there is no place.
func (g *Gate) Enter(ctx context.Context, tenant string) error {
	g.mu.Lock()
	if g.may(tenant) && len(g.lines[tenant]) == 0 {
		g.take(tenant)
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

// may reports whether the tenant can have a place now.
func (g *Gate) may(tenant string) bool {
	return g.free > 0 && (!g.roomy || g.held[tenant] < g.free)
}

func (g *Gate) take(tenant string) {
	g.free--
	g.held[tenant]++
}

// giveUp leaves the line, or the place that was handed over meanwhile.
func (g *Gate) giveUp(tenant string, turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.lines[tenant], turn)
	if i < 0 {
		g.give(tenant)
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

// Leave gives the tenant's place to whoever is next.
func (g *Gate) Leave(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.give(tenant)
}

func (g *Gate) give(tenant string) {
	g.free++
	if g.held[tenant]--; g.held[tenant] == 0 {
		delete(g.held, tenant)
	}
	for i := slices.IndexFunc(g.order, g.may); i >= 0; i = slices.IndexFunc(g.order, g.may) {
		next := g.order[i]
		line := g.lines[next]
		g.take(next)
		g.order = append(slices.Delete(g.order, i, i+1), next)
		g.setLine(next, line[1:])
		close(line[0])
	}
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
	g.Leave(tenant)
	return g.Enter(ctx, tenant)
}
