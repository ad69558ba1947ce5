package controller_test

import (
	"fmt"
	"maps"
	"testing"

	"fuin.dev/controller/kubetest"
)

// versions are the resource versions of all SealedSecrets and Secrets of a
// namespace, once nothing changes any more.
func (s *system) versions(namespace string, names []string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, name := range names {
		sealed, made := s.rests(namespace, name)
		out[name] = sealed + " " + made
	}
	return out
}

func TestRestartOpensAndWritesNothing(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run()
	ns := s.Namespace(t)
	names := s.variety(ns)
	before := s.versions(ns, names)
	if p.metric("fuin_private_key_operations_total") == 0 {
		t.Fatal("the first run counted no operation")
	}
	p.stop()

	p = s.run()
	// One more object tells when the queue has gone through the others.
	s.apply(s.seal(secret(ns, "z-later", "k", "v"), true))
	s.opens(ns, "z-later", "k", "v")
	s.rests(ns, "z-later")
	s.eventually("all are shown in the metrics", func() bool {
		return p.metric("sealed_secrets_controller_condition_info") != 0 &&
			int(p.metric("controller_runtime_reconcile_total")) > len(names)
	})
	if n := p.metric("fuin_private_key_operations_total"); n != 1 {
		t.Errorf("%v private-key operations, want the one of the new object", n)
	}
	if after := s.versions(ns, names); !maps.Equal(before, after) {
		t.Errorf("a restart wrote:\n%v\n%v", before, after)
	}
}

// variety makes SealedSecrets of every sort, good and bad, and lists them.
func (s *system) variety(ns string) []string {
	s.t.Helper()
	var names []string
	add := func(manifest, name string) {
		s.apply(manifest)
		names = append(names, name)
	}
	for i, age := range []bool{false, true} {
		name := fmt.Sprintf("plain-%d", i)
		add(s.seal(secret(ns, name, "a", "1", "b", "2"), age), name)
	}
	add(s.edit(s.seal(secret(ns, "template", "pw", "x"), true), func(m map[string]any) {
		at(m, map[string]any{"t": "{{ .pw }}-{{ randAlphaNum 8 }}"}, "spec", "template", "data")
		at(m, map[string]any{"app": "x"}, "spec", "template", "metadata", "labels")
	}), "template")
	add(s.edit(s.seal(secret(ns, "moved", "k", "v"), false), func(m map[string]any) {
		at(m, "moved-away", "metadata", "name")
	}), "moved-away")
	add(s.edit(s.seal(secret(ns, "unowned", "k", "v"), false), func(m map[string]any) {
		at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}), "unowned")
	for _, name := range []string{"foreign", "patched"} {
		other := namedSecret(ns, name)
		other.Data = map[string][]byte{"theirs": []byte("x")}
		if name == "patched" {
			other.Annotations = map[string]string{patched: "true"}
		}
		s.ok(s.Client().Create(s.t.Context(), other))
		add(s.seal(secret(ns, name, "k", "v"), true), name)
	}
	return names
}

func TestMetadataOfAppliersCausesNothing(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run()
	ns := s.Namespace(t)
	s.apply(s.seal(secret(ns, "db", "k", "v"), false))
	s.opens(ns, "db", "k", "v")
	_, before := s.rests(ns, "db")
	operations := p.metric("fuin_private_key_operations_total")
	for _, metadata := range []string{
		`{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}}`,
		`{"labels":{"kustomize.toolkit.fluxcd.io/name":"apps","kustomize.toolkit.fluxcd.io/namespace":"flux-system"},"annotations":{"kustomize.toolkit.fluxcd.io/checksum":"1"}}`,
		`{"labels":{"argocd.argoproj.io/instance":"shop"},"annotations":{"argocd.argoproj.io/tracking-id":"shop:bitnami.com/SealedSecret:x/db"}}`,
		`{"labels":{"app.kubernetes.io/managed-by":"spinnaker"},"annotations":{"artifact.spinnaker.io/location":"x","moniker.spinnaker.io/application":"shop"}}`,
		`{"labels":{"skaffold.dev/run-id":"123"}}`,
	} {
		s.patch(namedSealedSecret(ns, "db"), `{"metadata":`+metadata+`}`)
	}
	s.apply(s.seal(secret(ns, "later", "k", "v"), true))
	s.opens(ns, "later", "k", "v")
	s.rests(ns, "later")
	if n := p.metric("fuin_private_key_operations_total") - operations; n != 1 {
		t.Errorf("%v more operations, want the one of the later object", n)
	}
	made := s.secretOf(ns, "db")
	if made.ResourceVersion != before || len(made.Labels)+len(made.Annotations) != 0 {
		t.Errorf("the Secret was written, or has the metadata: %v %v", made.Labels, made.Annotations)
	}
}
