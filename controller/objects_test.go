package controller_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// recipient reads what the cluster publishes: cert.pem or recipients.
func (s *system) recipient(name string) *keys.Recipient {
	s.t.Helper()
	var m corev1.ConfigMap
	s.eventually("the public keys are published", func() bool {
		err := s.Client().Get(s.t.Context(), client.ObjectKey{Namespace: "fuin-system", Name: "fuin-public-keys"}, &m)
		return err == nil && m.Data[name] != ""
	})
	rs, err := keys.ParseRecipients([]byte(m.Data[name]), time.Now())
	s.ok(err)
	return rs[0]
}

// seal seals a manifest for the cluster, in the age encoding if asked.
func (s *system) seal(manifest string, age bool) string {
	s.t.Helper()
	name := "cert.pem"
	if age {
		name = "recipients"
	}
	sealer, err := seal.NewSealer(s.recipient(name))
	s.ok(err)
	r, err := sealer.Manifest([]byte(manifest), seal.Options{})
	s.ok(err)
	return string(r.Out)
}

// secret is a manifest of a Secret; values alternate keys and values.
func secret(namespace, name string, values ...string) string {
	m := map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"namespace": namespace, "name": name},
	}
	data := map[string]string{}
	for i := 0; i < len(values); i += 2 {
		data[values[i]] = values[i+1]
	}
	m["stringData"] = data
	out, err := yaml.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// edit changes a manifest as a tree.
func (s *system) edit(manifest string, change func(m map[string]any)) string {
	s.t.Helper()
	var m map[string]any
	s.ok(yaml.Unmarshal([]byte(manifest), &m))
	change(m)
	out, err := json.Marshal(m)
	s.ok(err)
	return string(out)
}

// at sets a value deep in a tree; missing mappings are made.
func at(m map[string]any, value any, path ...string) {
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

func (s *system) apply(manifest string) {
	s.t.Helper()
	s.ok(s.ApplyYAML(s.t.Context(), "", manifest))
}

func (s *system) secretOf(namespace, name string) *corev1.Secret {
	s.t.Helper()
	var out corev1.Secret
	err := s.Client().Get(s.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &out)
	if apierrors.IsNotFound(err) {
		return nil
	}
	s.ok(err)
	return &out
}

func (s *system) sealedSecret(namespace, name string) *bitnami.SealedSecret {
	s.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind))
	s.ok(s.Client().Get(s.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, u))
	var out bitnami.SealedSecret
	s.ok(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &out))
	return &out
}

// opens waits until the Secret holds a value under a key.
func (s *system) opens(namespace, name, key, value string) *corev1.Secret {
	s.t.Helper()
	var out *corev1.Secret
	s.eventually(fmt.Sprintf("%s/%s has %s=%s", namespace, name, key, value), func() bool {
		out = s.secretOf(namespace, name)
		return out != nil && string(out.Data[key]) == value
	})
	return out
}

// says waits until a condition of the SealedSecret has a status and a message
// that contains a text.
func (s *system) says(namespace, name, kind string, status corev1.ConditionStatus, text string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s/%s is %s=%s %q", namespace, name, kind, status, text), func() bool {
		ss := s.sealedSecret(namespace, name)
		for _, c := range ss.Status.Conditions {
			if c.Type == kind && c.Status == status && strings.Contains(c.Message, text) && ss.Status.ObservedGeneration == ss.Generation {
				return true
			}
		}
		return false
	})
}

// rests waits until nothing of the SealedSecret's status and Secret changes any
// more and returns their resource versions.
func (s *system) rests(namespace, name string) (sealedSecret, secret string) {
	s.t.Helper()
	s.eventually(namespace+"/"+name+" is settled", func() bool {
		ss := s.sealedSecret(namespace, name)
		return ss.Status.Fuin != nil && ss.Status.Fuin.MAC != "" && ss.Status.ObservedGeneration == ss.Generation
	})
	sealedSecret = s.sealedSecret(namespace, name).ResourceVersion
	if made := s.secretOf(namespace, name); made != nil {
		secret = made.ResourceVersion
	}
	return sealedSecret, secret
}

func (s *system) patch(o client.Object, merge string) {
	s.t.Helper()
	s.ok(s.Client().Patch(s.t.Context(), o, client.RawPatch("application/merge-patch+json", []byte(merge))))
}

func namedSecret(namespace, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func namedSealedSecret(namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind))
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func clientKey(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
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
