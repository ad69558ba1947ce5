package vault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"fuin.dev/controller/vault"
	"golang.org/x/sync/errgroup"
)

// A thousand references, a hundred Secrets, twenty namespaces: each secret in Vault
// is named by two Secrets of its namespace, by ten references each.
func TestAPassReadsEachSecretOnce(t *testing.T) {
	const namespaces, secrets, paths = 20, 5, 10
	s := newSystem(t)
	s.connect(func(spec *spec) { spec.QPS = 20 })
	var all []vault.Request
	read := map[string]bool{}
	for range namespaces {
		ns := s.tenant()
		for i := range paths {
			s.put(fmt.Sprintf("apps/%s/s%d", ns, i), map[string]any{"k": fmt.Sprint("v", i)})
		}
		for i := range secrets {
			var texts []string
			for j := range 10 {
				path := fmt.Sprintf("apps/%s/s%d", ns, (i*3+j/3)%paths)
				read[path] = true
				texts = append(texts, path+"#/k")
			}
			all = append(all, vault.Request{Namespace: ns, References: s.refs(texts...)})
		}
	}
	for pass := range 2 {
		mark := s.mark()
		now := time.Now()
		var group errgroup.Group
		for _, q := range all {
			group.Go(func() error {
				q.NotBefore = now
				answer, err := s.resolver.Resolve(t.Context(), q)
				if err == nil && len(answer.Values) != 10 {
					return fmt.Errorf("%d values", len(answer.Values))
				}
				return err
			})
		}
		s.ok(group.Wait())
		got := s.since(mark, "")
		t.Logf("pass %d in %s: %v", pass, time.Since(now), got)
		if want := map[int]int{0: namespaces, 1: 0}[pass]; got["login"] != want {
			t.Errorf("pass %d: %d log-ins, want %d", pass, got["login"], want)
		}
		if got["read"] != len(read) {
			t.Errorf("pass %d: %d readings of %d secrets", pass, got["read"], len(read))
		}
	}
}

func TestANamespaceThatAsksForMuchKeepsNobodyWaiting(t *testing.T) {
	s := newSystem(t)
	s.connect(func(spec *spec) { spec.QPS = 5 })
	flood, other := s.tenant(), s.tenant()
	s.put("apps/"+other+"/x", map[string]any{"k": "v"})
	ctx, stop := context.WithCancel(t.Context())
	var flooding errgroup.Group
	for i := range 40 {
		var texts []string
		for j := range 25 {
			texts = append(texts, fmt.Sprintf("apps/%s/s%d-%d?optional=true#/k", flood, i, j))
		}
		q := vault.Request{Namespace: flood, References: s.refs(texts...)}
		flooding.Go(func() error {
			_, err := s.resolver.Resolve(ctx, q)
			return err
		})
	}
	mark := s.mark()
	s.eventually("the flood is on", func() bool { return s.since(mark, flood)["read"] > 5 })
	s.values(other, "apps/"+other+"/x#/k")
	if got := s.since(mark, flood)["read"]; got > 100 {
		t.Errorf("%d readings of the other namespace came first", got)
	}
	stop()
	if err := flooding.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("the flood is over, with %v: the test shows nothing", err)
	}
}

func TestSecretsOfANamespaceAreReadAgainAtOneTime(t *testing.T) {
	s := newSystem(t)
	s.connect(func(spec *spec) { spec.RefreshInterval.Duration = 10 * time.Second })
	ns, other := s.tenant(), s.tenant()
	for _, n := range []string{ns, other} {
		s.put("apps/"+n+"/x", map[string]any{"k": "v"})
	}
	began := time.Now()
	first, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	s.ok(err)
	second, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	s.ok(err)
	third, err := s.resolve(other, "apps/"+other+"/x#/k")
	s.ok(err)
	if !first.Next.Equal(second.Next) || first.Next.Equal(third.Next) {
		t.Errorf("%s and %s should be one, %s not", first.Next, second.Next, third.Next)
	}
	for _, next := range []time.Time{first.Next, third.Next} {
		if in := next.Sub(began); in < 6*time.Second || in > 11*time.Second+time.Since(began) {
			t.Errorf("again in %s, the interval is 10 s", in)
		}
	}
}

func TestAValueReadEarlierDoesNotCount(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "old"})
	s.values(ns, "apps/"+ns+"/x#/k")
	s.put("apps/"+ns+"/x", map[string]any{"k": "new"})
	if got := s.values(ns, "apps/"+ns+"/x#/k"); got[0] != "old" {
		t.Errorf("a value of the same pass is read again: %q", got)
	}
	answer, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
	s.ok(err)
	if got := string(answer.Values[0].Bytes); got != "new" {
		t.Errorf("got %q", got)
	}
}

func TestAChangedConnectionBeginsAnew(t *testing.T) {
	s := newSystem(t)
	p := s.proxy()
	conn := s.through(p, nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	asked := len(p.noted())
	mark := s.mark()
	s.change(conn, func(c *spec) { c.Address, c.CABundle = s.Vault.Addresses[0], s.Vault.CA })
	s.values(ns, "apps/"+ns+"/x#/k")
	if len(p.noted()) != asked {
		t.Error("the old address is asked")
	}
	if got := s.since(mark, ns); got["login"] != 1 || got["read"] != 1 {
		t.Errorf("something of the old connection counts: %v", got)
	}
	if s.well.count(conn) != 1 {
		t.Errorf("told %d times that it changed", s.well.count(conn))
	}
}

func TestARecreatedAccountSharesNothing(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	s.ok(s.admin.Delete(t.Context(), account(ns)))
	s.eventually("the deleted account reads no more", func() bool {
		_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
		return err != nil
	})
	_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	_ = s.fails(vault.AccountMissing, err)
	s.reader(ns)
	mark := s.mark()
	s.eventually("the new one does", func() bool {
		_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
		return err == nil
	})
	if got := s.since(mark, ns); got["login"] != 1 || got["read"] != 1 {
		t.Errorf("something of the old account counts: %v", got)
	}
}
