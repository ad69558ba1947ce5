package fuintest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Recipient reads what the cluster publishes, once it does: cert.pem or
// recipients.
func (s *System) Recipient(name string) *keys.Recipient {
	s.T.Helper()
	var m corev1.ConfigMap
	s.Eventually("the public keys are published", func() bool {
		err := s.Client().Get(s.T.Context(), Key("fuin-system", "fuin-public-keys"), &m)
		return err == nil && m.Data[name] != ""
	})
	rs, err := keys.ParseRecipients([]byte(m.Data[name]), time.Now())
	s.OK(err)
	return rs[0]
}

// PublicKeys is the ConfigMap of public keys, which is there.
func (s *System) PublicKeys() *corev1.ConfigMap {
	s.T.Helper()
	m := &corev1.ConfigMap{}
	s.OK(s.Client().Get(s.T.Context(), Key("fuin-system", "fuin-public-keys"), m))
	return m
}

// NewestAge is when the newest age identity was made.
func (s *System) NewestAge() time.Time {
	s.T.Helper()
	type key struct {
		Kind    keys.Kind
		Created time.Time
	}
	var ring []key
	s.OK(json.Unmarshal([]byte(s.PublicKeys().Data["keys.json"]), &ring))
	return ring[slices.IndexFunc(ring, func(k key) bool { return k.Kind.Age() })].Created
}

// Seal seals a manifest for the cluster, in the age encoding if asked.
func (s *System) Seal(manifest string, age bool) string {
	s.T.Helper()
	name := "cert.pem"
	if age {
		name = "recipients"
	}
	sealer, err := seal.NewSealer(s.Recipient(name))
	s.OK(err)
	r, err := sealer.Manifest([]byte(manifest), seal.Options{})
	s.OK(err)
	return string(r.Out)
}

// SecretManifest is that of a Secret; values alternate keys and values.
func SecretManifest(namespace, name string, values ...string) string {
	data := map[string]string{}
	for i := 0; i < len(values); i += 2 {
		data[values[i]] = values[i+1]
	}
	out, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"namespace": namespace, "name": name}, "stringData": data,
	})
	if err != nil {
		panic(err) // it is all of text
	}
	return string(out)
}

// Edit changes a manifest as a tree.
func (s *System) Edit(manifest string, change func(m map[string]any)) string {
	s.T.Helper()
	var m map[string]any
	s.OK(yaml.Unmarshal([]byte(manifest), &m))
	change(m)
	out, err := json.Marshal(m)
	s.OK(err)
	return string(out)
}

// At sets a value deep in a tree; missing mappings are made.
func At(m map[string]any, value any, path ...string) {
	for _, part := range path[:len(path)-1] {
		next, ok := m[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[part] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
}

// Put applies manifests, which say where they belong.
func (s *System) Put(manifests string) {
	s.T.Helper()
	s.OK(s.ApplyYAML(s.T.Context(), "", manifests))
}

// Patch merges into an object.
func (s *System) Patch(o client.Object, merge string) {
	s.T.Helper()
	s.OK(s.Client().Patch(s.T.Context(), o, client.RawPatch("application/merge-patch+json", []byte(merge))))
}

// Secret reads one; nil if there is none.
func (s *System) Secret(namespace, name string) *corev1.Secret {
	s.T.Helper()
	var out corev1.Secret
	err := s.Client().Get(s.T.Context(), Key(namespace, name), &out)
	if apierrors.IsNotFound(err) {
		return nil
	}
	s.OK(err)
	return &out
}

// SealedSecret reads one that is there.
func (s *System) SealedSecret(namespace, name string) *bitnami.SealedSecret {
	s.T.Helper()
	u := NamedSealedSecret(namespace, name)
	s.OK(s.Client().Get(s.T.Context(), Key(namespace, name), u))
	var out bitnami.SealedSecret
	s.OK(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &out))
	return &out
}

// Opens waits until the Secret holds a value under a key.
func (s *System) Opens(namespace, name, key, value string) *corev1.Secret {
	s.T.Helper()
	var out *corev1.Secret
	s.Eventually(fmt.Sprintf("%s/%s has %s=%s", namespace, name, key, value), func() bool {
		out = s.Secret(namespace, name)
		return out != nil && string(out.Data[key]) == value
	})
	return out
}

// Says waits until a condition of the SealedSecret, as it is now, has a status
// and a message that contains a text.
func (s *System) Says(namespace, name, kind string, status corev1.ConditionStatus, text string) {
	s.T.Helper()
	s.Eventually(fmt.Sprintf("%s/%s is %s=%s %q", namespace, name, kind, status, text), func() bool {
		ss := s.SealedSecret(namespace, name)
		for _, c := range ss.Status.Conditions {
			if c.Type == kind && c.Status == status && strings.Contains(c.Message, text) && ss.Status.ObservedGeneration == ss.Generation {
				return true
			}
		}
		s.Last = fmt.Sprintf("%+v", ss.Status.Conditions)
		return false
	})
}

// Rests waits until nothing of the SealedSecret's status and Secret changes any
// more and returns their resource versions.
func (s *System) Rests(namespace, name string) (sealedSecret, secret string) {
	s.T.Helper()
	s.Eventually(namespace+"/"+name+" is settled", func() bool {
		ss := s.SealedSecret(namespace, name)
		return ss.Status.Fuin != nil && ss.Status.Fuin.MAC != "" && ss.Status.ObservedGeneration == ss.Generation
	})
	sealedSecret = s.SealedSecret(namespace, name).ResourceVersion
	if made := s.Secret(namespace, name); made != nil {
		secret = made.ResourceVersion
	}
	return sealedSecret, secret
}

// Versions are the resource versions of SealedSecrets and their Secrets, by name,
// once nothing changes any more.
func (s *System) Versions(namespace string, names []string) map[string]string {
	s.T.Helper()
	out := map[string]string{}
	for _, name := range names {
		sealed, made := s.Rests(namespace, name)
		out[name] = sealed + " " + made
	}
	return out
}

// Version is an object's, which is in the order of writes.
func (s *System) Version(o client.Object) int {
	s.T.Helper()
	n, err := strconv.Atoi(o.GetResourceVersion())
	s.OK(err)
	return n
}

// NamedSecret is a Secret of which nothing is known but its name.
func NamedSecret(namespace, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// NamedSealedSecret is a SealedSecret of which nothing is known but its name.
func NamedSealedSecret(namespace, name string) *unstructured.Unstructured {
	return Named(bitnami.GroupVersion.WithKind(bitnami.Kind), namespace, name)
}

// Named is an object of a kind of which nothing is known but its name.
func Named(kind schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// Key names an object.
func Key(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
}
