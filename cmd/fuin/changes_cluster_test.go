package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/server"
	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestChangesOnRealCluster compares, reveals and reseals files with the help of
// a real API server. The test plays the controller, but for its endpoints, which
// are the real ones.
func TestChangesOnRealCluster(t *testing.T) {
	c := kubetest.New(t, kubetest.Config{})
	if err := c.Apply(t.Context(), "", "../../deploy/base/bitnami.com_sealedsecrets.yaml"); err != nil {
		t.Fatal(err)
	}
	dir, kubeconfig := t.TempDir(), filepath.Join(t.TempDir(), "kubeconfig")
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	if err := kubetest.WriteKubeconfig(kubeconfig, c.Admin(), ""); err != nil {
		t.Fatal(err)
	}
	f := &changer{t, c, dir, kubeconfig, c.Namespace(t)}
	t.Run("diff", f.diff)
	t.Run("reveal", f.reveal)
	t.Run("reseal", f.reseal)
}

type changer struct {
	t                          *testing.T
	cluster                    *kubetest.Cluster
	dir, kubeconfig, namespace string
}

func (f *changer) in(name string) string { return filepath.Join(f.dir, name) }

// seal writes a file with SealedSecrets of these names, each with a password.
func (f *changer) seal(t *testing.T, file string, names ...string) {
	t.Helper()
	var plain strings.Builder
	for _, name := range names {
		fmt.Fprintf(&plain, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\nstringData: {password: %s} # kept\n", name, f.namespace, canary)
	}
	u, _, stderr := testUI(plain.String())
	if code := u.run(t.Context(), []string{"seal", "-r", f.in("hybrid.pub"), "--out", f.in(file), "-"}); code != exitOK {
		t.Fatal(stderr)
	}
}

func (f *changer) run(t *testing.T, verb string, args ...string) (code int, out, said string) {
	t.Helper()
	u, stdout, stderr := testUI("")
	code = u.run(t.Context(), append([]string{verb, "--kubeconfig", f.kubeconfig}, args...))
	return code, stdout.String(), stderr.String()
}

// apply puts a file into the cluster, and says of its objects that they are
// synced or not.
func (f *changer) apply(t *testing.T, file, synced, message string) {
	t.Helper()
	if err := f.cluster.Apply(t.Context(), f.namespace, f.in(file)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.in(file))
	if err != nil {
		t.Fatal(err)
	}
	states, err := seal.States(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		ob := &unstructured.Unstructured{}
		ob.SetGroupVersionKind(schema.GroupVersionKind{Group: "bitnami.com", Version: "v1alpha1", Kind: kindSealedSecret})
		if err := f.cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: state.Name}, ob); err != nil {
			t.Fatal(err)
		}
		ob.Object["status"] = map[string]any{"observedGeneration": ob.GetGeneration(), "conditions": []any{map[string]any{
			"type": "Synced", "status": synced, "message": message, "reason": "X", "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z",
		}}}
		if err := f.cluster.Client().Status().Update(t.Context(), ob); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *changer) diff(t *testing.T) {
	f.seal(t, "db.yaml", "db")
	code, out, said := f.run(t, "diff", "--cluster", "--exit-code", f.in("db.yaml"))
	if code != exitFindings || !strings.Contains(out, "has none") || !strings.Contains(said, "comparing with context kubetest") {
		t.Errorf("not applied: code %d, %s%s", code, out, said)
	}
	f.apply(t, "db.yaml", "True", "")
	if code, out, said := f.run(t, "diff", "--cluster", "--exit-code", f.in("db.yaml")); code != exitOK || out != "" {
		t.Errorf("as applied: code %d, %s%s", code, out, said)
	}
	f.apply(t, "db.yaml", "False", "no key opens it")
	if code, out, _ := f.run(t, "diff", "--cluster", "--exit-code", f.in("db.yaml")); code != exitFindings || !strings.Contains(out, "not synced: no key opens it") {
		t.Errorf("not synced: code %d, %s", code, out)
	}
	f.seal(t, "db.yaml", "db")
	if _, out, _ := f.run(t, "diff", "--cluster", f.in("db.yaml")); !strings.Contains(out, "  password                           rewritten\n") {
		t.Errorf("rewritten: %s", out)
	}
}

func (f *changer) reveal(t *testing.T) {
	f.seal(t, "reveal.yaml", "shown")
	f.apply(t, "reveal.yaml", "True", "")
	create(t, f.cluster, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "shown"}, Data: map[string][]byte{"password": []byte("revealed")},
	})
	shows := func() bool {
		seen := f.in("seen")
		if err := os.WriteFile(f.in("editor"), []byte("cp \"$1\" "+seen+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		u, _, stderr := testUI("")
		u.getenv = func(name string) string { return map[string]string{"EDITOR": "sh " + f.in("editor")}[name] }
		if code := u.run(t.Context(), []string{"edit", "--kubeconfig", f.kubeconfig, "-r", f.in("hybrid.pub"), "--reveal", f.in("reveal.yaml")}); code != exitOK {
			t.Fatal(stderr)
		}
		data, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(data), "password: revealed")
	}
	if !shows() {
		t.Error("the value is not shown")
	}
	f.apply(t, "reveal.yaml", "False", "no key opens it")
	if shows() {
		t.Error("the Secret's old value is shown for one that does not open")
	}
	f.apply(t, "reveal.yaml", "True", "")
	f.seal(t, "reveal.yaml", "shown")
	if shows() {
		t.Error("the Secret's value is shown for another ciphertext")
	}
}

// serve runs the controller's endpoints with a ring of which the second key is
// the newest.
func (f *changer) serve(t *testing.T) {
	t.Helper()
	files, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	var ids []*keys.Identity
	for _, name := range []string{"second.txt", "hybrid.txt"} {
		parsed, err := keys.ParseIdentities(files[name])
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, parsed...)
	}
	address, err := kubetest.Address()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t, address)
	s := server.New(server.Config{
		Addr: fmt.Sprintf("%s:%d", address, port), Public: func() (string, string) { return "", "" },
		Opener:   func(context.Context) (seal.Opener, func()) { return seal.Opener{Identities: ids}, func() {} },
		Sealing:  func() []*keys.Recipient { return []*keys.Recipient{ids[0].Recipient()} },
		Ready:    func(context.Context) error { return nil },
		Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	create(t, f.cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fuinNamespace}})
	if err := f.cluster.Expose(t.Context(), fuinNamespace, "fuin-controller", port); err != nil {
		t.Fatal(err)
	}
}

func (f *changer) reseal(t *testing.T) {
	var names []string
	for i := range rotateObjects + 3 {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	if err := os.Mkdir(f.in("tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.seal(t, "tree/many.yaml", names...)
	f.seal(t, "tree/one.yaml", "one")
	if code, _, said := f.run(t, "reseal", "--cluster", f.in("tree")); code != exitUnreachable {
		t.Errorf("no controller: code %d, %s", code, said)
	}
	f.serve(t)
	reseal := func() (int, string) {
		code, _, said := f.run(t, "reseal", "--cluster", f.in("tree"))
		return code, said
	}
	code, said := reseal()
	for deadline := time.Now().Add(2 * time.Minute); code == exitUnreachable && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		code, said = reseal() // the API server learns of endpoints a moment later
	}
	if code != exitOK || !strings.Contains(said, fmt.Sprintf("resealed %d SealedSecrets in 2 files", len(names)+1)) {
		t.Fatalf("code %d, %s", code, said)
	}
	u, stdout, stderr := testUI("")
	if code := u.run(t.Context(), []string{"open", "-i", f.in("second.txt"), f.in("tree")}); code != exitOK || strings.Count(stdout.String(), "kind: Secret") != len(names)+1 {
		t.Errorf("opening: code %d, %s", code, stderr)
	}
	if code, said := reseal(); code != exitOK || !strings.Contains(said, "had the newest keys already") || strings.Contains(said, "resealed ") {
		t.Errorf("again: code %d, %s", code, said)
	}
	// One value that others can open, too, is named, and holds up no other file.
	f.seal(t, "tree/many.yaml", names...)
	u, _, stderr = testUI("x")
	if code := u.run(t.Context(), []string{"set", "-r", f.in("hybrid.pub"), "-r", f.in("other.pub"), f.in("tree/one.yaml"), "password"}); code != exitOK {
		t.Fatal(stderr)
	}
	code, said = reseal()
	if code != exitError || !strings.Contains(said, f.in("tree/one.yaml")+": refused by the controller: resealing "+f.namespace+`/one: key "password": sealed to 2 recipients`) ||
		!strings.Contains(said, fmt.Sprintf("resealed %d SealedSecrets in 1 file", len(names))) {
		t.Errorf("shared: code %d, %s", code, said)
	}
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
