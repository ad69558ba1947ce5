package references_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
)

// TestReferencesBecomeValues: alone, inside of longer text, nested, decoded, as a
// whole object, beside what a template computes.
func TestReferencesBecomeValues(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{
		"user": "shop", "password": "hunter2", "nested": map[string]any{"port": 5432},
		"der": base64.StdEncoding.EncodeToString([]byte{0, 1, 0xfe, 0xff}),
	})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{
		"alone":  s.ref(ns, "db", "password"),
		"url":    "postgres://" + s.ref(ns, "db", "user") + ":" + s.ref(ns, "db", "password") + "@{{ \"db\" }}:" + s.ref(ns, "db", "nested/port") + "/x",
		"binary": s.ref(ns, "db", "der", "decode=base64"),
		"brace":  "{" + s.ref(ns, "db", "user") + "}",
		"text":   "ref++vault://not/one",
	}))
	made := s.has(ns, "db", map[string]string{
		"alone": "hunter2", "url": "postgres://shop:hunter2@db:5432/x", "binary": "\x00\x01\xfe\xff", "brace": "{shop}", "text": "ref+vault://not/one",
	})
	if owner := made.OwnerReferences; len(owner) != 1 || owner[0].Kind != bitnami.Kind {
		t.Errorf("its owners are %v", owner)
	}
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	s.says(ns, "db", bitnami.Stale, corev1.ConditionFalse, "Read")
}

// TestResolvedValuesStayText: what Vault holds is never read as a template nor as
// a reference.
func TestResolvedValuesStayText(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	values := map[string]any{
		"template": "{{ .other }}{{ fail \"x\" }}", "braces": "{{{", "reference": s.ref(ns, "odd", "other"), "old": "vault:secret/data/x#y", "other": "secret",
	}
	s.put(ns, "odd", values)
	s.Run(fuintest.Alone)
	templates, want := map[string]any{}, map[string]string{}
	for key, value := range values {
		templates[key], want[key] = "<"+s.ref(ns, "odd", key)+">", "<"+value.(string)+">"
	}
	s.apply(templated(ns, "odd", templates))
	s.has(ns, "odd", want)
}

// TestChangedValuesReachTheSecret: at the interval, without anybody's doing; and
// while nothing changes, nothing is written.
func TestChangedValuesReachTheSecret(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"password": "old"})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"password": s.ref(ns, "db", "password")}))
	before := s.has(ns, "db", map[string]string{"password": "old"})
	s.put(ns, "db", map[string]any{"password": "new"})
	after := s.has(ns, "db", map[string]string{"password": "new"})
	if before.UID != after.UID {
		t.Error("the Secret was made anew")
	}
}

// TestMalformedReferencesAreNamed: with key and place, and without the text.
func TestMalformedReferencesAreNamed(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "odd", map[string]any{"k": "x canary-text ref+vault://m/../x#/y+"}))
	c := s.says(ns, "odd", bitnami.Ready, corev1.ConditionFalse, "InvalidReference")
	if !strings.Contains(c.Message, `"k"`) || !strings.Contains(c.Message, "at byte") || strings.Contains(c.Message, "canary") {
		t.Errorf("it says %q", c.Message)
	}
	for _, c := range s.SealedSecret(ns, "odd").Status.Conditions {
		if c.Type == bitnami.Stale {
			t.Errorf("nothing was read, and Stale says %q", c.Message)
		}
	}
	if s.Secret(ns, "odd") != nil {
		t.Error("there is a Secret")
	}
}
