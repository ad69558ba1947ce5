package roll

import (
	"maps"
	"slices"
	"sync"
	"time"

	"fuin.dev/render"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Bounds of a burst of changes, which makes one roll: it is over after a quiet
// time, and is cut when it does not end.
const (
	quiet    = 500 * time.Millisecond
	burstFor = 5 * time.Second
)

// request names a workload.
type request struct {
	kind schema.GroupKind
	types.NamespacedName
}

// source names a Secret or ConfigMap.
type source struct {
	kind string
	types.NamespacedName
}

// index knows which workloads name what, and which of them wait for the end of
// a burst. Only workloads that asked for it are in it.
type index struct {
	mu     sync.Mutex
	names  map[request][]source
	users  map[source]map[request]bool
	bursts map[request]*burst
}

// burst are changes that come close together.
type burst struct {
	first, last time.Time
	changed     []source // some of them, for people
}

func newIndex() *index {
	return &index{names: map[request][]source{}, users: map[source]map[request]bool{}, bursts: map[request]*burst{}}
}

// put says what a workload names now.
func (x *index) put(r request, uses []render.Use) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drop(r)
	seen := map[source]bool{}
	for _, use := range uses {
		s := source{use.Kind, types.NamespacedName{Namespace: r.Namespace, Name: use.Name}}
		if use.Pull || seen[s] {
			continue
		}
		seen[s] = true
		if x.users[s] == nil {
			x.users[s] = map[request]bool{}
		}
		x.users[s][r] = true
	}
	x.names[r] = slices.Collect(maps.Keys(seen))
}

// forget takes a workload out.
func (x *index) forget(r request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drop(r)
	delete(x.bursts, r)
}

func (x *index) drop(r request) {
	for _, s := range x.names[r] {
		delete(x.users[s], r)
		if len(x.users[s]) == 0 {
			delete(x.users, s)
		}
	}
	delete(x.names, r)
}

// has reports whether a workload is in it.
func (x *index) has(r request) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.names[r]
	return ok
}

// changed notes a change of a source, and lists the workloads that name it.
func (x *index) changed(s source, now time.Time) []request {
	x.mu.Lock()
	defer x.mu.Unlock()
	users := slices.Collect(maps.Keys(x.users[s]))
	for _, r := range users {
		b := x.touch(r, now)
		if len(b.changed) < 3 && !slices.Contains(b.changed, s) {
			b.changed = append(b.changed, s)
		}
	}
	return users
}

// edited notes a change of a workload itself.
func (x *index) edited(r request, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.touch(r, now)
}

func (x *index) touch(r request, now time.Time) *burst {
	b := x.bursts[r]
	if b == nil {
		b = &burst{first: now}
		x.bursts[r] = b
	}
	b.last = now
	return b
}

// settle is how long a workload's burst still takes; once that is nothing, the
// burst is over, and what changed in it is returned.
func (x *index) settle(r request, now time.Time) (wait time.Duration, changed []source) {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := x.bursts[r]
	if b == nil {
		return 0, nil
	}
	wait = min(b.last.Add(quiet).Sub(now), b.first.Add(burstFor).Sub(now))
	if wait > 0 {
		return wait, nil
	}
	delete(x.bursts, r)
	return 0, b.changed
}
