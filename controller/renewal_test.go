package controller_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// publicKeys is the ConfigMap of public keys.
func (s *system) publicKeys() *corev1.ConfigMap {
	s.t.Helper()
	m := &corev1.ConfigMap{}
	s.ok(s.Client().Get(s.t.Context(), client.ObjectKey{Namespace: "fuin-system", Name: "fuin-public-keys"}, m))
	return m
}

// renewed waits until another certificate is published.
func (s *system) renewed(before string) (after string) {
	s.t.Helper()
	s.eventually("another certificate is published", func() bool {
		after = s.publicKeys().Data["cert.pem"]
		return after != before && after != ""
	})
	return after
}

func TestRSAKeyIsRenewed(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run("--privatekey-labels", "team=shop", "--privatekey-annotations", "note=mine")
	s.recipient("cert.pem")
	before, age := s.publicKeys().Data["cert.pem"], s.publicKeys().Data["recipients"]
	old := s.seal(secret(s.Namespace(t), "db", "k", "v"), false)

	s.eventually("a second went by", func() bool { return time.Since(certificateOf(t, before).NotBefore) > time.Second })
	s.ok(p.cmd.Process.Signal(syscall.SIGUSR1))
	bySignal := s.renewed(before)

	s.eventually("a second went by", func() bool { return time.Since(certificateOf(t, bySignal).NotBefore) > time.Second })
	s.patch(s.publicKeys(), `{"metadata":{"annotations":{"fuin.dev/rotate-rsa":"`+time.Now().UTC().Format(time.RFC3339)+`"}}}`)
	byRequest := s.renewed(bySignal)
	p.stop()

	s.eventually("a second went by", func() bool { return time.Since(certificateOf(t, byRequest).NotBefore) > time.Second })
	s.run("--key-cutoff-time", time.Now().Format(time.RFC1123Z))
	s.renewed(byRequest)

	if got := len(s.rsaSecrets(t.Context())); got != 4 {
		t.Errorf("%d RSA keys, want 4: the first, and one each by signal, request and cutoff", got)
	}
	if first := s.rsaSecrets(t.Context())[0]; first.Labels["team"] != "shop" || first.Annotations["note"] != "mine" {
		t.Errorf("the labels and annotations asked for are missing: %v %v", first.Labels, first.Annotations)
	}
	if s.publicKeys().Data["recipients"] != age {
		t.Error("the age identity was renewed, too")
	}
	s.apply(old) // what was sealed with the first key opens all the same
	ob := struct{ Metadata struct{ Namespace string } }{}
	s.ok(json.Unmarshal([]byte(s.edit(old, func(map[string]any) {})), &ob))
	s.opens(ob.Metadata.Namespace, "db", "k", "v")
}

// A key that is not old enough stays, whatever happens around it.
func TestRSAKeyStays(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run()
	s.recipient("cert.pem")
	for range 3 {
		p.stop()
		p = s.run("--key-cutoff-time", time.Now().Add(-time.Hour).Format(time.RFC1123Z))
		s.patch(s.publicKeys(), `{"metadata":{"annotations":{"fuin.dev/rotate-rsa":"2020-01-01T00:00:00Z","fuin.dev/rotate-age":"soon"}}}`)
	}
	s.others(s.Namespace(t))
	if got := len(s.rsaSecrets(t.Context())); got != 1 {
		t.Errorf("%d RSA keys, want the first alone", got)
	}
}

// fuin runs the CLI against the cluster as an administrator.
func (s *system) fuin(args ...string) (stdout string, code int) {
	s.t.Helper()
	admin := filepath.Join(s.t.TempDir(), "admin")
	s.ok(kubetest.WriteKubeconfig(admin, s.Admin(), ""))
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(fuintest.Bin, "fuin"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+admin)
	var out, errs output
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	s.t.Logf("fuin %s: exit %d\n%s%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), out.String(), errs.String())
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestKeysByCommand is a team's life with keys: the committed file is brought
// up to date, keys are rotated, retired, revoked and revived.
func TestKeysByCommand(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	s.run()
	ns, file := s.Namespace(t), filepath.Join(t.TempDir(), "staging.txt")
	s.recipient("recipients")
	want := func(code int, args ...string) string {
		t.Helper()
		out, got := s.fuin(args...)
		if got != code {
			t.Fatalf("fuin %s: exit %d, want %d", strings.Join(args, " "), got, code)
		}
		return out
	}
	want(0, "keys", "sync", "cluster", file)
	want(0, "keys", "sync", "--check", "cluster", file)
	s.apply(s.seal(secret(ns, "old", "k", "v"), true))
	s.opens(ns, "old", "k", "v")
	first := s.recipient("recipients").Fingerprint()
	s.eventually("a second went by", func() bool { return time.Since(s.newestAge()) > 2*time.Second })

	want(0, "keys", "rotate", "cluster")
	want(3, "keys", "sync", "--check", "cluster", file)
	want(0, "keys", "sync", "cluster", file)
	want(0, "keys", "sync", "--check", "cluster", file)
	second := s.recipient("recipients").Fingerprint()
	if second == first {
		t.Fatal("the age identity is the same after fuin keys rotate")
	}
	want(0, "keys", "retire", "cluster", first)
	s.eventually("it is retired", func() bool { return strings.Contains(want(0, "keys", "list", "cluster"), "retired") })
	s.says(ns, "old", bitnami.Ready, corev1.ConditionTrue, "")

	want(2, "keys", "revoke", "cluster", first) // nobody is asked off a terminal
	want(0, "keys", "revoke", "--yes", "cluster", first)
	s.says(ns, "old", bitnami.Ready, corev1.ConditionFalse, "no key opens it")
	if made := s.secretOf(ns, "old"); made == nil || string(made.Data["k"]) != "v" {
		t.Error("the Secret of a revoked key is gone")
	}
	want(0, "keys", "revoke", "--undo", "cluster", first)
	s.says(ns, "old", bitnami.Ready, corev1.ConditionTrue, "")
}

// newestAge is when the newest age identity was made.
func (s *system) newestAge() time.Time {
	s.t.Helper()
	type key struct {
		Kind    keys.Kind
		Created time.Time
	}
	var ring []key
	s.ok(json.Unmarshal([]byte(s.publicKeys().Data["keys.json"]), &ring))
	return ring[slices.IndexFunc(ring, func(k key) bool { return k.Kind.Age() })].Created
}

// A key's state counts on every replica at once, the one that leads or not.
func TestEveryReplicaHonoursStates(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	replicas := []*process{s.run(), s.run()}
	ns := s.Namespace(t)
	sealed := s.seal(secret(ns, "db", "k", "v"), true)
	both := func(status int) {
		t.Helper()
		for _, p := range replicas {
			s.eventually("replica says so", func() bool { return p.post("/v1/verify", sealed) == status })
		}
	}
	both(http.StatusOK)
	var list corev1.SecretList
	s.ok(s.Client().List(t.Context(), &list, client.InNamespace("fuin-system"), client.HasLabels{keys.LabelAge}))
	s.patch(&list.Items[0], `{"metadata":{"labels":{"`+keys.LabelAge+`":"revoked"}}}`)
	both(http.StatusConflict)
	s.patch(&list.Items[0], `{"metadata":{"labels":{"`+keys.LabelAge+`":"retired"}}}`)
	both(http.StatusOK)
}

// The replica that is left goes on where the other was killed.
func TestLeaderIsSucceeded(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	first := s.run()
	ns := s.Namespace(t)
	s.others(ns)
	second := s.run()
	if n := second.metric("fuin_private_key_operations_total"); n != 0 {
		t.Errorf("the second replica opened something: %v operations", n)
	}
	first.kill()
	s.apply(s.seal(secret(ns, "after", "k", "v"), true))
	s.opens(ns, "after", "k", "v")
}
