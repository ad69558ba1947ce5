package references_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// database mounts a database whose credentials last so long, and returns a
// reference to a field of one.
func (s *stand) database(ttl time.Duration) (ref func(field string) string) {
	s.T.Helper()
	s.OK(s.vault.Database(s.T.Context(), s.name+"-db"))
	s.OK(s.vault.DatabaseRole(s.T.Context(), s.name+"-db", "app", ttl))
	return func(field string) string { return "ref+vault://" + s.name + "-db/creds/app#/" + field + "+" }
}

// fetched counts what was read from a path since a mark, by the audit log.
func (s *stand) fetched(since vaulttest.Mark, path string) (n int) {
	s.T.Helper()
	all, err := s.vault.Audit(since)
	s.OK(err)
	for _, e := range all {
		if strings.HasPrefix(e.Path, path) && e.Error == "" {
			n++
		}
	}
	return n
}

func (s *stand) users() vaulttest.Users {
	s.T.Helper()
	users, err := s.vault.Users()
	s.OK(err)
	return users
}

// TestShortLivedCredentials: each lease is fetched once, before the last one ends,
// also while there is other work and while the controller is killed right when it
// wrote one; the workload rolls each time; and old ones are left to end.
func TestShortLivedCredentials(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.New(t, vaulttest.Config{}))
	const life = 24 * time.Second
	ref := s.database(life)
	p := s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "leases"), nil)
	s.put(e.NS, "load", map[string]any{"k": "v"})
	all := map[string]any{
		"db.json":  secretOf("db", map[string]any{"stringData": map[string]any{"url": "db://" + ref("username") + ":" + ref("password") + "@db"}}),
		"web.json": workload("web", "db"),
	}
	for i := range 40 {
		all[fmt.Sprintf("load%d.json", i)] = secretOf(fmt.Sprint("load", i), map[string]any{"stringData": map[string]any{"k": s.ref(e.NS, "load", "k")}})
	}
	e.becomes(e.commit(all), metav1.ConditionTrue, "Applied", "")

	var seen []string
	for began := time.Now(); len(seen) < 4; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 4*time.Minute {
			t.Fatalf("only %d leases", len(seen))
		}
		made := s.Secret(e.NS, "db")
		user, password := credentials(t, string(made.Data["url"]))
		known, there := s.users().Users[user]
		if again := s.Secret(e.NS, "db"); again.ResourceVersion == made.ResourceVersion && (!there || known.Password != password) {
			t.Fatalf("the Secret holds credentials that do not exist any more, after %d leases", len(seen))
		}
		if slices.Contains(seen, user) {
			continue
		}
		seen = append(seen, user)
		if len(seen) == 2 || len(seen) == 3 {
			p.Kill() // before or after its status was written
			p = s.Run(fuintest.Alone)
		}
	}
	if n := s.users().Created; n != len(seen) {
		t.Errorf("%d credentials were made, and %d used", n, len(seen))
	}
	if n := s.fetched(0, s.name+"-db/creds/"); n != len(seen) {
		t.Errorf("%d were read, and %d used", n, len(seen))
	}
	e.Eventually("the workload rolled for each", func() bool { return e.ReplicaSets("web") >= len(seen) })
	if n, made := e.ReplicaSets("web"), s.users().Created; n > made {
		t.Errorf("there are %d ReplicaSets for %d credentials", n, made)
	}
	if l := s.SealedSecret(e.NS, "db").Status.Fuin.Lease; l == nil || len(l.References) != 2 || l.Ends.IsZero() || !l.Renew.Before(&l.Ends) {
		t.Errorf("the status tells of the lease: %+v", l)
	}
	s.Eventually("the first is gone from the database", func() bool { _, there := s.users().Users[seen[0]]; return !there })
}

func credentials(t testing.TB, url string) (user, password string) {
	t.Helper()
	user, rest, ok := strings.Cut(strings.TrimPrefix(url, "db://"), ":")
	password, _, closed := strings.Cut(rest, "@db")
	if !ok || !closed {
		t.Fatal("the Secret holds no credentials")
	}
	return user, password
}

// TestLeasesOutlastRestartsAndEdits: nothing but its end costs a lease: no pass,
// no restart, no edit of another key, no change of another reference, no Vault that
// is sealed.
func TestLeasesOutlastRestartsAndEdits(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.New(t, vaulttest.Config{}))
	ns := s.tenant()
	ref := s.database(time.Hour)
	s.put(ns, "db", map[string]any{"host": "h0", "other": "o0"})
	p := s.Run(fuintest.Alone)
	templates := map[string]any{
		"user": ref("username"), "password": ref("password"), "url": ref("username") + "@" + s.ref(ns, "db", "host"), "other": s.ref(ns, "db", "other"),
	}
	s.apply(templated(ns, "db", templates))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	first := s.Secret(ns, "db")
	user := string(first.Data["user"])
	want := func(host, other string) map[string]string {
		return map[string]string{"user": user, "password": string(first.Data["password"]), "url": user + "@" + host, "other": other}
	}
	s.has(ns, "db", want("h0", "o0"))

	p.Kill()
	p = s.Run(fuintest.Alone)
	s.Patch(first, `{"data":{"other":"ZWRpdGVk"}}`)
	s.has(ns, "db", want("h0", "o0"))
	labelled := templated(ns, "db", templates)
	labelled["spec"].(map[string]any)["template"].(map[string]any)["metadata"] = map[string]any{"labels": map[string]any{"a": "b"}}
	s.apply(labelled)
	s.Eventually("the label is there", func() bool { return s.Secret(ns, "db").Labels["a"] == "b" })
	s.has(ns, "db", want("h0", "o0"))
	s.OK(s.vault.Seal(t.Context(), 0))
	s.says(ns, "db", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")
	p.Kill()
	s.Run(fuintest.Alone)
	s.OK(s.vault.Unseal(t.Context(), 0))
	s.says(ns, "db", bitnami.Stale, corev1.ConditionFalse, "Read")
	s.has(ns, "db", want("h0", "o0"))
	if n := s.users().Created; n != 1 {
		t.Errorf("%d credentials were made, want one", n)
	}

	// What stands beside it in one value is as fresh as everything.
	s.put(ns, "db", map[string]any{"host": "h1", "other": "o1"})
	s.Eventually("the host is the new one", func() bool { return strings.HasSuffix(string(s.Secret(ns, "db").Data["url"]), "@h1") })
	now := s.Secret(ns, "db")
	user = string(now.Data["user"])
	first = now
	s.has(ns, "db", want("h1", "o1"))
	if n := s.users().Created; n != 2 {
		t.Errorf("%d credentials were made, want two", n)
	}
}

// TestCertificates: certificate and key of one Secret belong together, and are
// made anew before they end.
func TestCertificates(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.OK(s.vault.PKI(t.Context(), s.name+"-pki", "web", 40*time.Second))
	s.Run(fuintest.Alone)
	ref := func(field string) string {
		return "ref+vault://" + s.name + "-pki/issue/web?common_name=shop.example#/" + field + "+"
	}
	o := templated(ns, "tls", map[string]any{"tls.crt": ref("certificate"), "tls.key": ref("private_key")})
	o["spec"].(map[string]any)["template"].(map[string]any)["type"] = "kubernetes.io/tls"
	s.apply(o)
	serials := map[string]time.Time{}
	s.Eventually("there were two certificates", func() bool {
		made := s.Secret(ns, "tls")
		if made == nil {
			return false
		}
		pair, err := tls.X509KeyPair(made.Data["tls.crt"], made.Data["tls.key"])
		s.OK(err)
		if time.Now().After(pair.Leaf.NotAfter) {
			t.Error("the certificate ended")
		}
		if pair.Leaf.Subject.CommonName != "shop.example" {
			t.Errorf("it is for %s", pair.Leaf.Subject.CommonName)
		}
		serials[pair.Leaf.SerialNumber.String()] = pair.Leaf.NotAfter
		return len(serials) == 2
	})
	if n := s.fetched(0, s.name+"-pki/issue/"); n != 2 {
		t.Errorf("%d certificates were issued, and %d used: %v", n, len(serials), slices.Collect(maps.Values(serials)))
	}
}
