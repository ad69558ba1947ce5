package lazy_test

import (
	"sync"
	"testing"

	"fuin.dev/lazy"
)

// All who call at once get the same expression.
func TestCompiledOnce(t *testing.T) {
	p := lazy.Regexp(`^[a-z]+$`)
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			one := p()
			if other := p(); one != other || !one.MatchString("shop") || one.MatchString("Shop") {
				t.Error("the expression is another, or matches otherwise")
			}
		})
	}
	g.Wait()
}

// A text that is no expression is told by the first call, not at the start.
func TestNoExpression(t *testing.T) {
	p := lazy.Regexp(`(`)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	p()
}
