package controller_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// renewed waits until another certificate is published.
func (s *system) renewed(before string) (after string) {
	s.T.Helper()
	s.Eventually("another certificate is published", func() bool {
		after = s.PublicKeys().Data["cert.pem"]
		return after != before && after != ""
	})
	return after
}

func TestRSAKeyIsRenewed(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone, "--privatekey-labels", "team=shop", "--privatekey-annotations", "note=mine")
	s.Recipient("cert.pem")
	before, age := s.PublicKeys().Data["cert.pem"], s.PublicKeys().Data["recipients"]
	old := s.Seal(secret(s.Namespace(t), "db", "k", "v"), false)

	s.Eventually("a second went by", func() bool { return time.Since(certificateOf(t, before).NotBefore) > time.Second })
	s.OK(p.Cmd.Process.Signal(syscall.SIGUSR1))
	bySignal := s.renewed(before)

	s.Eventually("a second went by", func() bool { return time.Since(certificateOf(t, bySignal).NotBefore) > time.Second })
	s.Patch(s.PublicKeys(), `{"metadata":{"annotations":{"fuin.dev/rotate-rsa":"`+time.Now().UTC().Format(time.RFC3339)+`"}}}`)
	byRequest := s.renewed(bySignal)
	p.Stop()

	s.Eventually("a second went by", func() bool { return time.Since(certificateOf(t, byRequest).NotBefore) > time.Second })
	s.Run(fuintest.Alone, "--key-cutoff-time", time.Now().Format(time.RFC1123Z))
	s.renewed(byRequest)

	if got := len(s.rsaSecrets(t.Context())); got != 4 {
		t.Errorf("%d RSA keys, want 4: the first, and one each by signal, request and cutoff", got)
	}
	if first := s.rsaSecrets(t.Context())[0]; first.Labels["team"] != "shop" || first.Annotations["note"] != "mine" {
		t.Errorf("the labels and annotations asked for are missing: %v %v", first.Labels, first.Annotations)
	}
	if s.PublicKeys().Data["recipients"] != age {
		t.Error("the age identity was renewed, too")
	}
	s.Put(old) // what was sealed with the first key opens all the same
	ob := struct{ Metadata struct{ Namespace string } }{}
	s.OK(json.Unmarshal([]byte(s.Edit(old, func(map[string]any) {})), &ob))
	s.Opens(ob.Metadata.Namespace, "db", "k", "v")
}

// A key that is not old enough stays, whatever happens around it.
func TestRSAKeyStays(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	s.Recipient("cert.pem")
	for range 3 {
		p.Stop()
		p = s.Run(fuintest.Alone, "--key-cutoff-time", time.Now().Add(-time.Hour).Format(time.RFC1123Z))
		s.Patch(s.PublicKeys(), `{"metadata":{"annotations":{"fuin.dev/rotate-rsa":"2020-01-01T00:00:00Z","fuin.dev/rotate-age":"soon"}}}`)
	}
	s.others(s.Namespace(t))
	if got := len(s.rsaSecrets(t.Context())); got != 1 {
		t.Errorf("%d RSA keys, want the first alone", got)
	}
}

// TestKeysByCommand is a team's life with keys: the committed file is brought
// up to date, keys are rotated, retired, revoked and revived.
func TestKeysByCommand(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	s.Run(fuintest.Alone)
	ns, file := s.Namespace(t), filepath.Join(t.TempDir(), "staging.txt")
	s.Recipient("recipients")
	want := func(code int, args ...string) string {
		t.Helper()
		out, messages, got := s.Fuin(args...)
		if got != code {
			t.Fatalf("fuin %s: exit %d, want %d: %s%s", strings.Join(args, " "), got, code, out, messages)
		}
		return out
	}
	want(0, "keys", "sync", "cluster", file)
	want(0, "keys", "sync", "--check", "cluster", file)
	s.Put(s.Seal(secret(ns, "old", "k", "v"), true))
	s.Opens(ns, "old", "k", "v")
	first := s.Recipient("recipients").Fingerprint()
	s.Eventually("a second went by", func() bool { return time.Since(s.NewestAge()) > 2*time.Second })

	want(0, "keys", "rotate", "--timeout", "2m", "cluster")
	want(3, "keys", "sync", "--check", "cluster", file)
	want(0, "keys", "sync", "cluster", file)
	want(0, "keys", "sync", "--check", "cluster", file)
	second := s.Recipient("recipients").Fingerprint()
	if second == first {
		t.Fatal("the age identity is the same after fuin keys rotate")
	}
	want(0, "keys", "retire", "cluster", first)
	s.Eventually("it is retired", func() bool { return strings.Contains(want(0, "keys", "list", "cluster"), "retired") })
	s.Says(ns, "old", bitnami.Ready, corev1.ConditionTrue, "")

	want(2, "keys", "revoke", "cluster", first) // nobody is asked off a terminal
	want(0, "keys", "revoke", "--yes", "cluster", first)
	s.Says(ns, "old", bitnami.Ready, corev1.ConditionFalse, "no key opens it")
	if made := s.Secret(ns, "old"); made == nil || string(made.Data["k"]) != "v" {
		t.Error("the Secret of a revoked key is gone")
	}
	want(0, "keys", "revoke", "--undo", "cluster", first)
	s.Says(ns, "old", bitnami.Ready, corev1.ConditionTrue, "")
}

// A key's state counts on every replica at once, the one that leads or not.
func TestEveryReplicaHonoursStates(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	replicas := []*fuintest.Process{s.Run(), s.Run()}
	ns := s.Namespace(t)
	sealed := s.Seal(secret(ns, "db", "k", "v"), true)
	both := func(status int) {
		t.Helper()
		for _, p := range replicas {
			s.Eventually("replica says so", func() bool { return p.Post("/v1/verify", sealed).Status == status })
		}
	}
	both(http.StatusOK)
	var list corev1.SecretList
	s.OK(s.Client().List(t.Context(), &list, client.InNamespace("fuin-system"), client.HasLabels{keys.LabelAge}))
	s.Patch(&list.Items[0], `{"metadata":{"labels":{"`+keys.LabelAge+`":"revoked"}}}`)
	both(http.StatusConflict)
	s.Patch(&list.Items[0], `{"metadata":{"labels":{"`+keys.LabelAge+`":"retired"}}}`)
	both(http.StatusOK)
}

// The replica that is left goes on where the other was killed.
func TestLeaderIsSucceeded(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	first := s.Run()
	ns := s.Namespace(t)
	s.others(ns)
	second := s.Run()
	if n := second.Operations(); n != 0 {
		t.Errorf("the second replica opened something: %v operations", n)
	}
	first.Kill()
	s.Put(s.Seal(secret(ns, "after", "k", "v"), true))
	s.Opens(ns, "after", "k", "v")
}
