package references_test

import (
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLastGoodSecretStays while Vault is sealed, stopped, or denies what it gave
// before; that is told, and ends by itself when all is well again.
func TestLastGoodSecretStays(t *testing.T) {
	vault := vaulttest.New(t, vaulttest.Config{})
	s := newStand(t, kubetest.Shared(t), vault)
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"password": "v0"})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"password": s.ref(ns, "db", "password")}))
	made := s.has(ns, "db", map[string]string{"password": "v0"})
	ctx := t.Context()
	for _, trouble := range []struct {
		name, reason string
		begin, end   func() error
	}{
		{"sealed", "VaultSealed", func() error { return vault.Seal(ctx, 0) }, func() error { return vault.Unseal(ctx, 0) }},
		{"stopped", "VaultUnreachable", func() error { return vault.Process.Stop() }, func() error {
			if err := vault.Process.Start(ctx); err != nil {
				return err
			}
			return vault.Unseal(ctx, 0)
		}},
		{"denied", "VaultDenied", func() error { return vault.Client().Sys().DeletePolicyWithContext(ctx, s.name) }, func() error {
			return vault.Policy(ctx, s.name, s.name+"-jwt", strings.ReplaceAll(policy, "NAME", s.name))
		}},
		{"absent", "VaultAbsent", func() error {
			_, err := vault.Client().Logical().DeleteWithContext(ctx, s.name+"-kv/data/"+ns+"/db")
			return err
		}, func() error { return nil }},
	} {
		s.OK(trouble.begin())
		c := s.says(ns, "db", bitnami.Stale, corev1.ConditionTrue, trouble.reason)
		if !strings.Contains(c.Message, "last read 2") {
			t.Errorf("%s: no age: %s", trouble.name, c.Message)
		}
		s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
		if got := s.Secret(ns, "db"); got.ResourceVersion != made.ResourceVersion {
			t.Errorf("%s: the Secret was written: %v", trouble.name, got.Data)
		}
		s.OK(trouble.end())
		value := "after it was " + trouble.name
		s.put(ns, "db", map[string]any{"password": value})
		made = s.has(ns, "db", map[string]string{"password": value})
		s.says(ns, "db", bitnami.Stale, corev1.ConditionFalse, "Read")
	}
}

// TestStaleIsSaidOnce: tries that fail alike write nothing.
func TestStaleIsSaidOnce(t *testing.T) {
	vault := vaulttest.New(t, vaulttest.Config{})
	s := newStand(t, kubetest.Shared(t), vault)
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"password": "v0"})
	p := s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"password": s.ref(ns, "db", "password")}))
	s.has(ns, "db", map[string]string{"password": "v0"})
	s.OK(vault.Seal(t.Context(), 0))
	s.says(ns, "db", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")
	again := func(times float64) {
		t.Helper()
		tries := p.Metric("fuin_vault_failures_total")
		s.Eventually("it was tried again", func() bool { return p.Metric("fuin_vault_failures_total") >= tries+times })
	}
	again(1) // what was under way when it was sealed may have failed otherwise
	before := s.SealedSecret(ns, "db").ResourceVersion
	again(3)
	if after := s.SealedSecret(ns, "db").ResourceVersion; after != before {
		t.Errorf("the status was written again: %s, then %s", before, after)
	}

	// Neither does a restart forget it, nor that the Secret is the last good one.
	said := s.says(ns, "db", bitnami.Stale, corev1.ConditionTrue, "VaultSealed").Message
	p.Stop()
	p = s.Run(fuintest.Alone)
	s.Eventually("it was tried again", func() bool { return p.Metric("fuin_vault_failures_total") >= 2 })
	c := s.says(ns, "db", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")
	if before, _, _ := strings.Cut(said, ": "); !strings.HasPrefix(c.Message, before) {
		t.Errorf("after a restart it says %q, before %q", c.Message, said)
	}
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
}

// TestNoSecretWithoutItsValues: one that was never read is not Ready and made by
// nobody; one of an older spec stays as it is.
func TestNoSecretWithoutItsValues(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"password": "v0"})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "new", map[string]any{"a": s.ref(ns, "db", "password"), "b": s.ref(ns, "missing", "k")}))
	c := s.says(ns, "new", bitnami.Ready, corev1.ConditionFalse, "VaultAbsent")
	if !strings.Contains(c.Message, "reading its references: ") || !strings.Contains(c.Message, "optional=true") {
		t.Errorf("Ready does not say what to do: %s", c.Message)
	}
	if c = s.says(ns, "new", bitnami.Stale, corev1.ConditionTrue, "VaultAbsent"); strings.Contains(c.Message, "reading its references") {
		t.Errorf("Stale says it twice: %s", c.Message)
	}
	s.says(ns, "new", bitnami.Stalled, corev1.ConditionFalse, "VaultAbsent")
	if s.Secret(ns, "new") != nil {
		t.Error("there is a Secret")
	}
	s.apply(templated(ns, "old", map[string]any{"a": s.ref(ns, "db", "password")}))
	s.has(ns, "old", map[string]string{"a": "v0"})
	s.apply(templated(ns, "old", map[string]any{"a": s.ref("another-namespace", "db", "password")}))
	s.says(ns, "old", bitnami.Ready, corev1.ConditionFalse, "VaultDenied")
	s.has(ns, "old", map[string]string{"a": "v0"})

	s.put(ns, "missing", map[string]any{"k": "there"})
	s.has(ns, "new", map[string]string{"a": "v0", "b": "there"})
}

// TestOptionalReferences: an absent one leaves out its key and no other, from the
// first time on or later.
func TestOptionalReferences(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"password": "v0"})
	s.put(ns, "feature", map[string]any{"token": "t0"})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{
		"password": s.ref(ns, "db", "password"), "never": s.ref(ns, "nothing", "k", "optional=true"),
		"feature": "<" + s.ref(ns, "feature", "token", "optional=true") + ">",
	}))
	s.has(ns, "db", map[string]string{"password": "v0", "feature": "<t0>"})
	_, err := s.vault.Client().Logical().DeleteWithContext(t.Context(), s.name+"-kv/data/"+ns+"/feature")
	s.OK(err)
	s.has(ns, "db", map[string]string{"password": "v0"})
	s.put(ns, "feature", map[string]any{"token": "t1"})
	s.has(ns, "db", map[string]string{"password": "v0", "feature": "<t1>"})
}

// TestRepair: a Secret that somebody edits or deletes is made again of
// what Vault has.
func TestRepair(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"password": "v0"})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"password": s.ref(ns, "db", "password")}))
	made := s.has(ns, "db", map[string]string{"password": "v0"})
	s.Patch(made, `{"data":{"password":"ZWRpdGVk"}}`)
	s.has(ns, "db", map[string]string{"password": "v0"})
	s.OK(s.Client().Delete(t.Context(), made))
	if again := s.has(ns, "db", map[string]string{"password": "v0"}); again.UID == made.UID {
		t.Error("it was not deleted")
	}
}

// TestUnreadableReferencesHoldWorkloads: in an Environment, only those that name
// the Secret, until it can be read.
func TestUnreadableReferencesHoldWorkloads(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "held"), nil)
	revision := e.commit(map[string]any{
		"db.json":  secretOf("db", map[string]any{"stringData": map[string]any{"password": s.ref(e.NS, "db", "password")}}),
		"web.json": workload("web", "db"), "other.json": workload("other", "mail"),
	})
	env := e.becomes(revision, metav1.ConditionFalse, "SecretsFailed", "VaultAbsent")
	if f := env.Status.Secrets.Failed; len(f) != 1 || f[0].Reason != "VaultAbsent" || f[0].File != "db.json" || len(f[0].Holds) != 1 {
		t.Errorf("failed: %+v", f)
	}
	e.Eventually("the other workload is there", func() bool { return e.ReplicaSets("other") == 1 })
	if e.ReplicaSets("web") != 0 {
		t.Error("the workload was applied")
	}
	s.put(e.NS, "db", map[string]any{"password": "now"})
	e.becomes(revision, metav1.ConditionTrue, "Applied", "")
	s.has(e.NS, "db", map[string]string{"password": "now"})
	e.Eventually("the workload is there", func() bool { return e.ReplicaSets("web") == 1 })
}
