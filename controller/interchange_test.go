package controller_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"fuin.dev/seal"
	ssv1alpha1 "github.com/bitnami-labs/sealed-secrets/pkg/apis/sealedsecrets/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// sample is a Secret that one side seals and the other opens.
type sample struct {
	name   string
	values []string                             // of the Secret, keys and values in turn
	scope  seal.Scope                           // asked for by flag
	secret func(m map[string]any)               // changes the Secret before it is sealed
	sealed func(m map[string]any, other string) // changes the SealedSecret; other is another namespace
	want   []string                             // beyond the values, what templates make
}

// everyByte holds what no text holds.
var everyByte = func() string {
	var b strings.Builder
	for i := range 256 {
		b.WriteByte(byte(i))
	}
	return b.String()
}()

// samples are of every sort that the SealedSecret knows.
var samples = []sample{
	{name: "plain", values: []string{"user", "shop", "password", "hunter2", "empty", "", "many.lines", "a\nb\n\tc\n"}},
	{name: "binary", values: []string{"every.byte", everyByte, "large", strings.Repeat(everyByte, 256)}},
	{name: "typed", values: []string{"username", "u", "password", "p"}, secret: func(m map[string]any) {
		at(m, "kubernetes.io/basic-auth", "type")
	}},
	{name: "custom-type", values: []string{"k", "v"}, secret: func(m map[string]any) {
		at(m, "example.com/thing", "type")
		at(m, true, "immutable")
	}},
	{name: "metadata", values: []string{"k", "v"}, secret: func(m map[string]any) {
		at(m, map[string]any{"app": "shop", "tier": "db"}, "metadata", "labels")
		at(m, map[string]any{"example.com/note": "multi\nline"}, "metadata", "annotations")
	}},
	{
		name: "templates", values: []string{"user", "shop", "password", "p@ss"},
		sealed: func(m map[string]any, _ string) {
			at(m, map[string]any{
				"url":  `postgres://{{ .user }}:{{ .password | urlquery }}@db/{{ .user | upper }}`,
				"user": `{{ if eq .user "shop" }}the {{ .user }}{{ end }}`,
			}, "spec", "template", "data")
		},
		want: []string{"url", "postgres://shop:p%40ss@db/SHOP", "user", "the shop"},
	},
	{name: "namespace-wide", values: []string{"a", "1", "b", "2"}, scope: seal.NamespaceWide, sealed: rename},
	{name: "cluster-wide", values: []string{"a", "1", "b", "2"}, scope: seal.ClusterWide, sealed: moveAway},
	{name: "annotated", values: []string{"a", "1"}, secret: func(m map[string]any) {
		at(m, map[string]any{seal.AnnotationClusterWide: "true"}, "metadata", "annotations")
	}, sealed: moveAway},
}

func rename(m map[string]any, _ string) {
	at(m, dig(m, "metadata", "name").(string)+"-renamed", "metadata", "name")
}

func moveAway(m map[string]any, other string) {
	rename(m, other)
	at(m, other, "metadata", "namespace")
}

// manifest is the Secret, sealed nowhere yet. Values stand in data, as base64.
func (x sample) manifest(s *system, namespace, name string) string {
	return s.Edit(secret(namespace, name), func(m map[string]any) {
		data := map[string]any{}
		for i := 0; i < len(x.values); i += 2 {
			data[x.values[i]] = base64.StdEncoding.EncodeToString([]byte(x.values[i+1]))
		}
		delete(m, "stringData")
		m["data"] = data
		if x.secret != nil {
			x.secret(m)
		}
	})
}

// place applies the sealed sample, moved as it asks for, and tells where it
// stands then.
func (x sample) place(s *system, sealed, other string) (namespace, name string) {
	s.T.Helper()
	sealed = s.Edit(sealed, func(m map[string]any) {
		if x.sealed != nil {
			x.sealed(m, other)
		}
		namespace, name = dig(m, "metadata", "namespace").(string), dig(m, "metadata", "name").(string)
	})
	s.Put(sealed)
	return namespace, name
}

// data is what the opened Secret holds.
func (x sample) data() map[string]string {
	out := map[string]string{}
	for _, list := range [][]string{x.values, x.want} {
		for i := 0; i < len(list); i += 2 {
			out[list[i]] = list[i+1]
		}
	}
	return out
}

// holds checks the values of a Secret that was made of the sample.
func (x sample) holds(t testing.TB, made *corev1.Secret) {
	t.Helper()
	if !maps.EqualFunc(made.Data, x.data(), func(a []byte, b string) bool { return string(a) == b }) {
		t.Errorf("%s/%s: other keys or values than sealed", made.Namespace, made.Name)
	}
}

// opened waits until the sample is open and checks all that it says.
func (x sample) opened(s *system, namespace, name string) *corev1.Secret {
	s.T.Helper()
	s.Says(namespace, name, bitnami.Synced, corev1.ConditionTrue, "")
	made := s.Secret(namespace, name)
	if made == nil {
		s.T.Fatalf("%s/%s is said to be open, and there is no Secret", namespace, name)
	}
	x.holds(s.T, made)
	var asked corev1.Secret
	s.OK(json.Unmarshal([]byte(x.manifest(s, namespace, name)), &asked))
	if asked.Type == "" {
		asked.Type = corev1.SecretTypeOpaque
	}
	if made.Type != asked.Type || (made.Immutable != nil) != (asked.Immutable != nil) || !maps.Equal(made.Labels, asked.Labels) {
		s.T.Errorf("%s/%s: type %s, immutable %v, labels %v", namespace, name, made.Type, made.Immutable, made.Labels)
	}
	for key, value := range asked.Annotations {
		if made.Annotations[key] != value {
			s.T.Errorf("%s/%s: annotation %s is %q", namespace, name, key, made.Annotations[key])
		}
	}
	if !metav1.IsControlledBy(made, s.SealedSecret(namespace, name)) {
		s.T.Errorf("%s/%s: owners %v", namespace, name, made.OwnerReferences)
	}
	return made
}

func TestOpensWhatKubesealSealed(t *testing.T) {
	s, ns := shared(t)
	other := s.Namespace(t)
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	for i, x := range samples {
		format := []string{"json", "yaml"}[i%2]
		sealed := k.seal(x.manifest(s, ns, x.name), "--scope", string(x.scope), "--format", format)
		namespace, name := x.place(s, sealed, other)
		x.opened(s, namespace, name)
	}
}

func TestOpensRawValuesOfKubeseal(t *testing.T) {
	s, ns := shared(t)
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	for scope, annotation := range map[seal.Scope]string{
		seal.Strict: "", seal.NamespaceWide: seal.AnnotationNamespaceWide, seal.ClusterWide: seal.AnnotationClusterWide,
	} {
		name := "raw-" + string(scope)
		x := sample{values: []string{"a", everyByte, "b", "", "c", "line\n"}}
		args := map[seal.Scope][]string{
			seal.Strict:        {"--namespace", ns, "--name", name},
			seal.NamespaceWide: {"--namespace", ns, "--scope", "namespace-wide"},
			seal.ClusterWide:   {"--scope", "cluster-wide"},
		}[scope]
		values := map[string]any{}
		for i := 0; i < len(x.values); i += 2 {
			values[x.values[i]] = k.raw(x.values[i+1], args...)
		}
		sealed := map[string]any{"apiVersion": "bitnami.com/v1alpha1", "kind": bitnami.Kind, "spec": map[string]any{"encryptedData": values}}
		at(sealed, map[string]any{"name": name, "namespace": ns, "annotations": map[string]any{annotation: "true"}}, "metadata")
		if annotation == "" {
			delete(sealed["metadata"].(map[string]any), "annotations")
		}
		text, err := json.Marshal(sealed)
		s.OK(err)
		s.Put(string(text))
		x.opened(s, ns, name)
	}
}

func TestOpensManyDocumentsOfKubeseal(t *testing.T) {
	s, ns := shared(t)
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	stream := samples[0].manifest(s, ns, "first") + "\n---\n" + samples[0].manifest(s, ns, "second")
	s.Put(k.seal(stream, "--format", "yaml"))
	samples[0].opened(s, ns, "first")
	samples[0].opened(s, ns, "second")
}

func TestOpensWhatKubesealMergedIntoOurs(t *testing.T) {
	s, ns := shared(t)
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	file := filepath.Join(t.TempDir(), "sealed.yaml")
	s.OK(os.WriteFile(file, []byte(s.Seal(secret(ns, "db", "a", "1", "b", "2"), false)), 0o600))
	k.seal(secret(ns, "db", "b", "3", "c", "4"), "--merge-into", file)
	merged, err := os.ReadFile(file)
	s.OK(err)
	s.Put(string(merged))
	x := sample{values: []string{"a", "1", "b", "3", "c", "4"}}
	x.opened(s, ns, "db")
}

// sealV1 seals a Secret whole, as Sealed Secrets did before it sealed values.
func (s *system) sealV1(public *rsa.PublicKey, plain *corev1.Secret) string {
	s.T.Helper()
	plain.APIVersion, plain.Kind = "v1", "Secret"
	sealed, err := ssv1alpha1.NewSealedSecretV1(scheme.Codecs, public, plain)
	s.OK(err)
	sealed.APIVersion, sealed.Kind = "bitnami.com/v1alpha1", bitnami.Kind
	sealed.Spec.EncryptedData = map[string]string{}
	text, err := json.Marshal(sealed)
	s.OK(err)
	return s.Edit(string(text), func(m map[string]any) { delete(m, "status") })
}

func TestOpensTheV1Format(t *testing.T) {
	s, ns := shared(t)
	public := s.Recipient("cert.pem").RSA()
	for _, annotation := range []string{"", ssv1alpha1.SealedSecretNamespaceWideAnnotation, ssv1alpha1.SealedSecretClusterWideAnnotation} {
		immutable := true
		plain := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: ns, Name: fmt.Sprintf("v1-%d", len(annotation)),
				Labels: map[string]string{"app": "old"}, Annotations: map[string]string{"example.com/note": "x"},
			},
			Type: "example.com/old", Immutable: &immutable,
			Data: map[string][]byte{"a": []byte(everyByte), "b": {}},
		}
		if annotation != "" {
			plain.Annotations[annotation] = "true"
		}
		s.Put(s.sealV1(public, plain))
		s.Says(ns, plain.Name, bitnami.Synced, corev1.ConditionTrue, "")
		made := s.Secret(ns, plain.Name)
		if !maps.EqualFunc(made.Data, plain.Data, bytes.Equal) || made.Type != plain.Type || made.Immutable == nil ||
			!maps.Equal(made.Labels, plain.Labels) || !maps.Equal(made.Annotations, plain.Annotations) {
			t.Errorf("%s: made with %d keys, type %s, %v, %v", plain.Name, len(made.Data), made.Type, made.Labels, made.Annotations)
		}
	}
}

func TestSealedSecretsControllerOpensWhatWeSeal(t *testing.T) {
	const own = "kube-system"
	s := newUpstream(t, own)
	u := s.runUpstream(own)
	certificate := s.certificate(u.http)
	recipients, err := keys.ParseRecipients([]byte(certificate), time.Now())
	s.OK(err)
	sealer, err := seal.NewSealer(recipients...)
	s.OK(err)
	k := s.kubeseal([]byte(certificate))
	ns, other := s.Namespace(t), s.Namespace(t)
	for _, x := range samples {
		ours, err := sealer.Manifest([]byte(x.manifest(s, ns, x.name)), seal.Options{Scope: x.scope})
		s.OK(err)
		namespace, name := x.place(s, string(ours.Out), other)
		made := x.opened(s, namespace, name)

		// The same Secret comes out of what kubeseal seals.
		theirs := k.seal(x.manifest(s, ns, x.name+"-theirs"), "--scope", string(x.scope))
		namespace, name = x.place(s, theirs, other)
		same := x.opened(s, namespace, name)
		if !maps.Equal(made.Annotations, same.Annotations) {
			t.Errorf("%s: annotations %v, and %v from kubeseal", x.name, made.Annotations, same.Annotations)
		}
	}

	moved, err := sealer.Manifest([]byte(secret(ns, "x", "k", "v")), seal.Options{})
	s.OK(err)
	s.Put(s.Edit(string(moved.Out), func(m map[string]any) { at(m, "moved", "metadata", "name") }))
	s.Says(ns, "moved", bitnami.Synced, corev1.ConditionFalse, "no key could decrypt secret")
}
