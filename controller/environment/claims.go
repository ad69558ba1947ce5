package environment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// claimWithin is how long another Environment's attempt to apply an object is
// waited for: one that may not loses its claim.
const claimWithin = time.Second

// acquire claims an object that is about to be applied.
func (p *pass) acquire(ctx context.Context, o *object) error {
	var other types.NamespacedName
	ctx, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	late := errors.New("late")
	err := every(ctx, 10*time.Millisecond, func() (ok bool, _ error) {
		other, ok = p.claims.take(o.id, p.name)
		return ok, nil
	}, late)
	if err != nil {
		return fmt.Errorf("it is applied by Environment %s, too: remove it from one of the two", other)
	}
	return nil
}

// claims tells which Environment applies an object.
type claims struct {
	mu sync.Mutex
	by map[id]types.NamespacedName
}

// take claims an object, unless another Environment has it.
func (c *claims) take(i id, by types.NamespacedName) (other types.NamespacedName, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, taken := c.by[i]; taken && other != by {
		return other, false
	}
	if c.by == nil {
		c.by = map[id]types.NamespacedName{}
	}
	c.by[i] = by
	return by, true
}

// owner is who claims an object.
func (c *claims) owner(i id) (by types.NamespacedName, claimed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by, claimed = c.by[i]
	return by, claimed
}

func (c *claims) drop(i id, by types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[i] == by {
		delete(c.by, i)
	}
}

// release drops all claims of an Environment.
func (c *claims) release(by types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, owner := range c.by {
		if owner == by {
			delete(c.by, i)
		}
	}
}
