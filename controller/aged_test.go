package controller_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ringSize is how many RSA keys a cluster has after four years.
const ringSize = 50

// aged are keys such as a cluster has after four years, made once: the first
// one is new, each other a month older than the one before. The last belongs to
// nobody.
var aged = sync.OnceValues(func() ([]*keys.Identity, error) {
	ids, now := make([]*keys.Identity, ringSize+1), time.Now()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range ids {
		g.Go(func() (err error) {
			ids[i], err = agedKey(now.Add(-time.Duration(i) * 30 * 24 * time.Hour))
			return err
		})
	}
	return ids, g.Wait()
})

// agedKey makes a key whose certificate says that it was made at a time. A small
// one does: what counts is how many are tried.
func agedKey(made time.Time) (*keys.Identity, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	cert, err := crypto.SignKeyWithNotBefore(rand.Reader, private, made, 10*365*24*time.Hour, "")
	if err != nil {
		return nil, err
	}
	ids, err := keys.ParseIdentities(slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
	if err != nil {
		return nil, err
	}
	return ids[0], nil
}

// agedRing puts fifty keys into a cluster that has none yet, and returns them,
// the newest first, and one that it lacks.
func (s *system) agedRing() (ring []*keys.Identity, stranger *keys.Identity) {
	s.T.Helper()
	ids, err := aged()
	s.OK(err)
	for i, id := range ids[:ringSize] {
		s.addSecret(id, fmt.Sprintf("aged-%02d", i))
	}
	return ids[:ringSize], ids[ringSize]
}

// addSecret makes the Secret of a key.
func (s *system) addSecret(id *keys.Identity, name string) {
	s.T.Helper()
	key := id.Secret("fuin-system", name)
	s.OK(s.Client().Create(s.T.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: key.Labels},
		Type:       corev1.SecretType(key.Type), Data: key.Data,
	}))
}

// sealedWith is a SealedSecret as kubeseal makes it, without a hint: each value
// is sealed with a key of its own, and is the name under which it stands.
func (s *system) sealedWith(namespace, name string, ids ...*keys.Identity) string {
	s.T.Helper()
	values := map[string]string{}
	for i, id := range ids {
		sealer, err := seal.NewSealer(id.Recipient())
		s.OK(err)
		key := valueKey(i)
		at := seal.Place{Scope: seal.Strict, Namespace: namespace, Name: name, Key: key}
		values[key], err = sealer.Seal(at, []byte(key))
		s.OK(err)
	}
	return sealedSecret(namespace, name, values)
}

func valueKey(i int) string { return fmt.Sprintf("k%04d", i) }

// sealedSecret is a manifest in JSON.
func sealedSecret(namespace, name string, values map[string]string) string {
	out, err := json.Marshal(map[string]any{
		"apiVersion": bitnami.GroupVersion.String(), "kind": bitnami.Kind,
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"spec":     map[string]any{"encryptedData": values},
	})
	if err != nil {
		panic(err)
	}
	return string(out)
}
