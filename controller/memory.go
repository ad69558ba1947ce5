package controller

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fuin.dev/controller/api/bitnami"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The heap may grow less between two collections than Go's 100 %: what a
// controller has resident counts more than the time that takes, and all the more
// with many objects.
const (
	gcPercent     = 50
	manyObjects   = 2000
	gcPercentMany = 25
)

// collectAt sets how much the heap may grow, unless GOGC does.
func collectAt(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// keepSight notes how an object was found at rest.
func (o *opener) keepSight(name types.NamespacedName, s sight) {
	together(&s.uid, &s.version, &s.secretUID, &s.secretRV)
	if n, added := o.seen.put(name, s); added && n == manyObjects {
		collectAt(gcPercentMany)
	}
}

// A flood is as many objects as are worth a collection when they are done, and
// it is over when nothing has followed for a moment: statuses and events are
// written behind it.
const (
	flood     = 500
	floodOver = 300 * time.Millisecond
)

// tide gives back what a flood of work took, when it is over.
type tide struct {
	handled atomic.Int64 // objects since memory was last given back
	over    *time.Timer
}

func newTide() *tide {
	t := &tide{}
	t.over = time.AfterFunc(floodOver, t.ebb)
	return t
}

// rise counts an object that is done with.
func (t *tide) rise() {
	if t.handled.Add(1) >= flood {
		t.over.Reset(floodOver)
	}
}

func (t *tide) ebb() {
	if n := t.handled.Load(); n >= flood {
		t.handled.Add(-n)
		runtime.GC() // what pools hold goes with a second one
		debug.FreeOSMemory()
	}
}

// bodies keeps SealedSecrets that a start has read anyway and that are to be
// opened, so that they need not be read again. It is bounded: whoever finds no
// place is read again.
type bodies struct {
	mu   sync.Mutex
	kept map[types.NamespacedName]*bitnami.SealedSecret
	left int // bytes
}

// maxBodies is about how many bytes of values they hold together.
const maxBodies = 8 << 20

func newBodies() *bodies {
	return &bodies{left: maxBodies}
}

func (b *bodies) put(ss *bitnami.SealedSecret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if size := sizeOf(ss); size < b.left {
		if b.kept == nil {
			b.kept = map[types.NamespacedName]*bitnami.SealedSecret{}
		}
		b.left -= size
		b.kept[client.ObjectKeyFromObject(ss)] = ss
	}
}

// take hands out a body if it is of the version asked for.
func (b *bodies) take(name types.NamespacedName, uid types.UID, version string) *bitnami.SealedSecret {
	b.mu.Lock()
	defer b.mu.Unlock()
	ss := b.kept[name]
	if ss == nil {
		return nil
	}
	b.left += sizeOf(ss)
	if delete(b.kept, name); len(b.kept) == 0 {
		b.kept = nil
	}
	if ss.UID != uid || ss.ResourceVersion != version {
		return nil
	}
	return ss
}

// sizeOf is the size of an object's values, in bytes.
func sizeOf(ss *bitnami.SealedSecret) int {
	n := len(ss.Spec.Data)
	for _, value := range ss.Spec.EncryptedData {
		n += len(value)
	}
	return n
}

// together moves strings into one piece of memory. Those of a decoded object lie
// scattered, and what is kept of it would hold pages of what is not.
func together(all ...*string) {
	parts := make([]string, 0, 4)
	for _, s := range all {
		parts = append(parts, *s)
	}
	rest := strings.Join(parts, "")
	for _, s := range all {
		*s, rest = rest[:len(*s)], rest[len(*s):]
	}
}
