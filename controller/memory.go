package controller

import (
	"os"
	"runtime/debug"
	"sync"

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
	if _, had := o.seen.Swap(name, s); !had && o.known.Add(1) == manyObjects {
		collectAt(gcPercentMany)
	}
}

// manyDeliveries is after how many statuses the memory that they took is given
// back, once nothing is left to do.
const manyDeliveries = 500

// tidy gives back what a flood of work took, when it is over.
func (o *opener) tidy() {
	if o.delivered.Load() < manyDeliveries || o.queue.Len() > 0 {
		return
	}
	if o.delivered.Swap(0) >= manyDeliveries {
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
	return &bodies{kept: map[types.NamespacedName]*bitnami.SealedSecret{}, left: maxBodies}
}

func (b *bodies) put(ss *bitnami.SealedSecret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if size := sizeOf(ss); size < b.left {
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
	delete(b.kept, name)
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
