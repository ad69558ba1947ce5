// Package references_test holds references to Vault to their promises, end to
// end: the controller as it is shipped, under its own RBAC, between a real API
// server and a real Vault.
package references_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestMain(m *testing.M) { fuintest.Main(m) }

// stand is a cluster with Fuin, and a Vault that trusts it, apart from what other
// tests have there.
type stand struct {
	*fuintest.System
	vault *vaulttest.Server
	name  string // of the VaultConnection and of all in Vault
}

// policy lets a namespace read what is its own.
const policy = `
path "NAME-kv/data/{namespace}/*" { capabilities = ["read"] }
path "NAME-kv1/{namespace}/*" { capabilities = ["read"] }
path "NAME-db/creds/*" { capabilities = ["read"] }
path "NAME-pki/issue/*" { capabilities = ["create", "update"] }
`

// newStand readies mounts, a policy and a connection for one test. Values are
// read again every ten seconds, which is the least.
func newStand(t testing.TB, cluster *kubetest.Cluster, vault *vaulttest.Server) *stand {
	t.Helper()
	s := &stand{fuintest.New(t, cluster), vault, strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))}
	ctx := t.Context()
	s.OK(vault.KV(ctx, s.name+"-kv", 2))
	s.OK(vault.JWT(ctx, s.name+"-jwt", cluster))
	s.OK(vault.Policy(ctx, s.name, s.name+"-jwt", strings.ReplaceAll(policy, "NAME", s.name)))
	s.OK(vault.JWTRole(ctx, s.name+"-jwt", vaulttest.Role{Name: "reader", Policies: []string{s.name}}))
	s.connect(map[string]any{})
	return s
}

// connect makes the VaultConnection; its spec adds to what every one has.
func (s *stand) connect(more map[string]any) {
	s.T.Helper()
	spec := map[string]any{
		"address": s.vault.Addresses[0], "caBundle": base64.StdEncoding.EncodeToString(s.vault.CA),
		"auth":              map[string]any{"jwt": map[string]any{"mount": s.name + "-jwt", "role": "reader", "audience": "vault"}},
		"namespaceSelector": map[string]any{"matchLabels": map[string]any{"test": s.name}},
		"refreshInterval":   "10s", "timeout": "1m", "qps": 1000,
	}
	maps.Copy(spec, more)
	s.apply(map[string]any{
		"apiVersion": "fuin.dev/v1alpha1", "kind": "VaultConnection", "metadata": map[string]any{"name": s.name}, "spec": spec,
	})
}

// tenant makes a namespace that the connection selects. What the test made there
// that refers to Vault is deleted at its end, so that no other test's controller
// meets it.
func (s *stand) tenant() (ns string) {
	s.T.Helper()
	ns = s.Tenant()
	s.Patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, fmt.Sprintf(`{"metadata":{"labels":{"test":%q}}}`, s.name))
	s.T.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Client().DeleteAllOf(ctx, fuintest.NamedSealedSecret("", ""), client.InNamespace(ns))
	})
	return ns
}

// put writes a secret of a namespace into Vault.
func (s *stand) put(ns, path string, values map[string]any) {
	s.T.Helper()
	s.OK(s.vault.Write(s.T.Context(), s.name+"-kv/data/"+ns+"/"+path, map[string]any{"data": values}))
}

// ref is a reference to a value that put wrote.
func (s *stand) ref(ns, path, key string, options ...string) string {
	query := ""
	if len(options) > 0 {
		query = "?" + strings.Join(options, "&")
	}
	return "ref+vault://" + s.name + "-kv/" + ns + "/" + path + query + "#/" + key + "+"
}

func (s *stand) apply(objects ...map[string]any) {
	s.T.Helper()
	var all []string
	for _, o := range objects {
		text, err := json.Marshal(o)
		s.OK(err)
		all = append(all, string(text))
	}
	s.OK(s.ApplyYAML(s.T.Context(), "", strings.Join(all, "\n---\n")))
}

// templated is a SealedSecret without sealed values.
func templated(ns, name string, templates map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": map[string]any{"namespace": ns, "name": name},
		"spec": map[string]any{"encryptedData": map[string]any{}, "template": map[string]any{"data": templates}},
	}
}

// has waits until the Secret holds exactly these values.
func (s *stand) has(ns, name string, values map[string]string) *corev1.Secret {
	s.T.Helper()
	var out *corev1.Secret
	s.Eventually(fmt.Sprintf("%s/%s holds the %d values", ns, name, len(values)), func() bool {
		out = s.Secret(ns, name)
		if out == nil {
			return false
		}
		got := map[string]string{}
		for key, value := range out.Data {
			got[key] = string(value)
		}
		s.Last = fmt.Sprint(got)
		return maps.Equal(got, values)
	})
	return out
}

// says waits until a condition of the SealedSecret has a status and a reason.
func (s *stand) says(ns, name, kind string, status corev1.ConditionStatus, reason string) bitnami.Condition {
	s.T.Helper()
	var found bitnami.Condition
	s.Eventually(fmt.Sprintf("%s/%s is %s=%s %s", ns, name, kind, status, reason), func() bool {
		ss := s.SealedSecret(ns, name)
		s.Last = fmt.Sprintf("%+v", ss.Status.Conditions)
		for _, c := range ss.Status.Conditions {
			if c.Type == kind && c.Status == status && c.Reason == reason && c.ObservedGeneration == ss.Generation {
				found = c
				return true
			}
		}
		return false
	})
	return found
}
