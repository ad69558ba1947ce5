package vault_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
	"fuin.dev/render/reference"
)

// crowd is namespaces that read all the time, as an opener does that has failures
// retried.
type crowd struct {
	*system
	namespaces []string
	refs       map[string][]reference.Reference // by namespace

	mu      sync.Mutex
	last    map[string]time.Time // a read that succeeded was begun, by namespace
	reasons map[string]int       // of failures
	strange []error
}

// gather has so many namespaces read until the test ends.
func (s *system) gather(number int) *crowd {
	s.t.Helper()
	c := &crowd{system: s, last: map[string]time.Time{}, reasons: map[string]int{}, refs: map[string][]reference.Reference{}}
	for range number {
		ns := s.tenant()
		s.put("apps/"+ns+"/x", map[string]any{"k": ns})
		c.namespaces = append(c.namespaces, ns)
		c.refs[ns] = s.refs("apps/" + ns + "/x#/k")
	}
	ctx, stop := context.WithCancel(s.t.Context())
	var readers sync.WaitGroup
	for _, ns := range c.namespaces {
		readers.Go(func() {
			for ctx.Err() == nil {
				c.read(ctx, ns)
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	s.t.Cleanup(func() {
		stop()
		readers.Wait()
	})
	return c
}

func (c *crowd) read(ctx context.Context, ns string) {
	began := time.Now()
	answer, err := c.resolver.Resolve(ctx, vault.Request{Namespace: ns, References: c.refs[ns], NotBefore: began})
	c.mu.Lock()
	defer c.mu.Unlock()
	var f *vault.Failure
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &f):
		c.reasons[f.Reason]++
	case err != nil:
		c.strange = append(c.strange, err)
	case string(answer.Values[0].Bytes) != ns:
		c.strange = append(c.strange, errors.New("a value of another namespace"))
	default:
		c.last[ns] = began
	}
}

// allRead waits until every namespace has read something from now on.
func (c *crowd) allRead(after string) {
	c.t.Helper()
	now := time.Now()
	c.eventually("after "+after+" every namespace reads", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !slices.ContainsFunc(c.namespaces, func(ns string) bool { return c.last[ns].Before(now) })
	})
}

func TestReadersOutliveLeaders(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{Cores: 2})
	s := newSystemWith(t, v)
	ctx := t.Context()
	s.look()
	name := s.connect(func(spec *spec) { spec.Timeout.Duration = 2 * time.Second })
	c := s.gather(8)
	c.allRead("the start")
	mark := s.mark()

	active, err := v.Active(ctx)
	s.ok(err)
	s.ok(v.StepDown(ctx))
	c.allRead("a step-down")

	// The address is that of the first core: it forwards now, until it has to lead.
	s.ok(v.Seal(ctx, 1-active))
	c.allRead("the leader was sealed")
	s.ok(v.Unseal(ctx, 1-active))
	c.allRead("all are unsealed")

	s.ok(v.Process.Stop())
	s.says(name, "Ready=False/VaultUnreachable", "Reachable=False/VaultUnreachable")
	s.ok(v.Process.Start(ctx))
	c.allRead("a crash")
	s.says(name, "Ready=True/Answers", "Reachable=True/Answers")

	// What Vault gave before is good still: nobody had to log in again.
	if got := s.since(mark, ""); got["login"] > 0 {
		t.Errorf("%d log-ins", got["login"])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.strange {
		t.Error(err)
	}
	// A standby redirects as long as it is not connected to who leads.
	passing := []string{vault.Unreachable, vault.SealedVault, vault.InvalidAnswer}
	for reason := range c.reasons {
		if !slices.Contains(passing, reason) {
			t.Errorf("%d failures are %s", c.reasons[reason], reason)
		}
	}
	if len(c.reasons) == 0 {
		t.Error("nobody noticed anything")
	}
}

func TestAStandbyIsAsGoodAsTheLeader(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{Cores: 2})
	s := newSystemWith(t, v)
	active, err := v.Active(t.Context())
	s.ok(err)
	s.look()
	name := s.connect(func(spec *spec) { spec.Address = v.Addresses[1-active] })
	c := s.gather(2)
	c.allRead("the start, by way of a standby")
	s.says(name, "Ready=True/Answers")
}

func TestRateLimitsAreWaitedFor(t *testing.T) {
	s := newSystemWith(t, vaulttest.New(t, vaulttest.Config{}))
	s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	read := func() error {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		return err
	}
	s.ok(read())
	s.ok(s.Vault.Write(t.Context(), "sys/quotas/rate-limit/few", map[string]any{"path": "apps", "rate": 0.5}))
	s.eventually("it is told", func() bool {
		var f *vault.Failure
		return errors.As(read(), &f) && f.Reason == vault.RateLimited
	})
	_, err := s.Vault.Client().Logical().DeleteWithContext(t.Context(), "sys/quotas/rate-limit/few")
	s.ok(err)
	s.eventually("it reads again", func() bool { return read() == nil })
}
