package vault_test

import (
	"strings"
	"testing"

	"fuin.dev/controller/vault"
	"fuin.dev/render/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestChoosingAConnection(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	prefixed := s.connect(func(spec *spec) {
		spec.PathPrefixes = []string{"old/{namespace}"}
		spec.Auth.JWT.Role = "nobody" // whoever comes here fails, and tells it
	})
	foreign := s.connect(func(spec *spec) {
		spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"test": "another"}}
	})
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.ok(s.Vault.Write(t.Context(), "old/"+ns+"/x", map[string]any{"k": "v"}))
	ask := func(ns, annotation, ref string) error {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, Connection: annotation, References: s.refs(ref)})
		return err
	}
	s.ok(ask(ns, "", "apps/"+ns+"/x#/k"))
	f := s.fails(vault.LoginFailed, ask(ns, "", "old/"+ns+"/x#/k")) // the longest prefix
	if f.Connection != prefixed {
		t.Errorf("it is of %s", f.Connection)
	}
	_ = s.fails(vault.Refused, ask(ns, prefixed, "apps/"+ns+"/x#/k"))
	_ = s.fails(vault.NoConnection, ask(ns, "none", "apps/"+ns+"/x#/k"))
	_ = s.fails(vault.NoConnection, ask(ns, foreign, "apps/"+ns+"/x#/k"))
	_ = s.fails(vault.NoConnection, ask(s.Namespace(t), "", "apps/"+ns+"/x#/k"))
	second := s.connect(nil)
	if f := s.fails(vault.AmbiguousConnection, ask(ns, "", "apps/"+ns+"/x#/k")); !strings.Contains(f.Message, "fuin.dev/vault-connection") {
		t.Errorf("it does not say what to do: %v", f)
	}
	s.ok(ask(ns, second, "apps/"+ns+"/x#/k"))
}

func TestAPathBesideThePrefixMeetsNoRequest(t *testing.T) {
	s := newSystem(t)
	p := s.proxy()
	s.through(p, func(spec *spec) { spec.PathPrefixes = []string{"apps/{namespace}/"} })
	ns := s.tenant()
	paths := []string{
		"apps/other/x", "apps/" + ns + "more/x", "apps", "old/" + ns + "/x", "apps/other/data/" + ns,
		// Which the grammar refuses, too.
		"apps/" + ns + "/../other/x", "apps//" + ns, "apps/./" + ns, "/apps/" + ns + "/x", "apps/" + ns + "/",
	}
	for _, path := range paths {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: []reference.Reference{{Path: path}}})
		_ = s.fails(vault.Refused, err)
	}
	if len(p.noted()) > 0 {
		t.Errorf("there was a request to %s", p.noted()[0].URL.Path)
	}
}
