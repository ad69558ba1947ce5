package controller_test

import (
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The last active key may be revoked: another is made at once, and a restart
// finds it.
func TestLastKeyIsReplaced(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	before := s.allKeys()
	revoked := s.Recipient("cert.pem").Fingerprint()
	for name := range before {
		if strings.HasPrefix(name, "sealed-secrets-key") {
			s.Patch(fuintest.NamedSecret("fuin-system", name), `{"metadata":{"labels":{"`+keys.LabelState+`":"revoked"}}}`)
		}
	}
	s.Eventually("another certificate is published", func() bool { return s.Recipient("cert.pem").Fingerprint() != revoked })
	if after := s.keys(); len(after) != len(before)+1 {
		t.Errorf("the keys are %v", after)
	}
	p.Stop()
	s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	s.Put(s.Seal(secret(ns, "db", "k", "v"), false))
	s.Opens(ns, "db", "k", "v")
}

// A generation can change without anything that is opened or made.
func TestGenerationIsObserved(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Seal(secret(ns, "db", "k", "v"), true))
	s.Opens(ns, "db", "k", "v")
	_, before := s.Rests(ns, "db")
	s.Patch(fuintest.NamedSealedSecret(ns, "db"), `{"spec":{"template":{"metadata":{"x-unknown":"1"}}}}`)
	s.Eventually("the generation is observed", func() bool {
		ss := s.SealedSecret(ns, "db")
		return ss.Generation == 2 && ss.Status.ObservedGeneration == 2
	})
	if after := s.Secret(ns, "db").ResourceVersion; after != before {
		t.Error("the Secret was written")
	}
}

// policy denies Secrets of a namespace and quotes their value, as policies do.
const policy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: quotes}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}]
  validations:
  - expression: "!has(object.data) || !('denied' in object.data)"
    messageExpression: "'data is ' + string(object.data['denied'])"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: quotes}
spec: {policyName: quotes, validationActions: [Deny]}
`

// What denies a Secret may change its mind, and may not quote it.
func TestDenialIsRetriedAndNotRepeated(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	s.Put(policy)
	denied := fuintest.NamedSecret(ns, "probe")
	denied.Data = map[string][]byte{"denied": []byte("x")}
	s.Eventually("the policy is in force", func() bool {
		if s.Client().Create(t.Context(), denied.DeepCopy()) != nil {
			return true
		}
		_ = s.Client().Delete(t.Context(), denied)
		return false
	})
	s.Put(s.Seal(secret(ns, "db", "denied", canary), true))
	s.Says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "denied")
	s.Says(ns, "db", bitnami.Stalled, corev1.ConditionFalse, "")
	s.Search("status", s.SealedSecret(ns, "db").Status, canary)
	s.OK(s.ApplyYAML(t.Context(), "", strings.Replace(policy, "!has(object.data) ||", "true ||", 1)))
	s.Opens(ns, "db", "denied", canary)
	var events corev1.EventList
	s.OK(s.Client().List(t.Context(), &events, client.InNamespace(ns)))
	s.Search("events", events, canary)
	s.Search("log", p.Log.String(), canary)
}

func TestManagedAndPatchedSecretIsMadeAgain(t *testing.T) {
	s, ns := shared(t)
	other := fuintest.NamedSecret(ns, "db")
	other.Annotations = map[string]string{patched: "true", managed: "true"}
	s.OK(s.Client().Create(t.Context(), other))
	s.Put(s.Seal(secret(ns, "db", "k", "v"), true))
	s.Opens(ns, "db", "k", "v")
	s.Rests(ns, "db")
	s.OK(s.Client().Delete(t.Context(), fuintest.NamedSecret(ns, "db")))
	s.Opens(ns, "db", "k", "v")
}

// The record of an unowned Secret can be lost between two writes.
func TestUnownedSecretIsKnownWithoutARecord(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	unowned := func(m map[string]any) {
		at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}
	s.Put(s.Edit(s.Seal(secret(ns, "db", "k", "v"), true), unowned))
	s.Opens(ns, "db", "k", "v")
	s.Rests(ns, "db")
	p.Stop()
	bare := fuintest.NamedSealedSecret(ns, "db")
	s.OK(s.Client().Get(t.Context(), fuintest.Key(ns, "db"), bare))
	bare.Object["status"] = map[string]any{}
	s.OK(s.Client().Status().Update(t.Context(), bare))
	s.Run(fuintest.Alone)
	s.Says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "")
	s.Put(s.Edit(s.Seal(secret(ns, "db", "k", "v2"), true), unowned))
	s.Opens(ns, "db", "k", "v2")
}

func TestHugeMessageIsCut(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Edit(s.Seal(secret(ns, "db", "k", "v"), true), func(m map[string]any) {
		templates := map[string]any{}
		for i := range 300 {
			templates[strings.Repeat("x", 200)+string(rune('a'+i%26))+strings.Repeat("y", i)] = "{{"
		}
		at(m, templates, "spec", "template", "data")
	}))
	s.Says(ns, "db", bitnami.Stalled, corev1.ConditionTrue, "")
	for _, c := range s.SealedSecret(ns, "db").Status.Conditions {
		if len(c.Message) > 2100 {
			t.Errorf("%s says %d bytes", c.Type, len(c.Message))
		}
	}
}
