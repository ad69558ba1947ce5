package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestWhatVaultTakesAwayComesBack takes something of a namespace's away, on a Vault
// that is well otherwise, and gives it back.
func TestWhatVaultTakesAwayComesBack(t *testing.T) {
	s := newSystem(t)
	ctx, v := t.Context(), s.Vault
	// What is taken away is the test's own.
	ok := func(err error) { t.Helper(); s.ok(err) }
	ok(v.KV(ctx, "lost", 2))
	ok(v.JWT(ctx, "jwt-lost", s.Cluster))
	const read = `path "lost/data/{namespace}/*" { capabilities = ["read"] }`
	grant := func() error { return v.Policy(ctx, "lost", "jwt-lost", read) }
	role := func() error {
		return v.JWTRole(ctx, "jwt-lost", vaulttest.Role{Name: "lost", Policies: []string{"lost"}})
	}
	ok(grant())
	ok(role())
	ns := s.tenant()
	path := "lost/data/" + ns + "/x"
	value := map[string]any{"data": map[string]any{"k": canary}}
	for name, test := range map[string]struct {
		take, give func() error
		anew       bool // told only to who logs in
		reason     string
		message    string
		absent     bool
	}{
		"the policy's rule": {
			take:   func() error { return v.Policy(ctx, "lost", "", `path "lost/config" { capabilities = ["read"] }`) },
			give:   grant,
			reason: vault.Denied, message: "HTTP 403",
		},
		"the role": {
			take: func() error {
				_, err := v.Client().Logical().DeleteWithContext(ctx, "auth/jwt-lost/role/lost")
				return err
			},
			give: role, anew: true,
			reason: vault.LoginFailed, message: "there is no such role",
		},
		"the version": {
			take: func() error { _, err := v.Client().Logical().DeleteWithContext(ctx, path); return err },
			give: func() error {
				return v.Write(ctx, strings.Replace(path, "/data/", "/undelete/", 1), map[string]any{"versions": []int{1}})
			},
			reason: vault.AbsentValue, absent: true,
		},
		"the secret": {
			take: func() error {
				_, err := v.Client().Logical().DeleteWithContext(ctx, strings.Replace(path, "/data/", "/metadata/", 1))
				return err
			},
			give:   func() error { return v.Write(ctx, path, value) },
			reason: vault.AbsentValue, absent: true,
		},
		"the key": {
			take:   func() error { return v.Write(ctx, path, map[string]any{"data": map[string]any{"other": canary}}) },
			give:   func() error { return v.Write(ctx, path, value) },
			reason: vault.AbsentValue, absent: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			s.fresh()
			s.ok(errors.Join(destroy(s, path), v.Write(ctx, path, value)))
			connection := s.connect(func(spec *spec) {
				spec.Auth.JWT = &v1alpha1.VaultAccountAuth{Mount: "jwt-lost", Role: "lost", Audience: "vault"}
			})
			reads := func(optional string) (vault.Answer, error) {
				return s.resolver.Resolve(ctx, vault.Request{Namespace: ns, References: s.refs("lost/" + ns + "/x" + optional + "#/k"), NotBefore: time.Now()})
			}
			_, err := reads("")
			s.ok(err)
			s.ok(test.take())
			if test.anew {
				s.fresh()
			}
			_, err = reads("")
			f := s.fails(test.reason, err, canary)
			if !strings.Contains(f.Message, test.message) || f.Absent != test.absent || !f.Again || f.Connection != connection {
				t.Errorf("got %+v, want %q", f, test.message)
			}
			answer, err := reads("?optional=true")
			switch {
			case test.absent && (err != nil || !answer.Values[0].Absent):
				t.Errorf("optional, and absent: %v", err)
			case !test.absent:
				_ = s.fails(test.reason, err, canary)
			}
			s.ok(test.give())
			s.eventually("it reads again", func() bool {
				answer, err := reads("")
				return err == nil && string(answer.Values[0].Bytes) == canary
			})
		})
	}
}

// destroy removes all versions of a secret.
func destroy(s *system, path string) error {
	_, err := s.Vault.Client().Logical().DeleteWithContext(s.t.Context(), strings.Replace(path, "/data/", "/metadata/", 1))
	return err
}

func TestAnEngineThatIsReplaced(t *testing.T) {
	s := newSystem(t)
	ctx, v := t.Context(), s.Vault
	ns := s.tenant()
	s.ok(v.Policy(ctx, "replaced", "jwt", `
path "replaced/{namespace}/*" { capabilities = ["read"] }
path "replaced/data/{namespace}/*" { capabilities = ["read"] }`))
	s.ok(v.JWTRole(ctx, "jwt", vaulttest.Role{Name: "replaced", Policies: []string{"replaced"}}))
	s.connect(func(spec *spec) { spec.Auth.JWT.Role = "replaced" })
	for i, version := range []int{1, 2, 1} {
		s.ok(v.KV(ctx, "replaced", version))
		want := fmt.Sprintf("%s of mount %d", canary, i)
		path, value := "replaced/"+ns+"/x", map[string]any{"k": want}
		if version == 2 {
			path, value = "replaced/data/"+ns+"/x", map[string]any{"data": value}
		}
		s.ok(v.Write(ctx, path, value))
		s.eventually("what is mounted now is read", func() bool {
			answer, err := s.resolver.Resolve(ctx, vault.Request{Namespace: ns, References: s.refs("replaced/" + ns + "/x#/k"), NotBefore: time.Now()})
			return err == nil && string(answer.Values[0].Bytes) == want
		})
		s.ok(v.Client().Sys().UnmountWithContext(ctx, "replaced"))
		_, err := s.resolver.Resolve(ctx, vault.Request{Namespace: ns, References: s.refs("replaced/" + ns + "/x#/k"), NotBefore: time.Now()})
		var f *vault.Failure
		if !errors.As(err, &f) || strings.Contains(f.Message, canary) || f.Absent {
			t.Errorf("nothing is mounted: %v", err)
		}
	}
}

func TestATokenThatWasRevokedIsReplacedInItsSecret(t *testing.T) {
	s := newSystem(t)
	ctx, v := t.Context(), s.Vault
	s.ok(v.Policy(ctx, "static", "", `path "apps/data/*" { capabilities = ["read"] }`))
	token := func() string {
		token, err := v.Token(ctx, time.Hour, "static")
		s.ok(err)
		return token
	}
	first := token()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fuin-system", GenerateName: "token-"},
		StringData: map[string]string{"token": first},
	}
	s.ok(s.admin.Create(ctx, secret))
	s.connect(func(spec *spec) {
		spec.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.VaultTokenAuth{SecretRef: v1alpha1.LocalReference{Name: secret.Name}}}
		spec.PathPrefixes = []string{"apps/{namespace}/"}
	})
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	read := func() error {
		_, err := s.resolver.Resolve(ctx, vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		return err
	}
	s.ok(read())
	s.ok(v.Client().Auth().Token().RevokeTreeWithContext(ctx, first))
	s.eventually("it is refused", func() bool {
		var f *vault.Failure
		return errors.As(read(), &f) && f.Reason == vault.LoginFailed && !strings.Contains(f.Message, first)
	})
	second := fmt.Appendf(nil, `{"stringData":{"token":%q}}`, token())
	s.ok(s.admin.Patch(ctx, secret, client.RawPatch("application/merge-patch+json", second)))
	s.eventually("the new one reads", func() bool { return read() == nil })
}
