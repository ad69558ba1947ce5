package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// refersTo is a tree of two namespaces, OWN and OTHER.
const refersTo = `
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: OWN}
stringData:
  url: postgres://ref+vault://secret/OWN/db#/user+:ref+vault://secret/OWN/db?version=1#/password+@db
  old: ref+vault://old/OWN/x#/x
  shared: ref+vault://secret/shared/ca
  login: ref+vault://database/creds/OWN#/password
  crt: ref+vault://pki/issue/web?common_name=a.example#/certificate
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: OTHER}
stringData: {user: ref+vault://secret/OTHER/db#/user}
`

// With the policy and the role that are printed, all that the references name can
// be read by the namespaces that refer, and nothing else by anybody.
func TestPrintedPolicyIsTheLeast(t *testing.T) {
	buildSandbox(t)
	s, c := vaulttest.New(t, vaulttest.Config{}), kubetest.New(t, kubetest.Config{})
	own, other, third := c.Namespace(t), c.Namespace(t), c.Namespace(t)
	vault := policyVault{t, s, c}
	vault.fill(own, other)

	dir := t.TempDir()
	tree := strings.NewReplacer("OWN", own, "OTHER", other).Replace(refersTo)
	vault.file(dir, "tree/secret.yaml", tree)
	mounts, err := s.Client().Sys().ListMountsWithContext(t.Context())
	vault.ok(err)
	text, err := json.Marshal(mounts)
	vault.ok(err)
	args := []string{"vault", "policy", filepath.Join(dir, "tree"), "--mounts", vault.file(dir, "mounts.json", string(text)), "--accessor", vault.accessor("jwt/")}
	vault.ok(s.Policy(t.Context(), "fuin", "", vault.fuin(args...)))
	role := map[string]any{}
	vault.ok(json.Unmarshal([]byte(vault.fuin(append(args, "-o", "role")...)), &role))
	vault.ok(s.Write(t.Context(), "auth/jwt/role/fuin", role))

	if _, err := vault.logIn("jwt", third); err == nil {
		t.Error("a namespace that refers to nothing can log in")
	}
	reader, err := vault.logIn("jwt", own)
	vault.ok(err)
	for path, want := range map[string]int{
		"secret/data/" + own + "/db":                   200,
		"secret/data/shared/ca":                        200,
		"old/" + own + "/x":                            200,
		"database/creds/" + own:                        200,
		"sys/internal/ui/mounts/secret/" + own + "/db": 200, // what the controller asks first
		"auth/token/lookup-self":                       200,
		"secret/data/" + own + "/more":                 403,
		"secret/data/" + own:                           403,
		"secret/data/" + other + "/db":                 403,
		"secret/metadata/" + own + "/db":               403,
		"secret/data/shared/key":                       403,
		"old/" + own + "/y":                            403,
		"database/creds/" + other:                      403,
		"database/roles/" + own:                        403,
		"pki/issue/web":                                403,
		"sys/mounts":                                   403,
	} {
		_, err := reader.Logical().ReadWithContext(t.Context(), path)
		vault.status("reading "+path, err, want)
	}
	for name, write := range map[string]struct {
		path string
		data map[string]any
		want int
	}{
		"the certificate":      {"pki/issue/web", map[string]any{"common_name": "a.example"}, 200},
		"another certificate":  {"pki/issue/web", map[string]any{"common_name": "b.example"}, 403},
		"one for more names":   {"pki/issue/web", map[string]any{"common_name": "a.example", "alt_names": "b.example"}, 403},
		"one of another role":  {"pki/issue/other", map[string]any{"common_name": "a.example"}, 403},
		"a value":              {"secret/data/" + own + "/db", map[string]any{"data": map[string]any{"a": "b"}}, 403},
		"a role that logs in":  {"auth/jwt/role/fuin", role, 403},
		"a policy of its own":  {"sys/policies/acl/fuin", map[string]any{"policy": ""}, 403},
		"a user that lasts":    {"database/roles/" + own, map[string]any{"db_name": "users"}, 403},
		"a token with a child": {"auth/token/create", map[string]any{}, 403},
	} {
		_, err := reader.Logical().WriteWithContext(t.Context(), write.path, write.data)
		vault.status(name, err, write.want)
	}
	reader, err = vault.logIn("jwt", other)
	vault.ok(err)
	_, err = reader.Logical().ReadWithContext(t.Context(), "secret/data/"+other+"/db")
	vault.status("reading as the other namespace", err, 200)
	_, err = reader.Logical().ReadWithContext(t.Context(), "secret/data/"+own+"/db")
	vault.status("reading what is not the other namespace's", err, 403)

	t.Run("kubernetes", func(t *testing.T) {
		vault.t = t
		vault.ok(s.Kubernetes(t.Context(), "kubernetes", c))
		connection := vault.file(dir, "vault.yaml", kubernetesConnection)
		args := []string{"vault", "policy", filepath.Join(dir, "tree"), "--connection-file", connection, "--accessor", vault.accessor("kubernetes/"), "--policy", "k8s"}
		vault.ok(s.Policy(t.Context(), "k8s", "", vault.fuin(args...)))
		role := map[string]any{}
		vault.ok(json.Unmarshal([]byte(vault.fuin(append(args, "-o", "role")...)), &role))
		vault.ok(s.Write(t.Context(), "auth/kubernetes/role/fuin", role))
		reader, err := vault.logIn("kubernetes", own)
		vault.ok(err)
		_, err = reader.Logical().ReadWithContext(t.Context(), "secret/data/"+own+"/db")
		vault.status("reading with what was printed without --mounts", err, 200)
		_, err = reader.Logical().ReadWithContext(t.Context(), "secret/data/"+other+"/db")
		vault.status("reading the other namespace's", err, 403)
		if _, err := vault.logIn("kubernetes", third); err == nil {
			t.Error("a namespace that refers to nothing can log in")
		}
	})
}

const kubernetesConnection = `
apiVersion: fuin.dev/v1alpha1
kind: VaultConnection
metadata: {name: vault}
spec:
  address: https://vault.example
  auth: {kubernetes: {role: fuin, audience: vault}}
`

// policyVault is a Vault whose policies fuin prints.
type policyVault struct {
	t *testing.T
	s *vaulttest.Server
	c *kubetest.Cluster
}

func (v policyVault) ok(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// fill puts more into Vault than is referred to.
func (v policyVault) fill(own, other string) {
	v.t.Helper()
	ctx := v.t.Context()
	v.ok(v.s.KV(ctx, "secret", 2))
	v.ok(v.s.KV(ctx, "old", 1))
	v.ok(v.s.PKI(ctx, "pki", "web", time.Hour))
	v.ok(v.s.Database(ctx, "database"))
	v.ok(v.s.JWT(ctx, "jwt", v.c))
	for _, name := range []string{own + "/db", own + "/more", other + "/db", "shared/ca", "shared/key"} {
		v.ok(v.s.Write(ctx, "secret/data/"+name, map[string]any{"data": map[string]any{"user": "x", "password": "y"}}))
	}
	for _, name := range []string{own + "/x", own + "/y"} {
		v.ok(v.s.Write(ctx, "old/"+name, map[string]any{"x": "y"}))
	}
	for _, name := range []string{own, other} {
		v.ok(v.s.DatabaseRole(ctx, "database", name, time.Minute))
	}
	v.ok(v.s.Write(ctx, "pki/roles/other", map[string]any{"allow_any_name": true}))
}

func (v policyVault) file(dir, name, text string) string {
	v.t.Helper()
	path := filepath.Join(dir, name)
	v.ok(os.MkdirAll(filepath.Dir(path), 0o755))
	v.ok(os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (v policyVault) accessor(mount string) string {
	v.t.Helper()
	all, err := v.s.Client().Sys().ListAuthWithContext(v.t.Context())
	v.ok(err)
	return all[mount].Accessor
}

func (v policyVault) fuin(args ...string) string {
	v.t.Helper()
	cmd := exec.CommandContext(v.t.Context(), "fuin", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		v.t.Fatalf("%v: %s", err, stderr.String())
	}
	return string(out)
}

// logIn logs in as the namespace's vault-reader.
func (v policyVault) logIn(mount, namespace string) (*api.Client, error) {
	v.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "vault-reader"}}
	v.ok(v.c.ApplyYAML(v.t.Context(), namespace, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: vault-reader}}"))
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"vault"}}}
	v.ok(v.c.Client().SubResource("token").Create(v.t.Context(), account, request))
	anybody, err := v.s.As("")
	v.ok(err)
	auth, err := anybody.Logical().WriteWithContext(v.t.Context(), "auth/"+mount+"/login", map[string]any{"role": "fuin", "jwt": request.Status.Token})
	if err != nil {
		return nil, err
	}
	return v.s.As(auth.Auth.ClientToken)
}

// status fails the test unless Vault answered so.
func (v policyVault) status(what string, err error, want int) {
	v.t.Helper()
	got := http.StatusOK
	var said *api.ResponseError
	switch {
	case errors.As(err, &said):
		got = said.StatusCode
	case err != nil:
		v.t.Fatal(err)
	}
	if got != want {
		v.t.Errorf("%s: Vault answers %d, want %d: %v", what, got, want, err)
	}
}

// TestConnectionsOfFiles: what is read of a VaultConnection is what it says.
func TestConnectionsOfFiles(t *testing.T) {
	account := &v1alpha1.VaultAccountAuth{Mount: "m", Role: "r", Audience: "a"}
	secret := v1alpha1.LocalReference{Name: "s"}
	for name, tt := range map[string]struct {
		auth  v1alpha1.VaultAuth
		mount string
		knows bool
	}{
		"jwt":              {v1alpha1.VaultAuth{JWT: account}, "m", true},
		"jwt, default":     {v1alpha1.VaultAuth{JWT: &v1alpha1.VaultAccountAuth{Role: "r", Audience: "a"}}, "jwt", true},
		"kubernetes":       {v1alpha1.VaultAuth{Kubernetes: account}, "m", true},
		"approle":          {v1alpha1.VaultAuth{AppRole: &v1alpha1.VaultAppRoleAuth{Mount: "m", SecretRef: secret}}, "m", false},
		"approle, default": {v1alpha1.VaultAuth{AppRole: &v1alpha1.VaultAppRoleAuth{SecretRef: secret}}, "approle", false},
		"token":            {v1alpha1.VaultAuth{Token: &v1alpha1.VaultTokenAuth{SecretRef: secret}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			vc := v1alpha1.VaultConnection{
				TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindVaultConnection},
				ObjectMeta: metav1.ObjectMeta{Name: "vault"},
				Spec:       v1alpha1.VaultConnectionSpec{Address: "https://vault", Auth: tt.auth, PathPrefixes: []string{"a/{namespace}"}},
			}
			text, err := yaml.Marshal(vc)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseConnection("vault.yaml", text)
			if err != nil {
				t.Fatal(err)
			}
			if got.Metadata.Name != "vault" || got.mount() != tt.mount || got.knowsNamespaces() != tt.knows || !slices.Equal(got.Spec.PathPrefixes, vc.Spec.PathPrefixes) {
				t.Errorf("%+v", got)
			}
			for _, read := range []*manifestAccountAuth{got.Spec.Auth.JWT, got.Spec.Auth.Kubernetes} {
				if read != nil && (read.Role != "r" || read.Audience != "a") {
					t.Errorf("%+v", read)
				}
			}
		})
	}
	if annotationConnection != v1alpha1.AnnotationVaultConnection {
		t.Error("the annotation has another name")
	}
}

func TestPrefixesAdmitAsTheControllerDoes(t *testing.T) {
	for _, tt := range []struct {
		prefix, path string
		own          int
		ok           bool
	}{
		{"secret/{namespace}", "secret/shop/db", 1, true},
		{"secret/{namespace}", "secret/data/shop/db", 2, true},
		{"secret/data/{namespace}", "secret/shop/db", 1, true},
		{"secret/data/{namespace}", "secret/data/shop/db", 2, true},
		{"a/b/data/k8s/{namespace}", "a/b/k8s/shop/db", 3, true},
		{"secret/shared", "secret/shared/db", -1, true},
		{"secret/{namespace}", "secret/web/db", -1, false},
		{"secret/{namespace}", "secret/shopper/db", -1, false},
		{"secret/{namespace}/db", "secret/shop", -1, false},
		{"data/{namespace}", "shop/db", -1, false},
		{"{namespace}", "shop/db", 0, true},
		{"secret", "data/secret/db", -1, false},
	} {
		own, ok := admits(strings.Split(tt.prefix, "/"), "shop", strings.Split(tt.path, "/"))
		if diff := cmp.Diff([]any{tt.own, tt.ok}, []any{own, ok}); diff != "" {
			t.Errorf("%s, %s: %s", tt.prefix, tt.path, diff)
		}
	}
}
