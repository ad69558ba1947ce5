package vault

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"
)

const (
	// accountFor is how long an account counts as there without a look. It is
	// what a deleted account may still read.
	accountFor = 30 * time.Second
	// youngFor is how long a token is not doubted that Vault just gave.
	youngFor = 5 * time.Second
	// vainPause is the first of the pauses, and lastVainPause the last, between
	// log-ins that are made since something is denied, and do not help.
	vainPause     = 10 * time.Second
	lastVainPause = 5 * time.Minute
)

// logins are the log-ins of a connection: one for each namespace, or one for all.
type logins struct {
	mu sync.Mutex
	by map[string]*login
}

// login is how a namespace is known to Vault. Who has the turn may use it.
type login struct {
	turn    turn
	pause   pause // after log-ins that failed
	proof   proof
	proven  time.Time
	session *session  // nil: none
	alive   time.Time // when Vault last said that it knows the session's token

	vain      int // log-ins that helped nothing
	vainUntil time.Time

	// How the last log-in went; guarded by logins.
	told    *Failure
	at      time.Time
	ends    time.Time // of its session
	service bool      // it gave a service token
}

// turn is a mutex that a context can be done waiting for.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

func (l *logins) of(who string) *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]*login{}
	}
	if l.by[who] == nil {
		l.by[who] = &login{turn: make(turn, 1)}
	}
	return l.by[who]
}

func (l *logins) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by = nil
}

// forgetIdle drops namespaces that have no session and did not ask for one lately.
func (l *logins) forgetIdle(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.by, func(_ string, known *login) bool {
		live := known.told == nil && (known.ends.IsZero() || known.ends.After(before))
		return known.at.Before(before) && !live
	})
}

// tell notes how a log-in ended, for the conditions.
func (l *logins) tell(known *login, s *session, f *Failure) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	news = known.at.IsZero() || (known.told == nil) != (f == nil) || f != nil && known.told.Reason != f.Reason
	known.told, known.at = f, time.Now()
	known.ends, known.service = time.Time{}, s != nil && !s.batch
	if s != nil {
		known.ends = s.ends
	}
	return news
}

// who is the log-in that a namespace uses.
func (c *connection) who(namespace string) string {
	if c.shared() {
		return ""
	}
	return namespace
}

// shared reports whether all namespaces log in as one.
func (c *connection) shared() bool { return c.spec.Auth.JWT == nil && c.spec.Auth.Kubernetes == nil }

// session returns the namespace's log-in, and logs in if there is none: a fresh
// one has nine tenths of its life left.
func (c *connection) session(ctx context.Context, namespace string, fresh bool) (*session, error) {
	l := c.logins.of(c.who(namespace))
	if err := l.turn.take(ctx); err != nil {
		return nil, err
	}
	defer l.turn.give()
	if err := c.prove(ctx, namespace, l); err != nil {
		return nil, err
	}
	if l.session.good(time.Now(), fresh && c.spec.Auth.Token == nil) {
		return l.session, nil
	}
	return c.logIn(ctx, namespace, l)
}

// good reports whether a session can be used, or is fresh.
func (s *session) good(now time.Time, fresh bool) bool {
	if s == nil {
		return false
	}
	if s.ends.IsZero() {
		return true
	}
	life := s.ends.Sub(s.issued)
	if fresh {
		return now.Sub(s.issued) <= life/10
	}
	return s.ends.Sub(now) > min(life/10, 30*time.Second)
}

// prove sees to it that the account is there, and is the one that logged in.
func (c *connection) prove(ctx context.Context, namespace string, l *login) error {
	if l.session != nil && time.Since(l.proven) < accountFor {
		return nil
	}
	if f := l.pause.stands(); f != nil {
		return f
	}
	p, f := c.proofOf(ctx, namespace)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f != nil && f.Reason == LoginFailed && l.session != nil:
		l.proven = time.Now().Add(youngFor - accountFor)
		return nil // the API server is out of reach, and cannot have deleted it
	case f != nil:
		c.end(namespace, l)
		return c.loginFailed(l, f)
	}
	if !p.same(l.proof) {
		c.end(namespace, l)
	}
	l.proof, l.proven = p, time.Now()
	return nil
}

// end forgets a session, and what was read by it.
func (c *connection) end(namespace string, l *login) {
	l.session, l.proof = nil, proof{}
	c.values.drop(c.who(namespace))
}

func (c *connection) loginFailed(l *login, f *Failure) error {
	if !f.common {
		f, _ = l.pause.fail(f)
	}
	c.Metrics.loggedIn(c.name, f)
	if c.logins.tell(l, nil, f) {
		c.changed()
	}
	return f
}

// logIn makes a new session.
func (c *connection) logIn(ctx context.Context, namespace string, l *login) (*session, error) {
	if f := l.pause.enter(2 * c.timeout); f != nil {
		return nil, f
	}
	s, err := c.exchange(ctx, namespace, l.proof)
	var f *Failure
	switch {
	case errors.As(err, &f):
		return nil, c.loginFailed(l, f)
	case err != nil:
		l.pause.abandon()
		return nil, err
	}
	l.session, l.alive = s, s.issued
	l.pause.clear()
	c.Metrics.loggedIn(c.name, nil)
	if c.logins.tell(l, s, nil) {
		c.changed()
	}
	return s, nil
}

// anew is for who was denied something by a session: it may have been revoked,
// or a new one may have more rights. It returns another one, or nil if there is no
// point in it.
func (c *connection) anew(ctx context.Context, namespace string, s *session) (*session, error) {
	l := c.logins.of(c.who(namespace))
	if err := l.turn.take(ctx); err != nil {
		return nil, err
	}
	defer l.turn.give()
	now := time.Now()
	switch {
	case l.session != nil && l.session != s:
		return l.session, nil
	case l.session.good(now, false) && (now.Sub(s.issued) < youngFor || now.Before(l.vainUntil)):
		dead, err := c.isDead(ctx, namespace, l)
		if err != nil || !dead {
			return nil, err
		}
	}
	l.session = nil
	l.vainUntil = now.Add(min(vainPause<<min(l.vain, 10), lastVainPause))
	l.vain++
	if err := c.prove(ctx, namespace, l); err != nil {
		return nil, err
	}
	return c.logIn(ctx, namespace, l)
}

// helped notes that a new session was all that was needed.
func (c *connection) helped(ctx context.Context, namespace string) {
	l := c.logins.of(c.who(namespace))
	if l.turn.take(ctx) != nil {
		return
	}
	defer l.turn.give()
	l.vain, l.vainUntil = 0, time.Time{}
}

// isDead asks Vault whether it still knows the session's token. One whose policies
// do not let it ask seems dead, too, so that it counts as such only after a while.
func (c *connection) isDead(ctx context.Context, namespace string, l *login) (bool, error) {
	if time.Since(l.alive) < youngFor {
		return false, nil
	}
	_, err := c.lookUp(ctx, namespace, l.session.token)
	var f *Failure
	if errors.As(err, &f) && f.Reason == Denied {
		return time.Since(l.session.issued) > lastPause, nil
	}
	if err == nil {
		l.alive = time.Now()
	}
	return false, err
}

// lookUp asks Vault about a token in its own name.
func (c *connection) lookUp(ctx context.Context, namespace, token string) (*session, error) {
	answer, err := c.ask(ctx, call{namespace: namespace, kind: "lookup", path: "auth/token/lookup-self", token: token})
	if err != nil {
		return nil, err
	}
	var said struct {
		Data struct {
			TTL  json.Number `json:"ttl"`
			Type string      `json:"type"`
		} `json:"data"`
	}
	ttl, ok := int64(0), json.Unmarshal(answer.body, &said) == nil
	if ok {
		ttl, err = said.Data.TTL.Int64()
	}
	if !ok || err != nil {
		return nil, c.fault(InvalidAnswer, "the answer about the token is not as expected")
	}
	return newSession(token, said.Data.Type, ttl, answer.asked), nil
}

func newSession(token, kind string, seconds int64, issued time.Time) *session {
	s := &session{token: token, batch: kind == "batch", issued: issued}
	if seconds > 0 { // Vault notes the second that it began in, and so ends it earlier
		s.ends = issued.Add(time.Duration(min(seconds, 10*365*24*3600)-1) * time.Second)
	}
	return s
}
