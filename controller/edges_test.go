package controller_test

import (
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The last active key may be revoked: another is made at once, and a restart
// finds it.
func TestLastKeyIsReplaced(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run()
	before := s.keys()
	revoked := s.recipient("cert.pem").Fingerprint()
	for name := range before {
		if strings.HasPrefix(name, "sealed-secrets-key") {
			s.patch(namedSecret("fuin-system", name), `{"metadata":{"labels":{"`+keys.LabelState+`":"revoked"}}}`)
		}
	}
	s.eventually("another certificate is published", func() bool { return s.recipient("cert.pem").Fingerprint() != revoked })
	if after := s.keys(); len(after) != len(before)+1 {
		t.Errorf("the keys are %v", after)
	}
	p.stop()
	s.run()
	ns := s.Namespace(t)
	s.apply(s.seal(secret(ns, "db", "k", "v"), false))
	s.opens(ns, "db", "k", "v")
}

// A generation can change without anything that is opened or made.
func TestGenerationIsObserved(t *testing.T) {
	s, ns := shared(t)
	s.apply(s.seal(secret(ns, "db", "k", "v"), true))
	s.opens(ns, "db", "k", "v")
	_, before := s.rests(ns, "db")
	s.patch(namedSealedSecret(ns, "db"), `{"spec":{"template":{"metadata":{"x-unknown":"1"}}}}`)
	s.eventually("the generation is observed", func() bool {
		ss := s.sealedSecret(ns, "db")
		return ss.Generation == 2 && ss.Status.ObservedGeneration == 2
	})
	if after := s.secretOf(ns, "db").ResourceVersion; after != before {
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
	p := s.run()
	ns := s.Namespace(t)
	s.apply(policy)
	denied := namedSecret(ns, "probe")
	denied.Data = map[string][]byte{"denied": []byte("x")}
	s.eventually("the policy is in force", func() bool {
		if s.Client().Create(t.Context(), denied.DeepCopy()) != nil {
			return true
		}
		_ = s.Client().Delete(t.Context(), denied)
		return false
	})
	s.apply(s.seal(secret(ns, "db", "denied", canary), true))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "denied")
	s.says(ns, "db", bitnami.Stalled, corev1.ConditionFalse, "")
	s.search("status", s.sealedSecret(ns, "db").Status)
	s.ok(s.ApplyYAML(t.Context(), "", strings.Replace(policy, "!has(object.data) ||", "true ||", 1)))
	s.opens(ns, "db", "denied", canary)
	var events corev1.EventList
	s.ok(s.Client().List(t.Context(), &events, client.InNamespace(ns)))
	s.search("events", events)
	s.search("log", p.log.String())
}

func TestManagedAndPatchedSecretIsMadeAgain(t *testing.T) {
	s, ns := shared(t)
	other := namedSecret(ns, "db")
	other.Annotations = map[string]string{patched: "true", managed: "true"}
	s.ok(s.Client().Create(t.Context(), other))
	s.apply(s.seal(secret(ns, "db", "k", "v"), true))
	s.opens(ns, "db", "k", "v")
	s.rests(ns, "db")
	s.ok(s.Client().Delete(t.Context(), namedSecret(ns, "db")))
	s.opens(ns, "db", "k", "v")
}

// The record of an unowned Secret can be lost between two writes.
func TestUnownedSecretIsKnownWithoutARecord(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.run()
	ns := s.Namespace(t)
	unowned := func(m map[string]any) {
		at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}
	s.apply(s.edit(s.seal(secret(ns, "db", "k", "v"), true), unowned))
	s.opens(ns, "db", "k", "v")
	s.rests(ns, "db")
	p.stop()
	bare := namedSealedSecret(ns, "db")
	s.ok(s.Client().Get(t.Context(), clientKey(ns, "db"), bare))
	bare.Object["status"] = map[string]any{}
	s.ok(s.Client().Status().Update(t.Context(), bare))
	s.run()
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "")
	s.apply(s.edit(s.seal(secret(ns, "db", "k", "v2"), true), unowned))
	s.opens(ns, "db", "k", "v2")
}

func TestHugeMessageIsCut(t *testing.T) {
	s, ns := shared(t)
	s.apply(s.edit(s.seal(secret(ns, "db", "k", "v"), true), func(m map[string]any) {
		templates := map[string]any{}
		for i := range 300 {
			templates[strings.Repeat("x", 200)+string(rune('a'+i%26))+strings.Repeat("y", i)] = "{{"
		}
		at(m, templates, "spec", "template", "data")
	}))
	s.says(ns, "db", bitnami.Stalled, corev1.ConditionTrue, "")
	for _, c := range s.sealedSecret(ns, "db").Status.Conditions {
		if len(c.Message) > 2100 {
			t.Errorf("%s says %d bytes", c.Type, len(c.Message))
		}
	}
}
