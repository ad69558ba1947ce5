package controller_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"syscall"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// installation is a cluster where Sealed Secrets worked for a while and was
// stopped: two keys, and SealedSecrets of every sort with their Secrets.
type installation struct {
	*system
	own    string             // the controller's namespace
	tenant string             // a namespace with SealedSecrets, as is the next
	other  string             //
	open   []client.ObjectKey // what it opened
	shut   []client.ObjectKey // what it did not
	newest string             // its newest certificate
}

// relic is a SealedSecret beside the samples; values alternate.
type relic struct {
	name     string
	values   []string
	existing func(s *corev1.Secret) // the Secret that was there before, if any
	secret   func(m map[string]any) // changes the Secret before it is sealed
	sealed   func(m map[string]any) // changes the SealedSecret
	shut     bool                   // Sealed Secrets does not call it synced
}

func annotated(names ...string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.Data = map[string][]byte{"theirs": []byte("x"), "k": []byte("old")}
		s.Annotations = map[string]string{}
		for _, name := range names {
			s.Annotations[name] = "true"
		}
	}
}

func templateAnnotations(names ...string) func(map[string]any) {
	return func(m map[string]any) {
		for _, name := range names {
			at(m, "true", "spec", "template", "metadata", "annotations", name)
		}
	}
}

var relics = []relic{
	{name: "managed", values: []string{"k", "v"}, existing: annotated(managed)},
	{name: "still-managed", values: []string{"k", "v"}, existing: annotated(managed), sealed: templateAnnotations(managed)},
	{name: "patched", values: []string{"k", "v"}, existing: annotated(patched)},
	{name: "patched-managed", values: []string{"k", "v"}, existing: annotated(patched, managed)},
	{name: "patched-empty", values: []string{"k", "v"}, existing: func(s *corev1.Secret) {
		s.Annotations = map[string]string{patched: "true"}
	}},
	{name: "patched-labels", values: []string{"k", "v"}, existing: annotated(patched), sealed: func(m map[string]any) {
		at(m, "shop", "spec", "template", "metadata", "labels", "app")
	}},
	{name: "without-owner", values: []string{"k", "v"}, sealed: templateAnnotations(managed, skipOwner)},
	{name: "pull", values: []string{".dockerconfigjson", `{"auths":{}}`}, secret: func(m map[string]any) {
		at(m, "kubernetes.io/dockerconfigjson", "type")
	}},
	{name: "random", values: []string{"k", "v"}, sealed: func(m map[string]any) {
		at(m, map[string]any{"token": "{{ randAlphaNum 20 }}"}, "spec", "template", "data")
	}},
	{name: "by-an-applier", values: []string{"k", "v"}, sealed: func(m map[string]any) {
		at(m, map[string]any{"app.kubernetes.io/instance": "shop"}, "metadata", "labels")
		at(m, "shop:bitnami.com/SealedSecret:x/y", "metadata", "annotations", "argocd.argoproj.io/tracking-id")
	}},
	{name: "named-otherwise", values: []string{"k", "v"}, sealed: func(m map[string]any) {
		at(m, "another", "spec", "template", "metadata", "name")
		at(m, "elsewhere", "spec", "template", "metadata", "namespace")
	}},
	{name: "empty"},
	{name: "foreign", values: []string{"k", "v"}, existing: annotated(), shut: true},
	{name: "moved", values: []string{"k", "v"}, shut: true, sealed: func(m map[string]any) { at(m, "moved-away", "metadata", "name") }},
}

// newInstallation runs Sealed Secrets on a cluster of its own and stops it.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	const own = "sealed-secrets"
	s := newUpstream(t, own)
	// The garbage collector looks for new kinds every 30 seconds, and when it starts.
	s.OK(s.ControllerManager.Stop())
	s.OK(s.ControllerManager.Start(t.Context()))
	i := &installation{system: s, own: own, tenant: s.Namespace(t), other: s.Namespace(t)}
	u := s.runUpstream(own)
	i.addSamples(s.kubeseal([]byte(s.certificate(u.http))))
	i.renew(u)
	k := s.kubeseal([]byte(i.newest))
	for _, r := range relics {
		i.add(i.tenant, r, k)
	}
	i.add(own, relic{name: "beside-the-keys", values: []string{"k", "v"}}, k)
	i.addV1()
	i.await(bitnami.Synced)
	s.OK(u.Stop())
	return i
}

func (i *installation) addSamples(k kubeseal) {
	i.T.Helper()
	for _, x := range samples {
		namespace, name := x.place(i.system, k.seal(x.manifest(i.system, i.tenant, x.name), "--scope", string(x.scope)), i.other)
		i.open = append(i.open, fuintest.Key(namespace, name))
	}
}

func (i *installation) add(namespace string, r relic, k kubeseal) {
	i.T.Helper()
	if r.existing != nil {
		s := fuintest.NamedSecret(namespace, r.name)
		r.existing(s)
		i.OK(i.Client().Create(i.T.Context(), s))
	}
	plain := secret(namespace, r.name, r.values...)
	if r.secret != nil {
		plain = i.Edit(plain, r.secret)
	}
	var name string
	i.Put(i.Edit(k.seal(plain, "--allow-empty-data"), func(m map[string]any) {
		if r.sealed != nil {
			r.sealed(m)
		}
		name = dig(m, "metadata", "name").(string)
	}))
	if r.shut {
		i.shut = append(i.shut, fuintest.Key(namespace, name))
	} else {
		i.open = append(i.open, fuintest.Key(namespace, name))
	}
}

// addV1 adds one in the format that had no keys.
func (i *installation) addV1() {
	i.T.Helper()
	plain := fuintest.NamedSecret(i.tenant, "v1")
	plain.Labels = map[string]string{"app": "old"}
	plain.Data = map[string][]byte{"k": []byte("v")}
	i.Put(i.sealV1(certificateOf(i.T, i.newest).PublicKey.(*rsa.PublicKey), plain))
	i.open = append(i.open, client.ObjectKeyFromObject(plain))
}

// renew makes the running controller seal with a second key, which is later by
// its certificate, where a time has no less than a second.
func (i *installation) renew(u upstream) {
	i.T.Helper()
	first := i.certificate(u.http)
	made := certificateOf(i.T, first).NotBefore
	i.Eventually("a second went by", func() bool { return time.Since(made) > time.Second })
	i.OK(syscall.Kill(u.PID(), syscall.SIGUSR1))
	i.Eventually("there is a second key", func() bool {
		i.newest = i.certificate(u.http)
		return i.newest != first
	})
}

func certificateOf(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM: %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// await waits until each SealedSecret says what is expected of it.
func (i *installation) await(condition string) {
	i.T.Helper()
	for _, key := range i.open {
		i.Says(key.Namespace, key.Name, condition, corev1.ConditionTrue, "")
	}
	for _, key := range i.shut {
		i.Says(key.Namespace, key.Name, condition, corev1.ConditionFalse, "")
	}
}
