package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/keys"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rsaIdentity is one RSA key for all tests: making one takes a second.
var rsaIdentity = sync.OnceValue(func() *keys.Identity {
	id, err := keys.GenerateRSA(2048, time.Now(), 24*time.Hour, "")
	if err != nil {
		panic(err)
	}
	return id
})

func generate(t *testing.T, kind keys.Kind) *keys.Identity {
	t.Helper()
	id, err := keys.Generate(kind, now, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestIdentityRoundTrip(t *testing.T) {
	for _, id := range []*keys.Identity{rsaIdentity(), generate(t, keys.Hybrid), generate(t, keys.X25519)} {
		back, err := keys.ParseIdentities(id.Marshal())
		if err != nil || len(back) != 1 {
			t.Fatalf("%s: parsed %v, %v", id.Kind(), back, err)
		}
		if back[0].Fingerprint() != id.Fingerprint() || back[0].Kind() != id.Kind() {
			t.Errorf("%s: came back as %s %s", id.Kind(), back[0].Kind(), back[0])
		}
		if id.Kind().Age() && !back[0].Created().Equal(now) {
			t.Errorf("%s: created %s, want %s", id.Kind(), back[0].Created(), now)
		}
		public, err := keys.ParseRecipients(id.Recipient().Marshal(), time.Now())
		if err != nil || public[0].Fingerprint() != id.Fingerprint() {
			t.Errorf("%s: recipient came back as %v, %v", id.Kind(), public, err)
		}
	}
}

func TestIdentityNeverPrints(t *testing.T) {
	for _, id := range []*keys.Identity{rsaIdentity(), generate(t, keys.Hybrid)} {
		private := string(id.Marshal())
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			for _, value := range []any{id, []*keys.Identity{id}} {
				shown := fmt.Sprintf(verb, value)
				if !strings.Contains(shown, "SHA256:") && !strings.Contains(shown, "0x") || strings.Contains(private, shown) {
					t.Errorf("%s of %s prints %.80s", verb, id.Kind(), shown)
				}
			}
		}
	}
}

func TestSecretRoundTrip(t *testing.T) {
	for _, id := range []*keys.Identity{rsaIdentity(), generate(t, keys.Hybrid)} {
		s := id.Secret("kube-system", "k1")
		if !s.IsKey() {
			t.Errorf("%s: Secret %v is not taken for a key", id.Kind(), s.Labels)
		}
		back, err := s.Identity()
		if err != nil || back.Fingerprint() != id.Fingerprint() || back.State() != keys.Active {
			t.Errorf("%s: came back as %v, %v", id.Kind(), back, err)
		}
	}
}

func TestSecretStates(t *testing.T) {
	rows := []struct {
		name   string
		id     *keys.Identity
		labels map[string]string
		want   keys.State
	}{
		{"upstream", rsaIdentity(), map[string]string{keys.LabelRSA: "active"}, keys.Active},
		{"compromised", rsaIdentity(), map[string]string{keys.LabelRSA: "compromised"}, keys.Revoked},
		{"compromised wins", rsaIdentity(), map[string]string{keys.LabelRSA: "compromised", keys.LabelState: "active"}, keys.Revoked},
		{"put out of use", rsaIdentity(), map[string]string{keys.LabelRSA: "old"}, keys.Revoked},
		{"rsa retired", rsaIdentity(), map[string]string{keys.LabelRSA: "active", keys.LabelState: "retired"}, keys.Retired},
		{"age retired", generate(t, keys.X25519), map[string]string{keys.LabelAge: "retired"}, keys.Retired},
		{"age revoked", generate(t, keys.X25519), map[string]string{keys.LabelAge: "revoked"}, keys.Revoked},
	}
	for _, row := range rows {
		s := row.id.Secret("ns", "k")
		s.Labels = row.labels
		id, err := s.Identity()
		if err != nil || id.State() != row.want {
			t.Errorf("%s: state %v, %v; want %s", row.name, id, err, row.want)
		}
	}
	s := rsaIdentity().Secret("ns", "k")
	s.Labels[keys.LabelState] = "resting"
	if _, err := s.Identity(); err == nil {
		t.Error("an unknown state was accepted")
	}
}

func TestParseSecretsAsKubectlPrintsThem(t *testing.T) {
	hybrid := generate(t, keys.Hybrid)
	list := "apiVersion: v1\nkind: List\nitems:\n" + item(rsaIdentity()) + item(hybrid) +
		"- apiVersion: v1\n  kind: Secret\n  metadata: {name: other}\n  type: Opaque\n  data: {a: Yg==}\n"
	ids, err := keys.ParseIdentities([]byte(list))
	if err != nil || len(ids) != 2 {
		t.Fatalf("parsed %v, %v; want two identities", ids, err)
	}
	if ids[0].Fingerprint() != rsaIdentity().Fingerprint() || ids[1].Fingerprint() != hybrid.Fingerprint() {
		t.Errorf("parsed %v", ids)
	}
}

func item(id *keys.Identity) string {
	s := id.Secret("kube-system", "k-"+string(id.Kind()))
	var b strings.Builder
	fmt.Fprintf(&b, "- apiVersion: v1\n  kind: Secret\n  type: %s\n  metadata:\n    name: %s\n    namespace: %s\n    creationTimestamp: \"2026-01-02T03:04:05Z\"\n    labels:\n", s.Type, s.Name, s.Namespace)
	for k, v := range s.Labels {
		fmt.Fprintf(&b, "      %s: %s\n", k, v)
	}
	b.WriteString("  data:\n")
	for k, v := range s.Data {
		fmt.Fprintf(&b, "    %s: %s\n", k, base64.StdEncoding.EncodeToString(v))
	}
	return b.String()
}

// ecKey is an EC private key in PEM and a certificate for it.
func ecKey(t *testing.T) (private, cert []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ec"}, NotAfter: now.Add(time.Hour)}
	der2, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der2})
}

func smallRSA(t *testing.T) []byte {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func TestParseRecipientsNamesWhatItFound(t *testing.T) {
	ecPrivate, ecCert := ecKey(t)
	hybrid, classic := generate(t, keys.Hybrid), generate(t, keys.X25519)
	cert := rsaIdentity().Recipient().Marshal()
	rows := []struct {
		name string
		data []byte
		now  time.Time
		want string
	}{
		{"rsa private key", rsaIdentity().Marshal(), now, "a private key, where a public one belongs"},
		{"ec private key", ecPrivate, now, "a private key, where a public one belongs"},
		{"age identity", hybrid.Marshal(), now, "an age identity, where a recipient belongs"},
		{"expired", cert, time.Now().Add(48 * time.Hour), "a certificate that expired on 20"},
		{"ec certificate", ecCert, now, "a certificate whose key is EC"},
		{"hybrid and classic", append(hybrid.Recipient().Marshal(), classic.Recipient().Marshal()...), now, "a hybrid recipient mixed with a classic one"},
		{"ssh key", []byte("ssh-ed25519 AAAA me@home\n"), now, "an SSH public key"},
		{"plugin", []byte("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t\n"), now, "a recipient of an age plugin"},
		{"damaged", []byte("age1qqqqqq\n"), now, "a damaged age recipient"},
		{"manifest", []byte("apiVersion: v1\nkind: ConfigMap\n"), now, "a manifest, where a public key belongs"},
		{"empty", nil, now, "no public key"},
		{"only comments", []byte("# nothing\n\n"), now, "no public key"},
	}
	for _, row := range rows {
		_, err := keys.ParseRecipients(row.data, row.now)
		checkError(t, row.name, err, row.want)
	}
}

func TestParseIdentitiesNamesWhatItFound(t *testing.T) {
	ecPrivate, _ := ecKey(t)
	hybrid := generate(t, keys.Hybrid)
	broken := bytes.Replace(hybrid.Marshal(), []byte("AGE-SECRET-KEY-PQ-1"), []byte("AGE-SECRET-KEY-PQ-1QQ"), 1)
	rows := []struct {
		name string
		data []byte
		want string
	}{
		{"certificate", rsaIdentity().Recipient().Marshal(), "a certificate, where a private key belongs"},
		{"age recipient", hybrid.Recipient().Marshal(), "an age recipient, where a private key belongs"},
		{"ec key", ecPrivate, "an EC private key"},
		{"1024 bits", smallRSA(t), "an RSA key of 1024 bits"},
		{"damaged identity", broken, "a damaged age identity"},
		{"encrypted identity", []byte("age-encryption.org/v1\n-> scrypt x 18\n"), "an identity file behind a passphrase"},
		{"openssh", pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("x")}), "an OpenSSH private key"},
		{"configmap", []byte("apiVersion: v1\nkind: ConfigMap\ndata: {a: Yg==}\n"), "a manifest without a key Secret"},
		{"not base64", []byte("apiVersion: v1\nkind: Secret\ndata: {a: hunter2!}\n"), "a manifest that does not parse"},
		{"text", []byte("hunter2"), "no private key"},
		{"empty", nil, "an empty file"},
	}
	for _, row := range rows {
		_, err := keys.ParseIdentities(row.data)
		checkError(t, row.name, err, row.want)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes the file: %v", row.name, err)
		}
	}
}

func checkError(t *testing.T, name string, err error, want string) {
	t.Helper()
	var e *keys.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want a *keys.Error with %q", name, err, want)
	}
}

func FuzzParseIdentities(f *testing.F) {
	f.Add(rsaIdentity().Marshal())
	f.Add([]byte("AGE-SECRET-KEY-1"))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems: [{kind: Secret}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ids, err := keys.ParseIdentities(data); err == nil && len(ids) == 0 {
			t.Error("neither an identity nor an error")
		}
		if rs, err := keys.ParseRecipients(data, now); err == nil && len(rs) == 0 {
			t.Error("neither a recipient nor an error")
		}
	})
}
