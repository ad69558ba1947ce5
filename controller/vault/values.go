package vault

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// lingering is how long a value stays after it was last used.
	lingering = 15 * time.Second
	// lingeringMost is how long it stays at most, once nobody of its namespace
	// is reading.
	lingeringMost = time.Minute
	// failureFor is how long a failed reading answers for the same question.
	failureFor = time.Second
	// maxLingering bounds what is kept of a connection, in bytes.
	maxLingering = 16 << 20
)

// reading names what is read, and for whom: nothing is shared between accounts.
type reading struct {
	namespace string
	account   types.UID
	what      string
}

// values are what was read, for as long as the Secrets of a pass may ask for it.
type values struct {
	most time.Duration // that a value stays, whoever is reading

	mu     sync.Mutex
	by     map[reading]*entry
	size   int
	active map[string]int // calls under way, by namespace
	timer  *time.Timer    // the next sweep; nil if nothing is kept
}

// entry is a reading under way, or its outcome.
type entry struct {
	began   time.Time
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int

	// Set before done is closed.
	object object
	err    error
	used   time.Time // guarded by values
}

func newValues(interval time.Duration) *values {
	return &values{most: interval / 2, by: map[reading]*entry{}, active: map[string]int{}}
}

// begin and end enclose a call of a namespace: what it reads stays as long as
// others of the same pass are at it.
func (v *values) begin(namespace string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.active[namespace]++
}

func (v *values) end(namespace string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.active[namespace]--; v.active[namespace] == 0 {
		delete(v.active, namespace)
	}
}

// get returns what read returns, which is done once for all who ask while it is
// under way or stays. What began before since does not count.
func (v *values) get(ctx context.Context, key reading, since time.Time, read func(context.Context) (object, error)) (object, error) {
	e := v.join(ctx, key, since, read)
	defer v.leave(key, e)
	select {
	case <-e.done:
		return e.object, e.err
	case <-ctx.Done():
		return object{}, ctx.Err()
	}
}

func (v *values) join(ctx context.Context, key reading, since time.Time, read func(context.Context) (object, error)) *entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if e := v.by[key]; e != nil && !e.began.Before(since) && v.stays(key, e, now) {
		e.waiting++
		if !e.finished() || e.err == nil { // what failed does not stay for being asked
			e.used = now
		}
		return e
	}
	v.remove(key)
	// It is done for others, too, whatever becomes of this caller.
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &entry{began: now, done: make(chan struct{}), cancel: cancel, waiting: 1, used: now}
	v.by[key] = e
	go v.run(within, key, e, read)
	return e
}

func (v *values) run(ctx context.Context, key reading, e *entry, read func(context.Context) (object, error)) {
	defer e.cancel()
	e.object, e.err = read(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	close(e.done)
	if v.by[key] != e {
		return // somebody wanted it newer, or it was dropped
	}
	if ctx.Err() != nil || v.size+len(e.object.data) > maxLingering {
		delete(v.by, key) // those who wait have it
		return
	}
	v.size += len(e.object.data)
	e.used = time.Now()
	if v.timer == nil {
		v.timer = time.AfterFunc(lingering, v.sweep)
	}
}

// leave is what everybody does who joined. A reading that nobody waits for ends.
func (v *values) leave(key reading, e *entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.waiting--; e.waiting > 0 || e.finished() {
		return
	}
	e.cancel()
	if v.by[key] == e {
		delete(v.by, key)
	}
}

func (e *entry) finished() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// stays reports whether an entry answers still.
func (v *values) stays(key reading, e *entry, now time.Time) bool {
	age, idle := now.Sub(e.began), now.Sub(e.used)
	switch {
	case !e.finished():
		return true
	case e.err != nil:
		return idle < failureFor
	case v.active[key.namespace] > 0:
		return age < v.most
	}
	return idle < lingering && age < min(v.most, lingeringMost)
}

// remove takes an entry out; one under way goes on for those who wait.
func (v *values) remove(key reading) {
	if e := v.by[key]; e != nil {
		if e.finished() {
			v.size -= len(e.object.data)
		}
		delete(v.by, key)
	}
}

// sweep removes what stays no longer.
func (v *values) sweep() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for key, e := range v.by {
		if !v.stays(key, e, now) {
			v.remove(key)
		}
	}
	v.timer = nil
	if len(v.by) > 0 {
		v.timer = time.AfterFunc(lingering/3, v.sweep)
	}
}

// drop removes what was read for a namespace; "" is all of them.
func (v *values) drop(namespace string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key := range v.by {
		if namespace == "" || key.namespace == namespace {
			v.remove(key)
		}
	}
}

// clear removes all and stops.
func (v *values) clear() {
	v.drop("")
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.timer != nil {
		v.timer.Stop()
		v.timer = nil
	}
}

// passes are when each namespace reads again.
type passes struct {
	mu   sync.Mutex
	next map[string]time.Time
}

// forgetIdle drops namespaces that did not read since.
func (p *passes) forgetIdle(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.next, func(_ string, next time.Time) bool { return next.Before(before) })
}

// of returns when the namespace's values are to be read again: one instant for
// all of its Secrets, until it has come.
func (p *passes) of(namespace string, interval time.Duration) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.next == nil {
		p.next = map[string]time.Time{}
	}
	if next, ok := p.next[namespace]; ok && now.Before(next) {
		return next
	}
	p.next[namespace] = now.Add(jittered(interval))
	return p.next[namespace]
}
