package vault_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// look runs what looks after VaultConnections, as the controller's own account.
func (s *system) look() {
	s.t.Helper()
	mgr, err := ctrl.NewManager(s.account, ctrl.Options{Scheme: s.api.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}})
	s.ok(err)
	s.fresh()
	s.resolver.Cache = mgr.GetCache()
	s.ok(s.resolver.Add(mgr))
	ctx, stop := context.WithCancel(s.t.Context())
	done := make(chan error)
	go func() { done <- mgr.Start(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *system) connection(name string) *v1alpha1.VaultConnection {
	s.t.Helper()
	vc := &v1alpha1.VaultConnection{}
	s.ok(s.admin.Get(s.t.Context(), client.ObjectKey{Name: name}, vc))
	return vc
}

// says waits until the conditions are these, written TYPE=STATUS/REASON.
func (s *system) says(name string, want ...string) *v1alpha1.VaultConnection {
	s.t.Helper()
	var vc *v1alpha1.VaultConnection
	defer func() {
		if s.t.Failed() {
			s.t.Logf("it says %+v", vc.Status)
		}
	}()
	s.eventually(fmt.Sprintf("it says %q", want), func() bool {
		vc = s.connection(name)
		return said(vc, want)
	})
	return vc
}

func said(vc *v1alpha1.VaultConnection, want []string) bool {
	for _, w := range want {
		kind, rest, _ := strings.Cut(w, "=")
		status, reason, _ := strings.Cut(rest, "/")
		c := meta.FindStatusCondition(vc.Status.Conditions, kind)
		if c == nil || string(c.Status) != status || c.Reason != reason || c.ObservedGeneration != vc.Generation {
			return false
		}
	}
	return vc.Status.ObservedGeneration == vc.Generation
}

func messageOf(vc *v1alpha1.VaultConnection, kind string) string {
	return meta.FindStatusCondition(vc.Status.Conditions, kind).Message
}

// metric sums the samples of a counter that have all of these label values.
func (s *system) metric(name string, values ...string) (sum float64) {
	s.t.Helper()
	families, err := s.registry.Gather()
	s.ok(err)
	for _, family := range families {
		for _, sample := range family.Metric {
			var has []string
			for _, label := range sample.Label {
				has = append(has, label.GetValue())
			}
			lacks := func(value string) bool { return !slices.Contains(has, value) }
			if family.GetName() == name && !slices.ContainsFunc(values, lacks) {
				sum += sample.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestConditions(t *testing.T) {
	s := newSystemWith(t, vaulttest.New(t, vaulttest.Config{}))
	s.ok(s.Vault.JWTRole(t.Context(), "jwt", vaulttest.Role{Name: "service", Policies: []string{"tenant"}, Service: true}))
	s.look()
	conn := s.connect(nil)
	s.says(conn, "Ready=True/Answers", "Reachable=True/Answers", "Sealed=False/Unsealed", "Authenticated=Unknown/NotTried")
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "canary"})
	s.eventually("it resolves", func() bool { _, err := s.resolve(ns, "apps/"+ns+"/x#/k"); return err == nil })
	s.says(conn, "Ready=True/Answers", "Authenticated=True/LoggedIn")

	s.change(conn, func(spec *spec) { spec.Auth.JWT.Role = "service" })
	s.says(conn, "Ready=True/Answers", "Authenticated=Unknown/NotTried") // before, the old one reads
	s.eventually("it resolves", func() bool { _, err := s.resolve(ns, "apps/"+ns+"/x#/k"); return err == nil })
	vc := s.says(conn, "Ready=True/Answers", "Authenticated=True/ServiceTokens")
	if !strings.Contains(messageOf(vc, v1alpha1.Authenticated), "token_type=batch") {
		t.Errorf("it does not say what to do: %+v", vc.Status)
	}

	s.change(conn, func(spec *spec) { spec.Auth.JWT.Audience = "another" })
	s.says(conn, "Ready=True/Answers", "Authenticated=Unknown/NotTried")
	s.eventually("it is refused", func() bool { _, err := s.resolve(ns, "apps/"+ns+"/x#/k"); return err != nil })
	vc = s.says(conn, "Ready=False/VaultLoginFailed", "Reachable=True/Answers", "Authenticated=False/VaultLoginFailed")
	if m := messageOf(vc, v1alpha1.Ready); !strings.Contains(m, ns) || !strings.Contains(m, "audience") {
		t.Errorf("it does not name who and why: %s", m)
	}

	s.change(conn, func(spec *spec) { spec.Auth.JWT.Audience, spec.CABundle = "vault", []byte("none") })
	s.says(conn, "Ready=False/InvalidConnection", "Reachable=False/InvalidConnection")
	s.change(conn, func(spec *spec) { spec.CABundle = s.Vault.CA })
	s.says(conn, "Ready=True/Answers", "Reachable=True/Answers")
}

// Nobody reads while it is away, and it is found to be well again all the same.
func TestAnOutageAndItsEndAreSeen(t *testing.T) {
	base := newSystemWith(t, vaulttest.New(t, vaulttest.Config{}))
	for name, o := range map[string]outage{
		"sealed": {
			[]string{"Ready=False/VaultSealed", "Reachable=True/Answers", "Sealed=True/VaultSealed", "Authenticated=True/LoggedIn"},
			func() error { return base.Vault.Seal(t.Context(), 0) }, func() error { return base.Vault.Unseal(t.Context(), 0) },
		},
		"stopped": {
			[]string{"Ready=False/VaultUnreachable", "Reachable=False/VaultUnreachable", "Sealed=Unknown/VaultUnreachable"},
			base.Vault.Process.Stop, func() error { return base.Vault.Process.Start(t.Context()) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := base.in(t)
			s.look()
			conn, ns := s.connect(nil), s.tenant()
			s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
			s.eventually("it resolves", func() bool { _, err := s.resolve(ns, "apps/"+ns+"/x#/k"); return err == nil })
			well := s.well.count(conn)
			s.ok(o.begin())
			s.eventually("it fails", func() bool {
				_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
				return err != nil
			})
			s.saysOnce(conn, ns, o)
			s.ok(o.end())
			s.says(conn, "Ready=True/Answers", "Reachable=True/Answers", "Sealed=False/Unsealed", "Authenticated=True/LoggedIn")
			s.eventually("it is told that it is well again", func() bool { return s.well.count(conn) > well })
		})
	}
}

// outage is what a Vault suffers, and what its connection says then.
type outage struct {
	says       []string
	begin, end func() error
}

// saysOnce wants the outage told in the conditions as to who reads, and no status
// written while tries fail alike.
func (s *system) saysOnce(conn, ns string, o outage) {
	s.t.Helper()
	before := s.says(conn, o.says...)
	reason := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.Ready).Reason
	tries := s.metric("fuin_vault_requests_total", conn, reason)
	s.eventually("it is tried twice more", func() bool { return s.metric("fuin_vault_requests_total", conn, reason) >= tries+2 })
	now := s.connection(conn)
	// What was under way may have failed in other words, which stay until new ones are met twice.
	if messageOf(now, v1alpha1.Ready) == messageOf(before, v1alpha1.Ready) && now.ResourceVersion != before.ResourceVersion {
		s.t.Errorf("it is written while nothing changes:\n%+v\n%+v", before.Status, now.Status)
	}
	s.eventually("who reads is told what it says", func() bool {
		_, err := s.resolve(ns, "old/"+ns+"/x#/k")
		return s.fails(reason, err).Message == messageOf(s.connection(conn), v1alpha1.Ready)
	})
}

func TestOneNamespaceWithoutRightsIsNoFailureOfTheConnection(t *testing.T) {
	s := newSystem(t)
	some, none := s.tenant(), s.tenant()
	mount := "jwt-" + none
	s.ok(s.Vault.JWT(t.Context(), mount, s.Cluster))
	s.ok(s.Vault.Write(t.Context(), "auth/"+mount+"/role/some", map[string]any{
		"role_type": "jwt", "bound_audiences": []string{"vault"}, "user_claim": "sub", "token_policies": []string{"tenant"}, "token_type": "batch",
		"bound_claims": map[string]any{"/kubernetes.io/namespace": some}, "claim_mappings": map[string]any{"/kubernetes.io/namespace": "service_account_namespace"},
	}))
	s.look()
	conn := s.connect(func(spec *spec) { spec.Auth.JWT.Mount, spec.Auth.JWT.Role = mount, "some" })
	s.eventually("one is refused", func() bool {
		_, err := s.resolve(none, "apps/"+none+"/x#/k")
		return err != nil && strings.Contains(err.Error(), "claim")
	})
	s.says(conn, "Ready=False/VaultLoginFailed", "Authenticated=False/VaultLoginFailed")
	s.eventually("another is not", func() bool {
		_, err := s.resolve(some, "apps/"+some+"/x#/k")
		return err != nil && strings.Contains(err.Error(), vault.Denied) // its policy is of another mount
	})
	vc := s.says(conn, "Ready=True/Answers", "Authenticated=True/LoggedIn")
	if m := messageOf(vc, v1alpha1.Authenticated); !strings.Contains(m, none+"/vault-reader") || strings.Contains(m, some) {
		t.Errorf("it names another: %s", m)
	}
}

func TestADeletedConnectionIsForgotten(t *testing.T) {
	s := newSystem(t)
	s.look()
	conn := s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.eventually("it resolves", func() bool { _, err := s.resolve(ns, "apps/"+ns+"/x#/k"); return err == nil })
	s.ok(s.admin.Delete(t.Context(), &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: conn}}))
	s.eventually("it fails", func() bool { _, err := s.resolve(ns, "apps/"+ns+"/x#/k"); return err != nil })
	_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	_ = s.fails(vault.NoConnection, err)
	s.eventually("its metrics go", func() bool { return s.metric("fuin_vault_requests_total", conn) == 0 })
}
