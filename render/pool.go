// Package render turns what a repository or a SealedSecret describes into
// what it stands for, by way of a sandbox.
//
// What authors write can loop for ever, use all memory or end the process it
// runs in. It therefore runs in children, the program fuin-render, that hold
// no keys and reach no files and no network. A [Pool] keeps them:
//
//	pool := render.NewPool(render.Config{})
//	defer pool.Close()
//	result, err := pool.Templates(ctx, templates, inputs)
//
// A child that runs for too long or grows too large is killed and replaced;
// the calls of others do not notice. No error holds content.
package render

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"fuin.dev/render/wire"
)

// Config says how a [Pool] works. The zero value is for use.
type Config struct {
	// Path of fuin-render. Default: beside the running program.
	Path string
	// Size is how many children there are at most that run templates, each
	// working on one call, and how many that render directories.
	// Default: GOMAXPROCS.
	Size int
	// Deadline is how long one call may occupy a child. Default: 5 seconds.
	Deadline time.Duration
	// MaxMemory is how much resident memory a child may have, in bytes. It is
	// looked at every 25 ms, so a child may have more for a moment, at most
	// twice as much and 64 MiB. Enforced on Linux. Default: 256 MiB.
	MaxMemory int64
	// DirectoryDeadline and MaxDirectoryMemory are the same for a directory,
	// which has a child of its own. Defaults: 60 seconds and 512 MiB.
	DirectoryDeadline  time.Duration
	MaxDirectoryMemory int64
	// Idle is after how long an unused child ends. Default: 2 minutes.
	Idle time.Duration
}

func (c Config) withDefaults() Config {
	if c.Size <= 0 {
		c.Size = runtime.GOMAXPROCS(0)
	}
	if c.Deadline <= 0 {
		c.Deadline = 5 * time.Second
	}
	if c.MaxMemory <= 0 {
		c.MaxMemory = 256 << 20
	}
	if c.DirectoryDeadline <= 0 {
		c.DirectoryDeadline = 60 * time.Second
	}
	if c.MaxDirectoryMemory <= 0 {
		c.MaxDirectoryMemory = 512 << 20
	}
	if c.Idle <= 0 {
		c.Idle = 2 * time.Minute
	}
	return c
}

// Pool runs work in children. They start when they are needed, wait for more
// work, and end when idle, killed, or with this process. A Pool may be used by
// several goroutines; calls beyond its size wait, first come, first served.
type Pool struct {
	config  Config
	slots   chan struct{} // holds a token for each call that occupies a child
	renders chan struct{} // likewise, of directories: templates do not wait for them
	closing chan struct{}
	calls   sync.WaitGroup // whatever Close waits for

	mu       sync.Mutex
	closed   bool
	children map[*child]bool
	idle     []*child // the most recently used last
	started  uint64
	killed   uint64
}

// NewPool makes a pool. It starts nothing: see [Pool.Check].
func NewPool(config Config) *Pool {
	config = config.withDefaults()
	return &Pool{
		config:   config,
		slots:    make(chan struct{}, config.Size),
		renders:  make(chan struct{}, config.Size),
		closing:  make(chan struct{}),
		children: map[*child]bool{},
	}
}

// Sandbox tells what confines a child on this machine.
type Sandbox struct {
	// Landlock is the version of the kernel's Landlock ABI that closes all
	// files to a child, or 0 where the kernel has none.
	Landlock int
	// Seccomp tells that a child cannot make a socket or start a program.
	Seccomp bool
}

// Check starts a child, if none runs, and tells what confines it. Its error
// is ctx's, [ErrClosed] or wraps [ErrUnavailable].
func (p *Pool) Check(ctx context.Context) (Sandbox, error) {
	var hello wire.Hello
	err := p.with(ctx, func(c *child) error {
		hello = c.hello
		return nil
	})
	return Sandbox{hello.Landlock, hello.Seccomp}, err
}

// Close ends all children and waits until they are gone. Calls that are
// under way return [ErrClosed]. Closing twice is harmless.
func (p *Pool) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		p.end(c)
	}
	p.calls.Wait()
	return nil
}

// enter counts a call that Close waits for, unless the pool is closed.
func (p *Pool) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.calls.Add(1)
	}
	return !p.closed
}

// with calls do with a child that nobody else uses. The child goes on to the
// next call if do succeeds, and is ended if not.
func (p *Pool) with(ctx context.Context, do func(*child) error) error {
	return p.within(ctx, p.slots, func() error {
		c, err := p.take(ctx)
		if err != nil {
			return err
		}
		if err := do(c); err != nil {
			p.end(c)
			return err
		}
		p.put(c)
		return nil
	})
}

// withNew calls do with a child that did nothing before, and ends it.
func (p *Pool) withNew(ctx context.Context, do func(*child) error) error {
	return p.within(ctx, p.renders, func() error {
		c, err := p.start(ctx, p.config.MaxDirectoryMemory)
		if err != nil {
			return err
		}
		defer p.end(c)
		return do(c)
	})
}

// within calls do when one of slots is free.
func (p *Pool) within(ctx context.Context, slots chan struct{}, do func() error) error {
	if !p.enter() {
		return ErrClosed
	}
	defer p.calls.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return fmt.Errorf("all %d renderers were in use: %w", cap(slots), ctx.Err())
	case <-p.closing:
		return ErrClosed
	}
	return do()
}

// take returns an idle child, or a new one.
func (p *Pool) take(ctx context.Context) (*child, error) {
	for c := p.pop(); c != nil; c = p.pop() {
		c.expiry.Stop()
		if c.running() {
			return c, nil
		}
		p.end(c)
	}
	return p.start(ctx, p.config.MaxMemory)
}

// start starts a child that may have maxMemory bytes.
func (p *Pool) start(ctx context.Context, maxMemory int64) (*child, error) {
	config := p.config
	config.MaxMemory = maxMemory
	c, err := start(ctx, config, p.closing)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started++
	p.children[c] = true
	return c, nil
}

func (p *Pool) pop() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// put makes a child wait for the next call, unless it has grown so large that
// the next call would start at a disadvantage.
func (p *Pool) put(c *child) {
	if c.resident() > p.config.MaxMemory/2 || !p.park(c) {
		p.end(c)
	}
}

func (p *Pool) park(c *child) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	c.expiry = time.AfterFunc(p.config.Idle, func() { p.expire(c) })
	p.idle = append(p.idle, c)
	return true
}

// expire ends a child if it is idle still.
func (p *Pool) expire(c *child) {
	if !p.enter() {
		return
	}
	defer p.calls.Done()
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		p.end(c)
	}
}

// end kills a child, if it runs still, and forgets it.
func (p *Pool) end(c *child) {
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.children, c)
	if c.overran.Load() {
		p.killed++
	}
}

// Stats is a snapshot of a [Pool], for metrics.
type Stats struct {
	Children int    // that run
	Idle     int    // of these, without work
	Started  uint64 // since the pool was made
	Killed   uint64 // of these, for time or memory
	Resident int64  // bytes of all children; 0 outside Linux
}

// Stats takes a snapshot.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Children: len(p.children), Idle: len(p.idle), Started: p.started, Killed: p.killed}
	for c := range p.children {
		s.Resident += c.resident()
	}
	return s
}
