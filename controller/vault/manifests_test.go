package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What Vault adds to the rights of the controller is listed here, and nothing else
// may be in its role.
func TestTheControllersRightsAreListed(t *testing.T) {
	const rest = `
bitnami.com sealedsecrets get list watch
bitnami.com sealedsecrets/status update
 secrets get list watch create update
 events create patch
fuin.dev environments get list watch patch
fuin.dev environments/status environments/finalizers patch update`
	const ofVault = `
fuin.dev vaultconnections get list watch
fuin.dev vaultconnections/status patch update
 namespaces get list watch
 serviceaccounts/token [vault-reader] create`
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "base", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var role rbacv1.ClusterRole
		err := documents.Decode(&role)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if role.Kind != "ClusterRole" || role.Name != "fuin-controller" {
			continue
		}
		for _, rule := range role.Rules {
			got.WriteString("\n" + strings.Join(rule.APIGroups, ",") + " " + strings.Join(rule.Resources, " "))
			if len(rule.ResourceNames) > 0 {
				fmt.Fprintf(&got, " %v", rule.ResourceNames)
			}
			got.WriteString(" " + strings.Join(rule.Verbs, " "))
		}
	}
	if want := rest + ofVault; got.String() != want {
		t.Errorf("got%s\nwant%s", got.String(), want)
	}
}

func TestTheControllerGetsNoOtherAccountsToken(t *testing.T) {
	s := newSystem(t)
	ns := s.tenant()
	for _, name := range []string{"default", "fuin-deployer"} {
		err := s.api.SubResource("token").Create(t.Context(), named(ns, name), tokenRequest())
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.api.SubResource("token").Create(t.Context(), account(ns), tokenRequest()); err != nil {
		t.Error(err)
	}
}

func TestConnectionsThatTheClusterRefuses(t *testing.T) {
	s := newSystem(t)
	jwt := map[string]any{"jwt": map[string]any{"role": "r", "audience": "a"}}
	token := map[string]any{"token": map[string]any{"secretRef": map[string]any{"name": "n"}}}
	approle := map[string]any{"appRole": map[string]any{"secretRef": map[string]any{"name": "n"}}}
	type spec = map[string]any
	tests := map[string]struct {
		change spec
		why    string // empty: it is taken
	}{
		"the least":                      {spec{}, ""},
		"a path in the address":          {spec{"address": "http://vault/behind/this"}, ""},
		"token with prefixes":            {spec{"auth": token, "pathPrefixes": []any{"apps/{namespace}", "{namespace}/"}}, ""},
		"no address":                     {spec{"address": nil}, "address"},
		"a file":                         {spec{"address": "file:///etc/passwd"}, "address"},
		"a user in the address":          {spec{"address": "https://user:word@vault"}, "address"},
		"a query in the address":         {spec{"address": "https://vault?x"}, "address"},
		"no auth":                        {spec{"auth": nil}, "auth"},
		"no kind of auth":                {spec{"auth": map[string]any{}}, "auth"},
		"two kinds of auth":              {spec{"auth": map[string]any{"jwt": jwt["jwt"], "token": token["token"]}, "pathPrefixes": []any{"{namespace}"}}, "auth"},
		"jwt without an audience":        {spec{"auth": map[string]any{"jwt": map[string]any{"role": "r"}}}, "audience"},
		"an auth mount with dots":        {spec{"auth": map[string]any{"jwt": map[string]any{"role": "r", "audience": "a", "mount": "../sys"}}}, "mount"},
		"approle without prefixes":       {spec{"auth": approle}, "{namespace}"},
		"token with a prefix without it": {spec{"auth": token, "pathPrefixes": []any{"apps/{namespace}", "shared"}}, "{namespace}"},
		"it is only a part of a segment": {spec{"auth": token, "pathPrefixes": []any{"apps/x{namespace}"}}, "pathPrefixes"},
		"a prefix with dots":             {spec{"pathPrefixes": []any{"apps/../x"}}, "segment"},
		"a prefix with an empty segment": {spec{"pathPrefixes": []any{"apps//x"}}, "pathPrefixes"},
		"a prefix with a slash before":   {spec{"pathPrefixes": []any{"/apps"}}, "pathPrefixes"},
		"an interval that is too short":  {spec{"refreshInterval": "9s"}, "at least 10s"},
		"a timeout that is too long":     {spec{"timeout": "2m"}, "1m"},
		"no requests at all":             {spec{"qps": int64(0)}, "qps"},
	}
	for name, test := range tests {
		u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"address": "https://vault.example:8200", "auth": jwt}}}
		u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.KindVaultConnection))
		u.SetName("refused")
		for field, value := range test.change {
			if value == nil {
				unstructured.RemoveNestedField(u.Object, "spec", field)
				continue
			}
			s.ok(unstructured.SetNestedField(u.Object, value, "spec", field))
		}
		err := s.admin.Create(t.Context(), u, client.DryRunAll)
		switch {
		case test.why == "" && err != nil, test.why != "" && !apierrors.IsInvalid(err), test.why != "" && !strings.Contains(err.Error(), test.why):
			t.Errorf("%s: got %v, want it to tell of %q", name, err, test.why)
		}
	}
}

func TestATenantHasTheAccount(t *testing.T) {
	s := newSystem(t)
	ns := s.Namespace(t)
	s.ok(s.Apply(t.Context(), ns, filepath.Join("..", "..", "deploy", "tenant", "tenant.yaml")))
	accounts := &metav1.PartialObjectMetadataList{}
	accounts.SetGroupVersionKind(account(ns).GroupVersionKind())
	accounts.Kind, accounts.APIVersion = "ServiceAccountList", "v1"
	s.ok(s.admin.List(t.Context(), accounts, client.InNamespace(ns)))
	if !slices.ContainsFunc(accounts.Items, func(m metav1.PartialObjectMetadata) bool { return m.Name == "vault-reader" }) {
		t.Error("deploy/tenant lacks vault-reader")
	}
}
