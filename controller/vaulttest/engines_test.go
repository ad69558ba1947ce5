package vaulttest_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"fuin.dev/controller/vaulttest"
)

func TestKVVersionsAreToldByPreflight(t *testing.T) {
	s := vaulttest.Shared(t)
	for version, mount := range map[int]string{1: "kv/one", 2: "kv/two"} {
		ok(t, s.KV(t.Context(), mount, version))
		options, _ := read(t, s, "sys/internal/ui/mounts/"+mount+"/deep/path")["options"].(map[string]any)
		if want := map[int]string{1: "1", 2: "2"}[version]; options["version"] != want {
			t.Errorf("%s: options %v", mount, options)
		}
	}
}

func TestDeletedVersionIsToldFromAMissingOne(t *testing.T) {
	s := vaulttest.Shared(t)
	ok(t, s.KV(t.Context(), "deleted", 2))
	write(t, s, "deleted/data/a", map[string]any{"data": map[string]any{"key": "one"}})
	_, err := s.Client().Logical().DeleteWithContext(t.Context(), "deleted/data/a")
	ok(t, err)
	gone, err := s.Client().Logical().ReadWithContext(t.Context(), "deleted/data/a")
	if err != nil || gone == nil || gone.Data["data"] != nil {
		t.Errorf("a deleted version: %v, %v", gone, err)
	}
	missing, err := s.Client().Logical().ReadWithContext(t.Context(), "deleted/data/b")
	if err != nil || missing != nil {
		t.Errorf("a missing secret: %v, %v", missing, err)
	}
}

func TestTransitSealsAndOpens(t *testing.T) {
	s := vaulttest.Shared(t)
	ok(t, s.Transit(t.Context(), "transit", "key"))
	sealed, err := s.Client().Logical().WriteWithContext(t.Context(), "transit/encrypt/key", map[string]any{"plaintext": "YQ=="})
	ok(t, err)
	opened, err := s.Client().Logical().WriteWithContext(t.Context(), "transit/decrypt/key", sealed.Data)
	ok(t, err)
	if got := opened.Data["plaintext"]; got != "YQ==" {
		t.Errorf("got %v", got)
	}
}

func TestCertificatesAreIssued(t *testing.T) {
	s := vaulttest.Shared(t)
	ok(t, s.PKI(t.Context(), "pki", "web", time.Hour))
	issued, err := s.Client().Logical().WriteWithContext(t.Context(), "pki/issue/web", map[string]any{"common_name": "shop.example"})
	ok(t, err)
	block, _ := pem.Decode([]byte(issued.Data["certificate"].(string)))
	if block == nil {
		t.Fatal("no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	ok(t, err)
	ends, err := issued.Data["expiration"].(json.Number).Int64()
	ok(t, err)
	if cert.Subject.CommonName != "shop.example" || cert.NotAfter.Unix() != ends || time.Until(cert.NotAfter) > time.Hour {
		t.Errorf("%s until %s, announced %d", cert.Subject, cert.NotAfter, ends)
	}
}

func TestDatabaseUsersEndWithTheirLease(t *testing.T) {
	s := vaulttest.New(t, vaulttest.Config{})
	ok(t, s.Database(t.Context(), "database"))
	ok(t, s.DatabaseRole(t.Context(), "database", "short", 8*time.Second))
	ok(t, s.DatabaseRole(t.Context(), "database", "long", time.Hour))
	names := map[string]string{}
	for _, role := range []string{"short", "long"} {
		made, err := s.Client().Logical().ReadWithContext(t.Context(), "database/creds/"+role)
		ok(t, err)
		if made.LeaseID == "" || made.LeaseDuration == 0 {
			t.Fatalf("no lease: %+v", made)
		}
		names[role] = made.Data["username"].(string)
		if user := users(t, s)[names[role]]; user.Password != made.Data["password"] || user.Role != role || user.Expires.IsZero() {
			t.Errorf("the database has another user %s", names[role])
		}
	}
	// A lease that ends while Vault is away ends once it is back.
	ok(t, s.Process.Stop())
	if _, exists := users(t, s)[names["short"]]; !exists {
		t.Error("a user went before Vault could remove it")
	}
	ok(t, s.Process.Start(t.Context()))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := slices.Collect(maps.Keys(users(t, s)))
		if len(left) == 1 && left[0] == names["long"] {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left are %v, not %s only", left, names["long"])
		}
	}
	all, err := s.Users()
	ok(t, err)
	if all.Created != 2 {
		t.Errorf("%d users were made", all.Created)
	}
}

func TestLeasesOfABatchTokenEndWithIt(t *testing.T) {
	s := vaulttest.New(t, vaulttest.Config{})
	ok(t, s.Database(t.Context(), "database"))
	ok(t, s.DatabaseRole(t.Context(), "database", "long", time.Hour))
	ok(t, s.Policy(t.Context(), "reads", "", `path "database/creds/*" { capabilities = ["read"] }`))
	role, secret, err := s.AppRole(t.Context(), "approle", vaulttest.Role{Name: "app", TTL: 8 * time.Second, Policies: []string{"reads"}})
	ok(t, err)
	token := loginAppRole(t, s, role, secret)
	c, err := s.As(token)
	ok(t, err)
	made, err := c.Logical().ReadWithContext(t.Context(), "database/creds/long")
	ok(t, err)
	if made.LeaseDuration > 8 {
		t.Errorf("a lease of %d s under a token of 8 s", made.LeaseDuration)
	}
	for deadline := time.Now().Add(2 * time.Minute); len(users(t, s)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the user outlived the token")
		}
	}
	_, err = c.Logical().ReadWithContext(t.Context(), "database/creds/long")
	wantStatus(t, err, http.StatusForbidden)
}

func users(t *testing.T, s *vaulttest.Server) map[string]vaulttest.User {
	t.Helper()
	all, err := s.Users()
	ok(t, err)
	return all.Users
}
