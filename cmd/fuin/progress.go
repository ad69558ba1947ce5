package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	barDelay = time.Second // shorter work shows none
	barTick  = 100 * time.Millisecond
	barWidth = 30
)

// A progress draws a bar on a terminal's standard error while work goes on. A
// nil one draws nothing.
type progress struct {
	u     *ui
	verb  string
	total int
	steps atomic.Int64
	stop  chan struct{}
	done  sync.WaitGroup
}

// progress starts a bar for that many steps. Its end must be called.
func (u *ui) progress(verb string, total int) *progress {
	if total < 2 || !u.isTerminal(u.stderr) {
		return nil
	}
	p := &progress{u: u, verb: verb, total: total, stop: make(chan struct{})}
	p.done.Go(p.draw)
	return p
}

func (p *progress) step() {
	if p != nil {
		p.steps.Add(1)
	}
}

// end erases the bar.
func (p *progress) end() {
	if p != nil {
		close(p.stop)
		p.done.Wait()
	}
}

func (p *progress) draw() {
	select {
	case <-p.stop:
		return
	case <-time.After(barDelay):
	}
	tick := time.NewTicker(barTick)
	defer tick.Stop()
	for {
		line := p.line()
		fmt.Fprint(p.u.stderr, "\r"+line)
		select {
		case <-p.stop:
			fmt.Fprint(p.u.stderr, "\r"+strings.Repeat(" ", len(line))+"\r")
			return
		case <-tick.C:
		}
	}
}

func (p *progress) line() string {
	steps := int(p.steps.Load())
	full := steps * barWidth / p.total
	return fmt.Sprintf("%s [%s%s] %d/%d", p.verb, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), steps, p.total)
}
