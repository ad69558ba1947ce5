package controller_test

import (
	"fmt"
	"maps"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
)

func TestRestartOpensAndWritesNothing(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	names := s.variety(ns)
	before := s.Versions(ns, names)
	if p.Operations() == 0 {
		t.Fatal("the first run counted no operation")
	}
	p.Stop()

	p = s.Run(fuintest.Alone)
	// One more object tells when the queue has gone through the others.
	s.Put(s.Seal(secret(ns, "z-later", "k", "v"), true))
	s.Opens(ns, "z-later", "k", "v")
	s.Rests(ns, "z-later")
	s.Eventually("all are shown in the metrics", func() bool {
		return p.Metric("sealed_secrets_controller_condition_info") != 0 &&
			int(p.Metric("controller_runtime_reconcile_total")) > len(names)
	})
	if n := p.Operations(); n != 1 {
		t.Errorf("%v private-key operations, want the one of the new object", n)
	}
	if after := s.Versions(ns, names); !maps.Equal(before, after) {
		t.Errorf("a restart wrote:\n%v\n%v", before, after)
	}
}

// variety makes SealedSecrets of every sort, good and bad, and lists them.
func (s *system) variety(ns string) []string {
	s.T.Helper()
	var names []string
	add := func(manifest, name string) {
		s.Put(manifest)
		names = append(names, name)
	}
	for i, age := range []bool{false, true} {
		name := fmt.Sprintf("plain-%d", i)
		add(s.Seal(secret(ns, name, "a", "1", "b", "2"), age), name)
	}
	add(s.Edit(s.Seal(secret(ns, "template", "pw", "x"), true), func(m map[string]any) {
		at(m, map[string]any{"t": "{{ .pw }}-{{ randAlphaNum 8 }}"}, "spec", "template", "data")
		at(m, map[string]any{"app": "x"}, "spec", "template", "metadata", "labels")
	}), "template")
	add(s.Edit(s.Seal(secret(ns, "moved", "k", "v"), false), func(m map[string]any) {
		at(m, "moved-away", "metadata", "name")
	}), "moved-away")
	add(s.Edit(s.Seal(secret(ns, "unowned", "k", "v"), false), func(m map[string]any) {
		at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}), "unowned")
	for _, name := range []string{"foreign", "patched"} {
		other := fuintest.NamedSecret(ns, name)
		other.Data = map[string][]byte{"theirs": []byte("x")}
		if name == "patched" {
			other.Annotations = map[string]string{patched: "true"}
		}
		s.OK(s.Client().Create(s.T.Context(), other))
		add(s.Seal(secret(ns, name, "k", "v"), true), name)
	}
	return names
}

func TestMetadataOfAppliersCausesNothing(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	s.Put(s.Seal(secret(ns, "db", "k", "v"), false))
	s.Opens(ns, "db", "k", "v")
	_, before := s.Rests(ns, "db")
	operations := p.Operations()
	for _, metadata := range []string{
		`{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}}`,
		`{"labels":{"kustomize.toolkit.fluxcd.io/name":"apps","kustomize.toolkit.fluxcd.io/namespace":"flux-system"},"annotations":{"kustomize.toolkit.fluxcd.io/checksum":"1"}}`,
		`{"labels":{"argocd.argoproj.io/instance":"shop"},"annotations":{"argocd.argoproj.io/tracking-id":"shop:bitnami.com/SealedSecret:x/db"}}`,
		`{"labels":{"app.kubernetes.io/managed-by":"spinnaker"},"annotations":{"artifact.spinnaker.io/location":"x","moniker.spinnaker.io/application":"shop"}}`,
		`{"labels":{"skaffold.dev/run-id":"123"}}`,
	} {
		s.Patch(fuintest.NamedSealedSecret(ns, "db"), `{"metadata":`+metadata+`}`)
	}
	s.Put(s.Seal(secret(ns, "later", "k", "v"), true))
	s.Opens(ns, "later", "k", "v")
	s.Rests(ns, "later")
	if n := p.Operations() - operations; n != 1 {
		t.Errorf("%v more operations, want the one of the later object", n)
	}
	made := s.Secret(ns, "db")
	if made.ResourceVersion != before || len(made.Labels)+len(made.Annotations) != 0 {
		t.Errorf("the Secret was written, or has the metadata: %v %v", made.Labels, made.Annotations)
	}
}
