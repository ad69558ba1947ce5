package controller

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fair"
	"fuin.dev/controller/vault"
	"fuin.dev/render/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readings is what is known of the references of each SealedSecret: when they
// are to be read again, and what was read and waits to be put to use. Vault may
// take long, so that reading goes on beside the workers of the queue.
type readings struct {
	again func(types.NamespacedName) // has an object looked at now
	gate  *fair.Gate                 // bounds what is read at a time, and what was read and is not put to use
	began time.Time

	mu    sync.Mutex
	of    map[types.NamespacedName]*reading
	ready chan struct{} // closed when ctx is there
	ctx   context.Context
	ended bool
	group sync.WaitGroup
}

// reading is of one SealedSecret with one spec.
type reading struct {
	uid    types.UID
	spec   string        // its digest
	done   chan struct{} // closed when what is being read is there; nil if nothing is
	result *result       // not put to use yet
	failed *failure      // of the last try, nil if it was none
	told   bool          // the failure was reported
	tries  int           // that failed, one after the other
	last   time.Time     // when it was last read without failure
	rest   *atRest       // what it takes to tell that nothing changed, nil if that is not known
	due    time.Time     // when it is to be read again, zero if at once
}

// atRest is what a Secret was made of that is as it should be.
type atRest struct {
	refs []reference.Reference
	mac  string // of their values
}

// maxResting is how many references an object may have that are kept in memory while
// it rests: for one with more, the API server is asked each time.
const maxResting = 100

// restingAt keeps references without the text that they were read from.
func restingAt(refs []reference.Reference, mac string) *atRest {
	kept := slices.Clone(refs)
	for i := range kept {
		one := &kept[i]
		one.Path, one.Pointer, one.Parameters = strings.Clone(one.Path), strings.Clone(one.Pointer), maps.Clone(one.Parameters)
	}
	return &atRest{kept, mac}
}

// result is what Vault answered.
type result struct {
	of         map[string]vault.Value // by how the reference is written
	at         time.Time
	next, ends time.Time
}

// maxReading is of how many SealedSecrets values are read, or wait to be put to use,
// at a time: it bounds the memory that they take. One namespace has at most half of
// it. The resolver bounds what of that reaches a Vault.
const maxReading = 64

// readWithin bounds one reading of all references of an object, turns included.
const readWithin = 10 * time.Minute

// maxHeld is how long what was read may wait to be put to use.
const maxHeld = 10 * time.Minute

// Back-off of references that could not be read. The resolver has its own for
// a Vault that is down, and has waiters woken when it answers again.
const (
	rereadBase = time.Second
	rereadMax  = 30 * time.Second
)

func newReadings(again func(types.NamespacedName)) *readings {
	return &readings{
		again: again, gate: fair.NewRoomyGate(maxReading), began: time.Now(),
		of: map[types.NamespacedName]*reading{}, ready: make(chan struct{}),
	}
}

// Start lets reading go on until ctx ends, on the replica that leads.
func (r *readings) Start(ctx context.Context) error {
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	close(r.ready)
	<-ctx.Done()
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.group.Wait()
	return nil
}

// get is a copy of what is known of an object as it is.
func (r *readings) get(ss *bitnami.SealedSecret) reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *r.entry(ss)
}

// entry is for who holds the lock. Of another spec nothing is known.
func (r *readings) entry(ss *bitnami.SealedSecret) *reading {
	name := client.ObjectKeyFromObject(ss)
	one := r.of[name]
	if one == nil || one.uid != ss.UID || one.spec != specDigest(ss) {
		r.drop(name, one)
		one = &reading{uid: ss.UID, spec: specDigest(ss)}
		r.of[name] = one
	}
	if one.result != nil && time.Since(one.result.at) > maxHeld {
		r.drop(name, one)
		one.due = time.Time{}
	}
	return one
}

// drop is for who holds the lock. What was read keeps its place until then.
func (r *readings) drop(name types.NamespacedName, one *reading) {
	if one != nil && one.result != nil {
		one.result = nil
		r.gate.Leave(name.Namespace)
	}
}

// read has an object's references read, unless they are being read already. The
// object is looked at again when the answer is there.
func (r *readings) read(ss *bitnami.SealedSecret, do func(context.Context) (*result, *failure)) (done <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.entry(ss)
	if one.done != nil {
		return one.done
	}
	one.done = make(chan struct{})
	if r.ended {
		close(one.done)
		return one.done
	}
	r.group.Go(func() { r.run(client.ObjectKeyFromObject(ss), one, do) })
	return one.done
}

func (r *readings) run(name types.NamespacedName, one *reading, do func(context.Context) (*result, *failure)) {
	<-r.ready
	ctx, cancel := context.WithTimeout(r.ctx, readWithin)
	defer cancel()
	if r.gate.Enter(ctx, name.Namespace) != nil {
		r.end(name, one, nil, unreadable(vault.Failure{Reason: vault.Unreachable, Message: "others are read before it", Again: true}))
		return
	}
	res, failed := do(ctx)
	if failed != nil {
		r.gate.Leave(name.Namespace)
	}
	r.end(name, one, res, failed)
}

func (r *readings) end(name types.NamespacedName, one *reading, res *result, failed *failure) {
	r.mu.Lock()
	close(one.done)
	one.told = one.told && failed != nil && one.failed != nil && one.failed.reason == failed.reason && one.failed.message == failed.message
	one.done, one.failed = nil, failed
	if failed != nil {
		one.rest, one.due = nil, time.Now().Add(rereadAfter(one.tries))
		one.tries++
	} else {
		r.drop(name, one)
		one.result, one.last, one.tries, one.due = res, res.at, 0, time.Time{}
		if r.of[name] != one { // it is of an object as it was
			r.drop(name, one)
		}
	}
	r.mu.Unlock()
	r.again(name)
}

// rereadAfter is how long to wait after so many failures, with a fifth of jitter to
// either side.
func rereadAfter(tries int) time.Duration {
	wait := min(rereadBase<<min(tries, 10), rereadMax)
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))
}

// used says that what was read was put to use, and when it is to be read again.
func (r *readings) used(ss *bitnami.SealedSecret, due time.Time, rest *atRest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.entry(ss)
	r.drop(client.ObjectKeyFromObject(ss), one)
	one.due, one.rest = due, rest
}

// resting is what is known of an object whose Secret is made of nothing but what
// rest tells, and that object as far as reading concerns it.
func (r *readings) resting(m *metav1.PartialObjectMetadata) (ss *bitnami.SealedSecret, known reading, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.of[client.ObjectKeyFromObject(m)]
	if one == nil || one.rest == nil || one.uid != m.UID || one.failed != nil || one.done != nil {
		return nil, reading{}, false
	}
	ss = &bitnami.SealedSecret{ObjectMeta: m.ObjectMeta}
	ss.Spec.Digest = one.spec
	return ss, *one, true
}

// isDue tells whether there is something to read or to put to use, and else how
// long until there is; both are zero for objects without references.
func (r *readings) isDue(name types.NamespacedName) (due bool, in time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.of[name]
	if one == nil || one.done != nil {
		return false, 0
	}
	in = max(time.Until(one.due), 0)
	return in == 0 || one.failed != nil && !one.told, in
}

// tell notes that the failure was reported.
func (r *readings) tell(ss *bitnami.SealedSecret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(ss).told = true
}

// wake has those looked at now that wait after a failure of a connection, or
// because none was there to be chosen.
func (r *readings) wake(connection string) {
	r.mu.Lock()
	var waiting []types.NamespacedName
	for name, one := range r.of {
		if one.failed != nil && one.done == nil && (one.failed.connection == "" || one.failed.connection == connection) {
			one.due, one.tries = time.Time{}, 0
			waiting = append(waiting, name)
		}
	}
	r.mu.Unlock()
	for _, name := range waiting {
		r.again(name)
	}
}

func (r *readings) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(name, r.of[name])
	delete(r.of, name)
}
