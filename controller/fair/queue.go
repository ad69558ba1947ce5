// Package fair shares what is scarce between tenants, so that no one of them
// keeps the others waiting: workers by a [Queue], processors by a [Gate].
package fair

import (
	"slices"
	"sync"
)

// A Queue hands out items tenant by tenant, and is otherwise a work queue as
// client-go's: an item waits once, however often it is added, and is never
// handed out twice at the same time. It is a workqueue.TypedInterface.
//
// A tenant may occupy as many workers as are free: half of them if it is alone,
// a quarter if another has half. So there is always one left for a newcomer.
type Queue[T comparable] struct {
	tenantOf func(T) string
	isLate   func(T) bool // reports whether an item stands behind its tenant's others
	free     int          // workers

	mu      sync.Mutex
	changed *sync.Cond
	tenants map[string]*tenant[T]
	order   []*tenant[T] // those with waiting items, the next one first
	dirty   map[T]bool   // added, and not handed out since
	working map[T]bool   // handed out, and not done
	ending  bool
}

// tenant is who waits, and how many workers it occupies.
type tenant[T comparable] struct {
	name        string
	prompt      []T
	late        []T
	busy, turns int
}

// lateTurn is how often a late item goes first, so that a tenant who never
// rests gets to it.
const lateTurn = 32

// NewQueue makes a queue for that many workers. Both functions are called with
// the queue locked.
func NewQueue[T comparable](workers int, tenantOf func(T) string, isLate func(T) bool) *Queue[T] {
	q := &Queue[T]{
		tenantOf: tenantOf, isLate: isLate, free: workers,
		tenants: map[string]*tenant[T]{}, dirty: map[T]bool{}, working: map[T]bool{},
	}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// Add makes an item wait, unless it does already; one that is being worked on
// waits from when it is done.
func (q *Queue[T]) Add(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ending || q.dirty[item] {
		return
	}
	q.dirty[item] = true
	if !q.working[item] {
		q.push(item)
	}
}

// push puts an item at the end of its tenant's line.
func (q *Queue[T]) push(item T) {
	name := q.tenantOf(item)
	t := q.tenants[name]
	if t == nil {
		t = &tenant[T]{name: name}
		q.tenants[name] = t
	}
	if t.waiting() == 0 {
		q.order = append(q.order, t)
	}
	if q.isLate(item) {
		t.late = append(t.late, item)
	} else {
		t.prompt = append(t.prompt, item)
	}
	q.changed.Signal()
}

func (t *tenant[T]) waiting() int { return len(t.prompt) + len(t.late) }

// Get waits for an item. The caller must call Done with it.
func (q *Queue[T]) Get() (item T, shutdown bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		i := slices.IndexFunc(q.order, func(t *tenant[T]) bool { return t.busy < q.free })
		switch {
		case i >= 0:
			return q.take(i), false
		case q.ending && len(q.order) == 0:
			return item, true
		}
		q.changed.Wait()
	}
}

// take hands out the next item of the tenant at i, who then goes to the end.
func (q *Queue[T]) take(i int) T {
	t := q.order[i]
	q.order = slices.Delete(q.order, i, i+1)
	item := t.next()
	if t.waiting() > 0 {
		q.order = append(q.order, t)
	}
	t.busy++
	q.free--
	delete(q.dirty, item)
	q.working[item] = true
	return item
}

func (t *tenant[T]) next() (item T) {
	t.turns++
	line := &t.prompt
	if len(t.prompt) == 0 || len(t.late) > 0 && t.turns%lateTurn == 0 {
		line = &t.late
	}
	item, *line = (*line)[0], (*line)[1:]
	if len(*line) == 0 {
		*line = nil // and with it what was handed out
	}
	return item
}

// Done says that the work on an item ended. If it was added meanwhile, it
// waits again.
func (q *Queue[T]) Done(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.working[item] {
		return
	}
	delete(q.working, item)
	t := q.tenants[q.tenantOf(item)]
	t.busy--
	q.free++
	if q.dirty[item] {
		q.push(item)
	}
	if t.busy == 0 && t.waiting() == 0 {
		delete(q.tenants, t.name)
	}
	if len(q.dirty)+len(q.working) == 0 {
		q.dirty, q.working = map[T]bool{}, map[T]bool{} // a map that once was large stays so
	}
	q.changed.Broadcast()
}

// Len is how many items wait.
func (q *Queue[T]) Len() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.order {
		n += t.waiting()
	}
	return n
}

// ShutDown takes no more items and lets those that wait be got.
func (q *Queue[T]) ShutDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ending = true
	q.changed.Broadcast()
}

// ShutDownWithDrain is ShutDown, and waits until all work is done.
func (q *Queue[T]) ShutDownWithDrain() {
	q.ShutDown()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.order)+len(q.working) > 0 {
		q.changed.Wait()
	}
}

// ShuttingDown tells whether ShutDown was called.
func (q *Queue[T]) ShuttingDown() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ending
}
