package vault_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
)

func TestDatabaseCredentialsAreReadOncePerSecret(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	s.ok(s.Vault.DatabaseRole(t.Context(), "db", ns, time.Hour))
	before, err := s.Vault.Users()
	s.ok(err)
	creds := []string{"db/creds/" + ns + "#/username", "db/creds/" + ns + "#/password", "db/creds/" + ns}
	first, err := s.resolve(ns, creds...)
	s.ok(err)
	second, err := s.resolve(ns, creds...)
	s.ok(err)
	users, err := s.Vault.Users()
	s.ok(err)
	if made := users.Created - before.Created; made != 2 {
		t.Errorf("%d users for two Secrets", made)
	}
	for _, answer := range []vault.Answer{first, second} {
		password := string(answer.Values[1].Bytes)
		if users.Users[string(answer.Values[0].Bytes)].Password != password || !strings.Contains(string(answer.Values[2].Bytes), strconv.Quote(password)) {
			t.Errorf("name, password and object are of several readings")
		}
		for i, v := range answer.Values {
			if !v.Leased {
				t.Errorf("value %d is not leased", i)
			}
		}
		// The token lives ten minutes, and the lease ends with it.
		if in := time.Until(answer.Ends); in > 10*time.Minute || in < 8*time.Minute {
			t.Errorf("it ends in %s", in)
		}
	}
	if string(first.Values[0].Bytes) == string(second.Values[0].Bytes) {
		t.Error("two Secrets share a user")
	}
}

// A lease ends with its token: one that is used up gives short leases.
func TestALeaseHasAFreshToken(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.ok(s.Vault.JWTRole(t.Context(), "jwt", vaulttest.Role{Name: "lease", Policies: []string{"tenant"}, TTL: 30 * time.Second}))
	s.connect(func(spec *spec) { spec.Auth.JWT.Role = "lease" })
	ns := s.tenant()
	s.ok(s.Vault.DatabaseRole(t.Context(), "db", ns, time.Hour))
	mark := s.mark()
	first, err := s.resolve(ns, "db/creds/"+ns+"#/password")
	s.ok(err)
	s.eventually("a tenth of the token's life is over", func() bool { return time.Until(first.Ends) < 25*time.Second })
	asked := time.Now()
	second, err := s.resolve(ns, "db/creds/"+ns+"#/password")
	s.ok(err)
	if in := second.Ends.Sub(asked); in < 27*time.Second {
		t.Errorf("it ends after %s", in)
	}
	if got := s.since(mark, ns); got["login"] != 2 {
		t.Errorf("%d log-ins, want two", got["login"])
	}
}

func TestACertificateIsIssued(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	issue := "pki/issue/web?common_name=shop.example&ttl=20m"
	answer, err := s.resolve(ns, issue+"#/certificate", issue+"#/private_key", "apps/"+ns+"/x#/k", issue+"#/expiration")
	s.ok(err)
	if !strings.HasPrefix(string(answer.Values[0].Bytes), "-----BEGIN CERTIFICATE") || !strings.Contains(string(answer.Values[1].Bytes), "PRIVATE KEY") {
		t.Error("it is no certificate with its key")
	}
	if !answer.Values[1].Leased || answer.Values[2].Leased {
		t.Error("a certificate ends, and a value does not")
	}
	if want := strconv.FormatInt(answer.Ends.Unix(), 10); string(answer.Values[3].Bytes) != want {
		t.Errorf("it ends at %s, not %s", answer.Values[3].Bytes, want)
	}
	if in := time.Until(answer.Ends); in > 21*time.Minute || in < 18*time.Minute {
		t.Errorf("it ends in %s", in)
	}
}
