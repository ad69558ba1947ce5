package controller

import (
	"iter"
	"maps"
	"strings"
	"sync"
	"unique"

	"k8s.io/apimachinery/pkg/types"
)

// table holds what is known of each SealedSecret, by name. It is a plain map
// since it outlives the work: a sync.Map takes three times the memory.
type table[V any] struct {
	mu   sync.RWMutex
	rows map[types.NamespacedName]V
}

func (t *table[V]) get(name types.NamespacedName) (V, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.rows[name]
	return v, ok
}

// put returns how many there are, and whether this one is new.
func (t *table[V]) put(name types.NamespacedName, v V) (n int, added bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = map[types.NamespacedName]V{}
	}
	_, had := t.rows[name]
	if !had {
		name.Namespace, name.Name = unique.Make(name.Namespace).Value(), strings.Clone(name.Name) // of an object that goes
	}
	t.rows[name] = v
	return len(t.rows), !had
}

// take removes a row and returns it.
func (t *table[V]) take(name types.NamespacedName) (V, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.rows[name]
	if delete(t.rows, name); len(t.rows) == 0 {
		t.rows = nil // a map keeps the size that it once had
	}
	return v, ok
}

func (t *table[V]) forget(name types.NamespacedName) { t.take(name) }

func (t *table[V]) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.rows)
}

// all goes through the rows. Nobody can write meanwhile.
func (t *table[V]) all() iter.Seq2[types.NamespacedName, V] {
	return func(yield func(types.NamespacedName, V) bool) {
		t.mu.RLock()
		defer t.mu.RUnlock()
		maps.All(t.rows)(yield)
	}
}
