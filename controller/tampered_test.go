package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// setStatus writes a status as somebody who may would, whoever else writes.
func (s *system) setStatus(namespace, name string, status map[string]any) {
	s.T.Helper()
	s.Eventually("a status is written", func() bool {
		u := fuintest.NamedSealedSecret(namespace, name)
		s.OK(s.Client().Get(s.T.Context(), fuintest.Key(namespace, name), u))
		u.Object["status"] = status
		err := s.Client().Status().Update(s.T.Context(), u)
		if !apierrors.IsConflict(err) {
			s.OK(err)
		}
		return err == nil
	})
}

// statusOf is the status as it stands there.
func (s *system) statusOf(namespace, name string) map[string]any {
	s.T.Helper()
	return statusTree(s.T, s.SealedSecret(namespace, name))
}

// statusTree is an object's status as unstructured content.
func statusTree(t testing.TB, ss *bitnami.SealedSecret) map[string]any {
	t.Helper()
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(ss)
	if err != nil {
		t.Fatal(err)
	}
	return tree["status"].(map[string]any)
}

// claims is a status that says all is well, with codes that nobody made.
func claims(generation int64) map[string]any {
	condition := func(kind, status string) map[string]any {
		return map[string]any{
			"type": kind, "status": status, "observedGeneration": generation, "reason": "Unsealed",
			"message": "its Secret is as it says", "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z",
		}
	}
	const garbage = "Z2FyYmFnZQ=="
	return map[string]any{
		"observedGeneration": generation,
		"conditions":         []any{condition("Synced", "True"), condition("Ready", "True"), condition("Stalled", "False")},
		"fuin":               map[string]any{"mac": garbage, "madeMAC": garbage, "mode": "Owned", "specDigest": garbage, "keys": []any{"SHA256:" + garbage}},
	}
}

// tampering is what somebody does who may write statuses, to an object that
// opened; other names one of the same namespace that opened as well.
type tampering struct {
	name string
	do   func(s *system, ns, name, other string)
	fine bool // the object still opens; if not, it is to be called failed
	want string
}

var tamperings = []tampering{
	{"nothing at all", func(s *system, ns, name, _ string) {}, true, "v1"},
	{"emptied", func(s *system, ns, name, _ string) {
		s.setStatus(ns, name, map[string]any{})
	}, true, "v1"},
	{"emptied, and the Secret edited", func(s *system, ns, name, _ string) {
		s.setStatus(ns, name, map[string]any{})
		s.editSecret(ns, name)
	}, true, "v1"},
	{"replayed after the Secret was edited", func(s *system, ns, name, _ string) {
		before := s.statusOf(ns, name)
		s.editSecret(ns, name)
		s.setStatus(ns, name, before)
	}, true, "v1"},
	{"replayed after the Secret was deleted", func(s *system, ns, name, _ string) {
		before := s.statusOf(ns, name)
		s.OK(s.Client().Delete(s.T.Context(), fuintest.NamedSecret(ns, name)))
		s.setStatus(ns, name, before)
	}, true, "v1"},
	{"says that the deleted Secret stays away", func(s *system, ns, name, _ string) {
		forged := s.statusOf(ns, name)
		at(forged, string(bitnami.Unowned), "fuin", "mode")
		s.OK(s.Client().Delete(s.T.Context(), fuintest.NamedSecret(ns, name)))
		s.setStatus(ns, name, forged)
	}, true, "v1"},
	{"replayed after the spec changed", func(s *system, ns, name, _ string) {
		before := s.statusOf(ns, name)
		s.Put(s.Seal(secret(ns, name, "k", "v2"), true))
		s.setStatus(ns, name, observing(before, s.SealedSecret(ns, name).Generation))
	}, true, "v2"},
	{"replayed after the object was made anew", func(s *system, ns, name, _ string) {
		before := s.statusOf(ns, name)
		s.OK(s.Client().Delete(s.T.Context(), fuintest.NamedSealedSecret(ns, name)))
		s.Eventually("it is gone", func() bool { return s.Secret(ns, name) == nil })
		s.Put(s.Seal(secret(ns, name, "k", "v2"), true))
		s.setStatus(ns, name, before)
	}, true, "v2"},
	{"another's, after a value was moved", func(s *system, ns, name, other string) {
		s.misplace(ns, name)
		s.setStatus(ns, name, observing(s.statusOf(ns, other), s.SealedSecret(ns, name).Generation))
	}, false, "v1"},
	{"forged, after a value was moved", func(s *system, ns, name, _ string) {
		s.misplace(ns, name)
		s.setStatus(ns, name, claims(s.SealedSecret(ns, name).Generation))
	}, false, "v1"},
	{"forged, and the Secret edited", func(s *system, ns, name, _ string) {
		s.editSecret(ns, name)
		s.setStatus(ns, name, claims(s.SealedSecret(ns, name).Generation))
	}, true, "v1"},
}

// editSecret gives the Secret a value that nobody sealed.
func (s *system) editSecret(ns, name string) {
	s.T.Helper()
	s.Patch(fuintest.NamedSecret(ns, name), `{"data":{"k":"eA==","planted":"eA=="}}`)
}

// misplace puts a value into the object that was sealed for another.
func (s *system) misplace(ns, name string) {
	s.T.Helper()
	s.Put(s.Edit(s.Seal(secret(ns, "elsewhere", "k", "v2"), true), func(m map[string]any) { at(m, name, "metadata", "name") }))
}

// observing makes a status speak of a generation.
func observing(status map[string]any, generation int64) map[string]any {
	status["observedGeneration"] = generation
	for _, c := range status["conditions"].([]any) {
		if c := c.(map[string]any); c["observedGeneration"] != nil {
			c["observedGeneration"] = generation
		}
	}
	return status
}

// TestTamperedStatusHidesNothing tampers with statuses while the controller
// watches, and while it is away.
func TestTamperedStatusHidesNothing(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	for _, away := range []bool{false, true} {
		ns := s.Namespace(t)
		s.Put(s.Seal(secret(ns, "other", "k", "v1"), true))
		names := map[string]tampering{}
		for i, row := range tamperings {
			name := fmt.Sprintf("db-%d", i)
			names[name] = row
			s.Put(s.Seal(secret(ns, name, "k", "v1"), true))
		}
		for name := range names {
			s.Opens(ns, name, "k", "v1")
			s.Rests(ns, name)
		}
		s.Rests(ns, "other")
		if away {
			p.Stop()
		}
		for name, row := range names {
			row.do(s, ns, name, "other")
		}
		if away {
			p = s.Run(fuintest.Alone)
		}
		for name, row := range names {
			s.hidesNothing(fmt.Sprintf("%s (away: %t)", row.name, away), ns, name, row)
		}
	}
}

func (s *system) hidesNothing(what, ns, name string, row tampering) {
	s.T.Helper()
	ready := corev1.ConditionTrue
	message := ""
	if !row.fine {
		ready, message = corev1.ConditionFalse, "and moved"
	}
	s.Eventually(what+": the Secret and the status are right", func() bool {
		ss, made := s.SealedSecret(ns, name), s.Secret(ns, name)
		if made == nil || string(made.Data["k"]) != row.want || len(made.Data) != 1 || ss.Status.ObservedGeneration != ss.Generation {
			return false
		}
		for _, c := range ss.Status.Conditions {
			if c.Type == bitnami.Ready {
				return c.Status == ready && strings.Contains(c.Message, message)
			}
		}
		return false
	})
}

// ageKey is the Secret of the cluster's age key.
func (s *system) ageKey() *corev1.Secret {
	s.T.Helper()
	var list corev1.SecretList
	s.OK(s.Client().List(s.T.Context(), &list, client.InNamespace("fuin-system")))
	i := slices.IndexFunc(list.Items, func(one corev1.Secret) bool { return one.Type == keys.TypeAge })
	if i < 0 {
		s.T.Fatal("the cluster has no age key")
	}
	return &list.Items[i]
}

// A revoked key opens nothing more, whatever the status says of when it did.
func TestReplayedStatusHidesNoRevokedKey(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	for _, name := range []string{"live", "away"} {
		s.Put(s.Seal(secret(ns, name, "k", "v"), true))
		s.Opens(ns, name, "k", "v")
		s.Rests(ns, name)
	}
	before := map[string]map[string]any{"live": s.statusOf(ns, "live"), "away": s.statusOf(ns, "away")}
	key := s.ageKey()
	label := func(state string) { s.Patch(key, `{"metadata":{"labels":{"`+keys.LabelAge+`":"`+state+`"}}}`) }

	label("revoked")
	for name := range before {
		s.Says(ns, name, bitnami.Ready, corev1.ConditionFalse, "no key opens it")
	}
	s.setStatus(ns, "live", before["live"])
	s.Says(ns, "live", bitnami.Ready, corev1.ConditionFalse, "no key opens it")
	p.Stop()
	for name, status := range before {
		s.setStatus(ns, name, status)
	}
	s.Run(fuintest.Alone)
	for name := range before {
		s.Says(ns, name, bitnami.Ready, corev1.ConditionFalse, "no key opens it")
	}
	label("active")
	for name := range before {
		s.Says(ns, name, bitnami.Ready, corev1.ConditionTrue, "")
	}
}

// Somebody who writes statuses without end makes the controller open the object
// once for each at most, and never write its Secret.
func TestStatusWrittenBySomebodyElseCausesBoundedWork(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	for _, name := range []string{"db", "other"} {
		s.Put(s.Seal(secret(ns, name, "k", "v"), false))
		s.Opens(ns, name, "k", "v")
		s.Rests(ns, name)
	}
	_, secretBefore := s.Rests(ns, "db")
	own := s.statusOf(ns, "db")
	before := p.Operations()
	const writes = 100
	for i := range writes {
		status := []map[string]any{{}, claims(1), s.statusOf(ns, "other"), own}[i%4]
		s.setStatus(ns, "db", status)
	}
	s.Eventually("the status is its own again", func() bool {
		now := s.statusOf(ns, "db")
		record, _ := now["fuin"].(map[string]any)
		return record != nil && record["mac"] == own["fuin"].(map[string]any)["mac"]
	})
	s.Put(s.Seal(secret(ns, "later", "k", "v"), false))
	s.Opens(ns, "later", "k", "v")
	s.Rests(ns, "later")
	if n := p.Operations() - before - 1; n > writes {
		t.Errorf("%d operations for %d statuses of somebody else", n, writes)
	}
	if after := s.Secret(ns, "db"); after.ResourceVersion != secretBefore || string(after.Data["k"]) != "v" {
		t.Error("the Secret was written")
	}
}
