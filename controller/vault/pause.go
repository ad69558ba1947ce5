package vault

import (
	"math/rand/v2"
	"sync"
	"time"
)

// The pauses after failures that follow each other, before jitter.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// pause keeps callers from what failed: until it ends they are told why, and then
// one of them tries.
type pause struct {
	mu      sync.Mutex
	failure *Failure // nil: it is well
	until   time.Time
	tries   int
	trying  bool      // somebody was let through since
	well    time.Time // since when it is, if it is
	another string    // another message for the same reason, met once
}

// stands returns why nobody is to try now, nil if somebody may.
func (p *pause) stands() *Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure != nil && time.Now().Before(p.until) {
		return p.failure
	}
	return nil
}

// enter lets everybody through if all is well, and else one for each pause, who
// has so long.
func (p *pause) enter(within time.Duration) *Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failure == nil:
		return nil
	case time.Now().Before(p.until):
		return p.failure
	}
	p.trying, p.until = true, time.Now().Add(within)
	return nil
}

// abandon lets the next one try, since this one could not go on.
func (p *pause) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trying {
		p.trying, p.until = false, time.Now()
	}
}

// fail notes a failure, and returns it as everybody is told it and whether that is
// news. What fails beside the one who tries, having begun earlier, makes the pause no
// longer. What is well for a moment only gets longer pauses, too.
func (p *pause) fail(f *Failure) (told *Failure, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch {
	case p.failure != nil && !p.trying && now.Before(p.until):
		return p.failure, false
	case p.failure == nil && now.Sub(p.well) > 2*lastPause:
		p.tries = 0
	}
	news = p.tell(f)
	p.trying = false
	p.until = now.Add(jittered(min(firstPause<<min(p.tries, 10), lastPause)))
	p.tries++
	return p.failure, news
}

// tell takes over a failure for everybody. Words that come and go for one reason, as
// a refused connection and a broken one, are no news until they stay.
func (p *pause) tell(f *Failure) (news bool) {
	same := p.failure != nil && p.failure.Reason == f.Reason
	if same && (p.failure.Message == f.Message || p.another != f.Message) {
		p.another = f.Message
		return false
	}
	p.failure, p.another = f, f.Message
	return true
}

// clear notes that all is well and reports whether that is news.
func (p *pause) clear() (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if news = p.failure != nil; news {
		p.failure, p.trying, p.well = nil, false, time.Now()
	}
	return news
}

// state tells why it is not well, and when to try.
func (p *pause) state() (*Failure, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure, p.until
}

// jittered is a duration of between 70 and 100 % of d.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)*3/10+1))
}

// seen is when something was last found well.
type seen struct {
	mu sync.Mutex
	at time.Time
}

func (s *seen) now() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = time.Now()
}

// due is how long it is until then if it is to be seen that often.
func (s *seen) due(every time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.at.Add(every * 7 / 10))
}
