package render

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fuin.dev/render/wire"
)

// look is how often a child's memory is looked at while it works.
const look = 25 * time.Millisecond

// cause is why a child ended, or had to be.
type cause string

const (
	timedOut cause = "it did not finish in time"
	starved  cause = "it was given almost no processor time"
	tooLarge cause = "it used too much memory"
	tooDeep  cause = "it recursed too deeply"
	crashed  cause = "it crashed"
	killed   cause = "it ended before it answered"
	garbled  cause = "what it answers is no answer"
)

// ended says that a child is of no more use.
type ended struct {
	cause cause
	state string // how the process ended, in the words of package os
}

func (e *ended) Error() string {
	if e.state == "" {
		return string(e.cause)
	}
	return fmt.Sprintf("%s (%s)", e.cause, e.state)
}

// watch says when to kill a child that works.
type watch struct {
	deadline  time.Duration
	maxMemory int64 // bytes
	closing   <-chan struct{}
}

// guard calls talk, which exchanges messages with the child, and kills the
// child when it overruns, when ctx ends or when closing is closed; talk then
// fails. The error is nil if talk's is, else ctx's, [ErrClosed] or an *ended.
func (c *child) guard(ctx context.Context, w watch, talk func() error) error {
	stop := make(chan struct{})
	verdict := make(chan error, 1)
	go func() { verdict <- c.watch(ctx, w, stop) }()
	err := talk()
	close(stop)
	reason := <-verdict
	switch {
	case err == nil:
		return nil
	case reason != nil:
		return reason
	}
	return c.diagnose(err)
}

// watch returns nil when stop is closed, and a reason once it has killed the
// child.
func (c *child) watch(ctx context.Context, w watch, stop <-chan struct{}) error {
	before, _ := c.cpu()
	deadline := time.NewTimer(w.deadline)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			c.kill()
			return ctx.Err()
		case <-w.closing:
			c.kill()
			return ErrClosed
		case <-deadline.C:
			return c.overrun(c.late(before, w.deadline))
		case <-tick.C:
			if c.resident() > w.maxMemory {
				return c.overrun(tooLarge)
			}
		}
	}
}

func (c *child) overrun(why cause) error {
	c.overran.Store(true)
	c.kill()
	return &ended{cause: why}
}

// late tells a child that worked until its deadline from one that the machine
// left waiting, which proves nothing about its work.
func (c *child) late(before, deadline time.Duration) cause {
	now, ok := c.cpu()
	if ok && now-before < deadline/10 {
		return starved
	}
	return timedOut
}

// diagnose tells why a child that nobody here killed does not answer. It is
// gone afterwards.
func (c *child) diagnose(err error) error {
	defer c.kill()
	if errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrTooLarge) {
		return &ended{cause: garbled}
	}
	select {
	case <-c.exited:
	case <-time.After(2 * time.Second):
		return &ended{cause: garbled} // it closed its output, or us out
	}
	switch {
	case c.stderr.contains("stack exceeds"):
		return &ended{cause: tooDeep}
	case c.stderr.contains("out of memory", "cannot allocate memory"):
		return &ended{cause: tooLarge}
	}
	why := killed
	if state := c.cmd.ProcessState; state.ExitCode() == crash && !c.stderr.contains("create new OS thread") {
		why = crashed
	}
	return &ended{why, c.cmd.ProcessState.String()}
}

// crash is how the Go runtime exits after a panic or a fatal error. One of
// its fatal errors is the machine's: that of having too many threads.
const crash = 2
