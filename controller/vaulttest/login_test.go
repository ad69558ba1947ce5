package vaulttest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hashicorp/vault/api"

	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
)

// ownPath grants each namespace what is its own.
const ownPath = `
path "%[1]s/data/{namespace}/*" { capabilities = ["read"] }
path "%[1]s/issue/{namespace}"  { capabilities = ["update"] }`

func TestServiceAccountsReadTheirNamespaceOnly(t *testing.T) {
	s, c := vaulttest.Shared(t), kubetest.Shared(t)
	for _, kind := range []struct {
		name   string
		enable func(string) error
		role   func(string, vaulttest.Role) error
	}{
		{
			"jwt",
			func(mount string) error { return s.JWT(t.Context(), mount, c) },
			func(mount string, role vaulttest.Role) error { return s.JWTRole(t.Context(), mount, role) },
		},
		{
			"kubernetes",
			func(mount string) error { return s.Kubernetes(t.Context(), mount, c) },
			func(mount string, role vaulttest.Role) error { return s.KubernetesRole(t.Context(), mount, role) },
		},
	} {
		t.Run(kind.name, func(t *testing.T) {
			mount, kv := kind.name+"/own", "own-"+kind.name
			own, other := c.Namespace(t), c.Namespace(t)
			ok(t, s.KV(t.Context(), kv, 2))
			for _, ns := range []string{own, other} {
				write(t, s, kv+"/data/"+ns+"/db", map[string]any{"data": map[string]any{"of": ns}})
			}
			ok(t, kind.enable(mount))
			ok(t, s.Policy(t.Context(), kv, mount, fmt.Sprintf(ownPath, kv)))
			ok(t, kind.role(mount, vaulttest.Role{Name: "fuin", Policies: []string{kv}}))

			since, err := s.Mark()
			ok(t, err)
			auth, err := login(t, s, mount, account(t, c, own, "vault-reader", "vault"))
			ok(t, err)
			if !strings.HasPrefix(auth.ClientToken, "hvb.") || auth.LeaseDuration != 600 {
				t.Errorf("not a batch token of ten minutes: %.4s…, %d s", auth.ClientToken, auth.LeaseDuration)
			}
			as, err := s.As(auth.ClientToken)
			ok(t, err)
			got, err := as.Logical().ReadWithContext(t.Context(), kv+"/data/"+own+"/db")
			ok(t, err)
			if got.Data["data"].(map[string]any)["of"] != own {
				t.Error("the own path holds something else")
			}
			_, err = as.Logical().ReadWithContext(t.Context(), kv+"/data/"+other+"/db")
			wantStatus(t, err, http.StatusForbidden)
			wantTold(t, s, since, own, kv+"/data/"+other+"/db")

			_, err = login(t, s, mount, account(t, c, own, "vault-reader", "elsewhere"))
			wantRefused(t, "another audience", err)
			_, err = login(t, s, mount, account(t, c, own, "somebody", "vault"))
			wantRefused(t, "another account", err)
		})
	}
}

// wantTold looks for a log-in of the namespace and one refused read in the audit log.
func wantTold(t *testing.T, s *vaulttest.Server, since vaulttest.Mark, namespace, refused string) {
	t.Helper()
	entries, err := s.Audit(since)
	ok(t, err)
	logins, denied := 0, 0
	for _, e := range entries {
		if strings.HasSuffix(e.Path, "/login") && e.Metadata["service_account_namespace"] == namespace && e.TokenType == "batch" {
			logins++
		}
		if e.Path == refused && e.Error != "" {
			denied++
		}
	}
	if logins != 1 || denied != 1 {
		t.Errorf("%d log-ins and %d refusals are told", logins, denied)
	}
}

func wantRefused(t *testing.T, who string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s is let in", who)
	}
}

func TestAppRolesLogIn(t *testing.T) {
	s := vaulttest.Shared(t)
	ok(t, s.KV(t.Context(), "approles", 1))
	write(t, s, "approles/a", map[string]any{"key": "value"})
	ok(t, s.Policy(t.Context(), "approles", "", `path "approles/*" { capabilities = ["read"] }`))
	role, secret, err := s.AppRole(t.Context(), "approle", vaulttest.Role{Name: "outside", Policies: []string{"approles"}})
	ok(t, err)
	as, err := s.As(loginAppRole(t, s, role, secret))
	ok(t, err)
	got, err := as.Logical().ReadWithContext(t.Context(), "approles/a")
	ok(t, err)
	if got.Data["key"] != "value" {
		t.Error("something else stands there")
	}
}

func TestTokensAreRevoked(t *testing.T) {
	s := vaulttest.Shared(t)
	token, err := s.Token(t.Context(), time.Hour, "default")
	ok(t, err)
	as, err := s.As(token)
	ok(t, err)
	_, err = as.Auth().Token().LookupSelfWithContext(t.Context())
	ok(t, err)
	ok(t, s.Client().Auth().Token().RevokeTreeWithContext(t.Context(), token))
	_, err = as.Auth().Token().LookupSelfWithContext(t.Context())
	wantStatus(t, err, http.StatusForbidden)
}

func TestCertificatesLogIn(t *testing.T) {
	s := vaulttest.Shared(t)
	cert, text := clientCertificate(t)
	ok(t, s.Client().Sys().EnableAuthWithOptionsWithContext(t.Context(), "cert", &api.EnableAuthOptions{Type: "cert"}))
	write(t, s, "auth/cert/certs/client", map[string]any{"certificate": text, "token_policies": "default"})
	config := s.Client().CloneConfig()
	config.HttpClient = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool(t, s.CA), Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}}
	c, err := api.NewClient(config)
	ok(t, err)
	c.ClearToken()
	got, err := c.Logical().WriteWithContext(t.Context(), "auth/cert/login", nil)
	ok(t, err)
	if got.Auth == nil || got.Auth.ClientToken == "" {
		t.Error("no token")
	}
}

// account makes a service account, if it is not there, and returns a token of it.
func account(t *testing.T, c *kubetest.Cluster, namespace, name, audience string) string {
	t.Helper()
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	ok(t, c.ApplyYAML(t.Context(), namespace, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: "+name+"}}"))
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}}
	ok(t, c.Client().SubResource("token").Create(t.Context(), object, request))
	return request.Status.Token
}

func login(t *testing.T, s *vaulttest.Server, mount, token string) (*api.SecretAuth, error) {
	t.Helper()
	nobody, err := s.As("")
	ok(t, err)
	got, err := nobody.Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login", map[string]any{"role": "fuin", "jwt": token})
	if err != nil {
		return nil, err
	}
	return got.Auth, nil
}

func loginAppRole(t *testing.T, s *vaulttest.Server, role, secret string) string {
	t.Helper()
	nobody, err := s.As("")
	ok(t, err)
	got, err := nobody.Logical().WriteWithContext(t.Context(), "auth/approle/login", map[string]any{"role_id": role, "secret_id": secret})
	ok(t, err)
	return got.Auth.ClientToken
}

func clientCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ok(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func pool(t *testing.T, authority []byte) *x509.CertPool {
	t.Helper()
	all := x509.NewCertPool()
	if !all.AppendCertsFromPEM(authority) {
		t.Fatal("no certificate")
	}
	return all
}
