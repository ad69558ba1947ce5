package source

import (
	"context"
	"crypto/sha256"
	"sync"
)

// flights lets callers that ask for the same thing share one answer. Whoever
// comes while an answer is on its way gets the next one: what was pushed
// before a call is in its answer.
type flights struct {
	ctx context.Context // ends all
	mu  sync.Mutex
	by  map[[sha256.Size]byte]*line
}

// line is the flight that is under way, and the one after it.
type line struct{ current, next *flight }

type flight struct {
	ctx     context.Context
	cancel  context.CancelFunc
	work    func(context.Context) (*Checkout, error)
	done    chan struct{}
	waiting int
	answer  *Checkout // of which those who wait get shares
	err     error
}

func newFlights(ctx context.Context) *flights {
	return &flights{ctx: ctx, by: map[[sha256.Size]byte]*line{}}
}

// do returns what work returns, which is done once for all that wait for it. It
// is given up when nobody does.
func (f *flights) do(ctx context.Context, key [sha256.Size]byte, work func(context.Context) (*Checkout, error)) (*Checkout, error) {
	fl := f.join(key, work)
	defer f.leave(key, fl)
	select {
	case <-fl.done:
		if fl.err != nil {
			return nil, fl.err
		}
		return fl.answer.share(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *flights) join(key [sha256.Size]byte, work func(context.Context) (*Checkout, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.by[key]
	if l == nil {
		l = &line{current: f.flight(work)}
		f.by[key] = l
		l.current.waiting++
		go f.run(key, l.current)
		return l.current
	}
	if l.next == nil {
		l.next = f.flight(work)
	}
	l.next.waiting++
	return l.next
}

func (f *flights) flight(work func(context.Context) (*Checkout, error)) *flight {
	ctx, cancel := context.WithCancel(f.ctx)
	return &flight{ctx: ctx, cancel: cancel, work: work, done: make(chan struct{})}
}

// run works, and then lets the next one begin.
func (f *flights) run(key [sha256.Size]byte, fl *flight) {
	fl.answer, fl.err = fl.work(fl.ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	close(fl.done)
	l := f.by[key]
	if l.current, l.next = l.next, nil; l.current == nil {
		delete(f.by, key)
		return
	}
	go f.run(key, l.current)
}

// leave is what everybody does who joined. The last one ends the flight.
func (f *flights) leave(key [sha256.Size]byte, fl *flight) {
	f.mu.Lock()
	fl.waiting--
	last := fl.waiting == 0
	l := f.by[key]
	grounded := last && l != nil && l.next == fl
	if grounded {
		l.next = nil
	}
	f.mu.Unlock()
	if !last {
		return
	}
	fl.cancel()
	if grounded {
		return
	}
	<-fl.done
	if fl.answer != nil {
		fl.answer.Release()
	}
}

// wait waits for all that is under way, which the context has ended.
func (f *flights) wait() {
	for {
		f.mu.Lock()
		var fl *flight
		for _, l := range f.by {
			fl = l.current
		}
		f.mu.Unlock()
		if fl == nil {
			return
		}
		<-fl.done
	}
}
