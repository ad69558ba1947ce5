package references_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sealedValue seals a value of a Secret for the cluster.
func (s *stand) sealedValue(ns, name, key, value string) map[string]any {
	s.T.Helper()
	var m corev1.ConfigMap
	s.Eventually("the public keys are published", func() bool {
		err := s.Client().Get(s.T.Context(), fuintest.Key("fuin-system", "fuin-public-keys"), &m)
		return err == nil && m.Data["recipients"] != ""
	})
	to, err := keys.ParseRecipients([]byte(m.Data["recipients"]), time.Now())
	s.OK(err)
	sealer, err := seal.NewSealer(to[0])
	s.OK(err)
	text, err := json.Marshal(secretOf(name, map[string]any{
		"metadata": map[string]any{"name": name, "namespace": ns}, "stringData": map[string]any{key: value},
	}))
	s.OK(err)
	made, err := sealer.Manifest(text, seal.Options{})
	s.OK(err)
	var o map[string]any
	s.OK(json.Unmarshal(made.Out, &o))
	return o
}

// TestSealedValuesBesideReferences: one object may have both, also in one value.
func TestSealedValuesBesideReferences(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"host": "db.example"})
	s.Run(fuintest.Alone)
	o := s.sealedValue(ns, "db", "password", "sealed")
	template := o["spec"].(map[string]any)["template"].(map[string]any)
	template["data"] = map[string]any{"url": "{{ .password }}@" + s.ref(ns, "db", "host") + "/{{ .password | upper }}"}
	s.apply(o)
	s.has(ns, "db", map[string]string{"password": "sealed", "url": "sealed@db.example/SEALED"})
	s.put(ns, "db", map[string]any{"host": "other.example"})
	s.has(ns, "db", map[string]string{"password": "sealed", "url": "sealed@other.example/SEALED"})
}

// TestRandomValuesBesideReferences stay what they are until a reference of the
// same template has another value.
func TestRandomValuesBesideReferences(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"a": "a0", "b": "b0"})
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"own": "{{ randAlphaNum 12 }}", "both": s.ref(ns, "db", "a") + "{{ randAlphaNum 12 }}", "b": s.ref(ns, "db", "b")}))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	first := s.Secret(ns, "db")
	s.Patch(first, `{"data":{"b":"ZWRpdGVk"}}`)
	s.has(ns, "db", map[string]string{"own": string(first.Data["own"]), "both": string(first.Data["both"]), "b": "b0"})
	s.put(ns, "db", map[string]any{"a": "a1", "b": "b0"})
	s.Eventually("the other value is there", func() bool { return strings.HasPrefix(string(s.Secret(ns, "db").Data["both"]), "a1") })
	if now := s.Secret(ns, "db"); string(now.Data["own"]) != string(first.Data["own"]) {
		t.Error("a random value without a reference changed")
	}
}

// TestConnectionOfAnAnnotation: where two select the namespace, it decides, and
// counts as a change of the object.
func TestConnectionOfAnAnnotation(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"a": "v"})
	first := s.name
	s.name += "-second"
	s.connect(map[string]any{
		"auth":              map[string]any{"jwt": map[string]any{"mount": first + "-jwt", "role": "nobody", "audience": "vault"}},
		"namespaceSelector": map[string]any{"matchLabels": map[string]any{"test": first}},
	})
	second := s.name
	s.name = first
	s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"a": s.ref(ns, "db", "a")}))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "AmbiguousConnection")
	s.Patch(fuintest.NamedSealedSecret(ns, "db"), `{"metadata":{"annotations":{"fuin.dev/vault-connection":"`+first+`"}}}`)
	s.has(ns, "db", map[string]string{"a": "v"})
	s.Patch(fuintest.NamedSealedSecret(ns, "db"), `{"metadata":{"annotations":{"fuin.dev/vault-connection":"`+second+`"}}}`)
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "VaultLoginFailed")
	s.has(ns, "db", map[string]string{"a": "v"})
	s.OK(s.Client().Delete(t.Context(), fuintest.Named(schema.GroupVersionKind{Group: "fuin.dev", Version: "v1alpha1", Kind: "VaultConnection"}, "", second)))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "NoVaultConnection")
}

// TestClusterWithoutConnections: where the cluster does not know the kind, as in
// place of Sealed Secrets, references are told to be unreadable, and all else is
// opened as ever.
func TestClusterWithoutConnections(t *testing.T) {
	t.Parallel()
	s := newStand(t, kubetest.New(t, kubetest.Config{}), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"a": "v"})
	definition := fuintest.Named(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, "", "vaultconnections.fuin.dev")
	s.OK(s.Client().Delete(t.Context(), definition))
	s.Eventually("the kind is gone", func() bool {
		return apierrors.IsNotFound(s.Client().Get(t.Context(), fuintest.Key("", definition.GetName()), definition.DeepCopy()))
	})
	p := s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"a": s.ref(ns, "db", "a")}), s.sealedValue(ns, "plain", "k", "v"))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "NoVaultConnection")
	s.has(ns, "plain", map[string]string{"k": "v"})
	if !strings.Contains(p.Log.String(), "does not know the kind VaultConnection") {
		t.Error("the log does not tell")
	}
	p.Stop()
	s.OK(s.Apply(t.Context(), "", fuintest.Deploy("base", "fuin.dev_vaultconnections.yaml")))
	s.connect(nil)
	s.Run(fuintest.Alone)
	s.has(ns, "db", map[string]string{"a": "v"})
}

// TestImmutableSecrets: what Vault has now cannot be put into them.
func TestImmutableSecrets(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"a": "v0"})
	s.Run(fuintest.Alone)
	o := templated(ns, "db", map[string]any{"a": s.ref(ns, "db", "a")})
	o["spec"].(map[string]any)["template"].(map[string]any)["immutable"] = true
	s.apply(o)
	s.has(ns, "db", map[string]string{"a": "v0"})
	s.put(ns, "db", map[string]any{"a": "v1"})
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "ErrUpdateFailed")
	s.OK(s.Client().Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "db"}}))
	s.has(ns, "db", map[string]string{"a": "v1"})
	s.put(ns, "db", map[string]any{"a": "v2"})
	s.says(ns, "db", bitnami.Ready, corev1.ConditionFalse, "ErrUpdateFailed")
	s.put(ns, "db", map[string]any{"a": "v1"})
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
}
