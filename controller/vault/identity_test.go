package vault_test

import (
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

func TestANamespaceReadsItsOwnPathsOnly(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	mine, theirs := s.tenant(), s.tenant()
	s.put("apps/"+mine+"/x", map[string]any{"k": "mine"})
	s.put("apps/"+theirs+"/x", map[string]any{"k": "theirs"})
	if got := s.values(mine, "apps/"+mine+"/x#/k"); got[0] != "mine" {
		t.Errorf("got %q", got)
	}
	if got := s.values(theirs, "apps/"+theirs+"/x#/k"); got[0] != "theirs" {
		t.Errorf("got %q", got)
	}
	// Though it was just read for the other one.
	_, err := s.resolve(mine, "apps/"+theirs+"/x#/k")
	f := s.fails(vault.Denied, err, "theirs\"")
	if want := "apps/" + theirs + "/x: Vault denies it (HTTP 403)"; f.Message != want || f.Absent || !f.Again {
		t.Errorf("got %+v, want %s", f, want)
	}
}

func TestKubernetesReviewsTheAccount(t *testing.T) {
	s := newSystem(t)
	ns := s.tenant()
	mount := "kubernetes-" + ns
	s.ok(s.Vault.Kubernetes(t.Context(), mount, s.Cluster))
	s.ok(s.Vault.Policy(t.Context(), "reviewed", mount, `path "apps/data/{namespace}/*" { capabilities = ["read"] }`))
	s.ok(s.Vault.KubernetesRole(t.Context(), mount, vaulttest.Role{Name: "reviewed", Policies: []string{"reviewed"}}))
	s.connect(func(spec *spec) {
		spec.Auth = v1alpha1.VaultAuth{Kubernetes: &v1alpha1.VaultAccountAuth{Mount: mount, Role: "reviewed", Audience: "vault"}}
	})
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	_, err := s.resolve(ns, "apps/other/x#/k")
	_ = s.fails(vault.Denied, err)
}

func TestAWrongAudienceIsRefusedByVault(t *testing.T) {
	s := newSystem(t)
	s.connect(func(spec *spec) { spec.Auth.JWT.Audience = "somebody-else" })
	ns := s.tenant()
	_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	f := s.fails(vault.LoginFailed, err, "eyJ")
	if !strings.Contains(f.Message, "audience") || !strings.Contains(f.Message, ns+"/vault-reader at auth/jwt with role tenant") {
		t.Errorf("it does not say why: %v", f)
	}
}

func TestARoleThatIsMissing(t *testing.T) {
	s := newSystem(t)
	s.connect(func(spec *spec) { spec.Auth.JWT.Role = "nobody" })
	ns := s.tenant()
	_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	if f := s.fails(vault.LoginFailed, err, "eyJ"); !strings.Contains(f.Message, "there is no such role") {
		t.Errorf("it does not say why: %v", f)
	}
}

func TestADeletedAccountIsRefusedByTheAPIServer(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	s.ok(s.admin.Delete(t.Context(), account(ns)))
	_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	if f := s.fails(vault.AccountMissing, err); !strings.Contains(f.Message, ns+"/vault-reader") {
		t.Errorf("it does not name the account: %v", f)
	}
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.reader(ns)
	s.eventually("it is made again, and reads", func() bool {
		_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
		return err == nil
	})
}

func TestARevokedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.ok(s.Vault.JWTRole(t.Context(), "jwt", vaulttest.Role{Name: "service", Policies: []string{"tenant"}, Service: true}))
	s.connect(func(spec *spec) { spec.Auth.JWT.Role = "service" })
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	// The token must be older than one that Vault just gave is doubted at.
	s.put("apps/"+ns+"/y", map[string]any{"k": "v"})
	s.ok(s.Vault.Write(t.Context(), "sys/leases/revoke-force/auth/jwt/login", nil))
	mark := s.mark()
	s.eventually("another log-in reads", func() bool {
		_, err := s.resolve(ns, "apps/"+ns+"/y#/k")
		return err == nil
	})
	if got := s.since(mark, ns); got["login"] != 1 {
		t.Errorf("%d log-ins, want one", got["login"])
	}
}

func TestADenialIsNotALoginEachTime(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	mark, began := s.mark(), time.Now()
	for range 20 {
		_, err := s.resolve(ns, "apps/other/x#/k", "apps/other/y#/k")
		_ = s.fails(vault.Denied, err)
	}
	took := time.Since(began) // log-ins that help nothing are some seconds apart
	if got, most := s.since(mark, "")["login"], 2+int(took/(5*time.Second)); got > most {
		t.Errorf("%d log-ins for 20 denials in %s", got, took)
	}
}

func TestOneLoginForEachNamespaceAndLifetime(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.ok(s.Vault.JWTRole(t.Context(), "jwt", vaulttest.Role{Name: "brief", Policies: []string{"tenant"}, TTL: 3 * time.Second}))
	s.connect(func(spec *spec) { spec.Auth.JWT.Role = "brief" })
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	mark, began := s.mark(), time.Now()
	for time.Since(began) < 7*time.Second {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		s.ok(err)
	}
	took := time.Since(began)
	if got, most := s.since(mark, ns)["login"], int(took/(2*time.Second))+1; got < 2 || got > most {
		t.Errorf("%d log-ins in %s with tokens of 3 s", got, took)
	}
}

func TestAccountsThatLogInAsOneAreBoundByPrefixes(t *testing.T) {
	s := newSystem(t)
	s.ok(s.Vault.Policy(t.Context(), "all", "", "path \"apps/*\" { capabilities = [\"read\"] }\npath \"old/*\" { capabilities = [\"read\"] }"))
	role, secret, err := s.Vault.AppRole(t.Context(), "approle", vaulttest.Role{Name: "fuin", Policies: []string{"all"}})
	s.ok(err)
	token, err := s.Vault.Token(t.Context(), time.Hour, "all")
	s.ok(err)
	for kind, auth := range map[string]struct {
		auth v1alpha1.VaultAuth
		data map[string]string
	}{
		"approle": {
			v1alpha1.VaultAuth{AppRole: &v1alpha1.VaultAppRoleAuth{SecretRef: v1alpha1.LocalReference{Name: "approle"}}},
			map[string]string{"role_id": role, "secret_id": secret + "\n"},
		},
		"token": {
			v1alpha1.VaultAuth{Token: &v1alpha1.VaultTokenAuth{SecretRef: v1alpha1.LocalReference{Name: "token"}}},
			map[string]string{"token": token},
		},
	} {
		t.Run(kind, func(t *testing.T) {
			s := newSystem(t)
			s.secret(kind, auth.data)
			s.connect(func(spec *spec) {
				spec.Auth, spec.PathPrefixes = auth.auth, []string{"apps/{namespace}/", "old/{namespace}"}
			})
			mine, theirs := s.tenant(), s.tenant()
			s.put("apps/"+mine+"/x", map[string]any{"k": "mine"})
			s.put("apps/"+theirs+"/x", map[string]any{"k": "theirs"})
			s.put("apps/"+mine+"more/x", map[string]any{"k": "not mine"})
			s.values(mine, "apps/"+mine+"/x#/k", "apps/data/"+mine+"/x#/k")
			s.values(theirs, "apps/"+theirs+"/x#/k")
			for _, path := range []string{"apps/" + theirs + "/x", "apps/data/" + theirs + "/x", "apps/" + mine + "more/x", "apps/x/data/" + mine + "/x", "apps/metadata/" + mine + "/x"} {
				_, err := s.resolve(mine, path+"#/k")
				_ = s.fails(vault.Refused, err, "theirs\"", secret, token)
			}
		})
	}
}

func TestTheSecretOfATokenIsMissing(t *testing.T) {
	s := newSystem(t)
	s.connect(func(spec *spec) {
		spec.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.VaultTokenAuth{SecretRef: v1alpha1.LocalReference{Name: "late"}}}
		spec.PathPrefixes = []string{"apps/{namespace}"}
	})
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
	if f := s.fails(vault.InvalidConnection, err); !strings.Contains(f.Message, "Secret late") || !f.Again {
		t.Errorf("got %+v", f)
	}
	s.ok(s.Vault.Policy(t.Context(), "late", "", `path "apps/*" { capabilities = ["read"] }`))
	token, err := s.Vault.Token(t.Context(), time.Hour, "late")
	s.ok(err)
	secret := s.secret("late", map[string]string{"other": token})
	s.eventually("it lacks a key", func() bool {
		_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
		return strings.Contains(err.Error(), "lacks key token")
	})
	secret.StringData = map[string]string{"token": token}
	s.ok(s.admin.Update(t.Context(), secret))
	s.eventually("it reads", func() bool {
		_, err := s.resolve(ns, "apps/"+ns+"/x#/k")
		return err == nil
	})
}

// A namespace that is called data could else read what lies beside it.
func TestANamespaceCalledDataHasNoMore(t *testing.T) {
	s := newSystem(t)
	s.ok(s.Vault.Policy(t.Context(), "all-apps", "", `path "apps/*" { capabilities = ["read"] }`))
	token, err := s.Vault.Token(t.Context(), time.Hour, "all-apps")
	s.ok(err)
	s.secret("token-data", map[string]string{"token": token})
	for label, prefix := range map[string]string{"plain": "apps/{namespace}/", "written": "apps/data/{namespace}/"} {
		s.connect(func(spec *spec) {
			spec.Auth = v1alpha1.VaultAuth{Token: &v1alpha1.VaultTokenAuth{SecretRef: v1alpha1.LocalReference{Name: "token-data"}}}
			spec.PathPrefixes, spec.NamespaceSelector = []string{prefix}, &metav1.LabelSelector{MatchLabels: map[string]string{"prefix": label}}
		})
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "data"}}
	s.ok(client.IgnoreAlreadyExists(s.admin.Create(t.Context(), ns)))
	s.ok(s.admin.Get(t.Context(), client.ObjectKeyFromObject(ns), ns))
	s.put("apps/data/own", map[string]any{"k": "own"})
	s.put("apps/other/x", map[string]any{"k": "theirs"})
	for _, label := range []string{"plain", "written"} {
		ns.Labels = map[string]string{"prefix": label}
		s.ok(s.admin.Update(t.Context(), ns))
		if got := s.values("data", "apps/data/data/own#/k"); got[0] != "own" {
			t.Errorf("%s: got %q", label, got)
		}
		for _, path := range []string{"apps/data/other/x", "apps/other/x"} {
			_, err := s.resolve("data", path+"#/k")
			_ = s.fails(vault.Refused, err)
		}
	}
}
