package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestEnvironmentsOfRealCluster runs fuin status and fuin wait on a real API
// server. The test plays the controller: it writes the status.
func TestEnvironmentsOfRealCluster(t *testing.T) {
	c := kubetest.New(t, kubetest.Config{})
	w := newWorld(t, c)
	t.Run("no CRD", func(t *testing.T) { testNoCRD(t, w) })
	if err := c.Apply(t.Context(), "default", "../../deploy/base/fuin.dev_environments.yaml"); err != nil {
		t.Fatal(err)
	}
	t.Run("status list", func(t *testing.T) { testStatusList(t, w) })
	t.Run("status detail", func(t *testing.T) { testStatusDetail(t, w) })
	t.Run("status of hostile texts", func(t *testing.T) { testStatusHostile(t, w) })
	t.Run("status pages", func(t *testing.T) { testStatusPages(t, w) })
	t.Run("status rights", func(t *testing.T) { testStatusRights(t, w) })
	t.Run("status image", func(t *testing.T) { testStatusImage(t, w) })
	t.Run("status unmanaged", func(t *testing.T) { testStatusUnmanaged(t, w) })
	t.Run("wait revision", func(t *testing.T) { testWaitRevision(t, w) })
	t.Run("wait failures", func(t *testing.T) { testWaitFailures(t, w) })
	t.Run("wait directory", func(t *testing.T) { testWaitDirectory(t, w) })
	t.Run("wait without the right to watch", func(t *testing.T) { testWaitPolls(t, w) })
	t.Run("watch on a terminal", func(t *testing.T) { testWatchTerminal(t, w) })
	t.Run("watch outlives the API server", func(t *testing.T) { testWatchOutlives(t, w) }) // last: it restarts it
}

// A world is a cluster with Environments.
type world struct {
	cluster    *kubetest.Cluster
	client     client.Client
	kubeconfig string // of an administrator
}

func newWorld(t *testing.T, c *kubetest.Cluster) *world {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	typed, err := client.New(c.Admin(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{cluster: c, client: typed, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := kubetest.WriteKubeconfig(w.kubeconfig, c.Admin(), ""); err != nil {
		t.Fatal(err)
	}
	return w
}

// The commits of the tests.
const (
	commitA = "aaaaaaaa11111111111111111111111111111111"
	commitB = "bbbbbbbb22222222222222222222222222222222"
	mainA   = "main@sha1:" + commitA
	mainB   = "main@sha1:" + commitB
)

// environment makes an Environment that the controller has not seen yet.
func (w *world) environment(t *testing.T, namespace, name string, edit ...func(*v1alpha1.EnvironmentSpec)) *v1alpha1.Environment {
	t.Helper()
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	e.Spec.Source.Git = &v1alpha1.Git{URL: "https://git.example/team/shop.git", Ref: v1alpha1.GitRef{Branch: "main"}}
	e.Spec.Path, e.Spec.Prune = "overlays/"+name, true
	e.Spec.Interval.Duration, e.Spec.RetryInterval.Duration, e.Spec.Timeout.Duration = time.Second, time.Second, time.Minute
	for _, edit := range edit {
		edit(&e.Spec)
	}
	if err := w.client.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// report writes a status, as of the Environment's current generation.
func (w *world) report(t *testing.T, e *v1alpha1.Environment, edit func(*v1alpha1.EnvironmentStatus)) {
	t.Helper()
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(e), e); err != nil {
		t.Fatal(err)
	}
	e.Status.ObservedGeneration = e.Generation
	edit(&e.Status)
	if err := w.client.Status().Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// conditions are Ready, Reconciling and Stalled, the latter two where true.
func conditions(status *v1alpha1.EnvironmentStatus, ready metav1.ConditionStatus, reason, message string, more ...string) {
	now := metav1.NewTime(time.Now().Add(-time.Minute))
	status.Conditions = []metav1.Condition{{Type: v1alpha1.Ready, Status: ready, Reason: reason, Message: message, LastTransitionTime: now}}
	for _, kind := range more {
		status.Conditions = append(status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: now})
	}
}

// ready is the status of an Environment that applied a revision.
func ready(revision string) func(*v1alpha1.EnvironmentStatus) {
	return func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionTrue, "Applied", "applied "+revision)
		s.LastAttemptedRevision, s.LastAppliedRevision = revision, revision
		s.History = append([]v1alpha1.Revision{{
			Revision: revision, Author: "Ada Lovelace", Subject: "more tea", Result: "Applied", Objects: 3, Time: metav1.NewTime(time.Now().Add(-3 * time.Hour)),
		}}, s.History...)
	}
}

// run carries out a command as an administrator.
func (w *world) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return w.as(t.Context(), w.kubeconfig, args...)
}

func (w *world) as(ctx context.Context, kubeconfig string, args ...string) (code int, stdout, stderr string) {
	u, out, errs := testUI("")
	code = u.run(ctx, append(args, "--kubeconfig", kubeconfig))
	return code, out.String(), errs.String()
}

// account makes an account with the rules of a Role in its namespace.
func (w *world) account(t *testing.T, namespace, name, rules string) string {
	t.Helper()
	create(t, w.cluster, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	err := w.cluster.ApplyYAML(t.Context(), namespace, strings.NewReplacer("NAME", name, "SPACE", namespace, "RULES", rules).Replace(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME}
rules: RULES
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}
subjects: [{kind: ServiceAccount, name: NAME, namespace: SPACE}]
`))
	if err != nil {
		t.Fatal(err)
	}
	config, err := w.cluster.As(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := kubetest.WriteKubeconfig(path, config, ""); err != nil {
		t.Fatal(err)
	}
	return path
}

// A running is a command that goes on while the test does.
type running struct {
	out, said *shared
	code      chan int
	stop      context.CancelFunc
}

// start begins a command; the test's end stops it.
func (w *world) start(t *testing.T, kubeconfig string, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{out: new(shared), said: new(shared), code: make(chan int, 1), stop: stop}
	u, _, _ := testUI("")
	u.stdout, u.stderr = r.out, r.said
	go func() { r.code <- u.run(ctx, append(args, "--kubeconfig", kubeconfig)) }()
	t.Cleanup(stop)
	return r
}

// says waits until the command printed a text.
func (r *running) says(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !strings.Contains(r.out.String()+r.said.String(), text) {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %q in %q and %q", text, r.out, r.said)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ends waits until the command ended, with that code and texts.
func (r *running) ends(t *testing.T, what string, code int, want ...string) {
	t.Helper()
	select {
	case got := <-r.code:
		expect(t, what, got, code, r.out.String()+r.said.String(), want...)
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s does not end: %q and %q", what, r.out, r.said)
	}
}

// shared is a buffer that a test reads while a command writes.
type shared struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
