package vault_test

import (
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
)

func TestASealedAndAStoppedVault(t *testing.T) {
	t.Parallel()
	s := newSystemWith(t, vaulttest.New(t, vaulttest.Config{}))
	conn := s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	again := func() error {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		return err
	}
	s.ok(again())
	for _, outage := range []struct {
		reason     string
		begin, end func() error
	}{
		{vault.SealedVault, func() error { return s.Vault.Seal(t.Context(), 0) }, func() error { return s.Vault.Unseal(t.Context(), 0) }},
		{vault.Unreachable, s.Vault.Process.Stop, func() error { return s.Vault.Process.Start(t.Context()) }},
	} {
		well := s.well.count(conn)
		s.ok(outage.begin())
		f := s.fails(outage.reason, again())
		if f.Absent || !f.Again {
			t.Errorf("got %+v", f)
		}
		_ = s.fails(outage.reason, again())
		s.ok(outage.end())
		s.eventually("it reads again", func() bool { return again() == nil })
		if s.well.count(conn) <= well {
			t.Errorf("after %s it is not told that it is well again", outage.reason)
		}
	}
}

func TestAStepDown(t *testing.T) {
	t.Parallel()
	s := newSystemWith(t, vaulttest.New(t, vaulttest.Config{Cores: 2}))
	s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	s.ok(s.Vault.StepDown(t.Context()))
	s.eventually("the other core reads", func() bool {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		return err == nil
	})
}

func TestARemovedPolicyAndADeletedSecret(t *testing.T) {
	s := newSystem(t)
	hcl := `path "apps/data/{namespace}/*" { capabilities = ["read"] }`
	s.ok(s.Vault.Policy(t.Context(), "comes-and-goes", "jwt", hcl))
	s.ok(s.Vault.JWTRole(t.Context(), "jwt", vaulttest.Role{Name: "comes-and-goes", Policies: []string{"comes-and-goes"}}))
	s.connect(func(spec *spec) { spec.Auth.JWT.Role = "comes-and-goes" })
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	again := func() error {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		return err
	}
	s.ok(again())
	s.ok(s.Vault.Client().Sys().DeletePolicyWithContext(t.Context(), "comes-and-goes"))
	s.eventually("it is denied", func() bool { return again() != nil })
	_ = s.fails(vault.Denied, again())
	s.ok(s.Vault.Policy(t.Context(), "comes-and-goes", "jwt", hcl))
	s.eventually("it reads again", func() bool { return again() == nil })
	_, err := s.Vault.Client().Logical().DeleteWithContext(t.Context(), "apps/metadata/"+ns+"/x")
	s.ok(err)
	if f := s.fails(vault.AbsentValue, again()); !f.Absent {
		t.Errorf("got %+v", f)
	}
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.eventually("it reads again", func() bool { return again() == nil })
}

// While one Vault does not answer, whoever reads another one does not wait.
func TestASlowVaultHoldsUpNobodyElse(t *testing.T) {
	s := newSystem(t)
	p := s.proxy()
	release := make(chan struct{})
	slow := s.through(p, func(spec *spec) { spec.Timeout.Duration = 30 * time.Second })
	well := s.connect(nil)
	p.answer(hang(release))
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer close(release)
	for range 20 {
		waiting.Go(func() {
			_, _ = s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, Connection: slow, References: s.refs("apps/" + ns + "/x#/k")})
		})
	}
	s.eventually("it waits", func() bool { return len(p.noted()) > 0 })
	_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, Connection: well, References: s.refs("apps/" + ns + "/x#/k")})
	s.ok(err)
}
