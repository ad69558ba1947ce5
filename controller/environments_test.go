package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// files is the content of a directory, by path.
type files map[string]string

// environment is a namespace with its account, an Environment of a repository,
// and what a test asks of them.
type environment struct {
	*system
	ns, name string
	repo     *gittest.Repo
	before   string // the revision that was applied when a commit was made
}

// tenant readies a namespace for Environments, as deploy/tenant does.
func (s *system) tenant() (ns string) {
	s.t.Helper()
	ns = s.Namespace(s.t)
	text, err := os.ReadFile(filepath.Join("..", "deploy", "tenant", "tenant.yaml"))
	s.ok(err)
	s.ok(s.ApplyYAML(s.t.Context(), ns, strings.ReplaceAll(string(text),
		"  - kind: ServiceAccount\n    name: fuin-deployer\n", "  - kind: ServiceAccount\n    name: fuin-deployer\n    namespace: "+ns+"\n")))
	return ns
}

// environment makes one of a repository on a server. Its spec adds to what
// every one has.
func (s *system) environment(repo *gittest.Repo, ns, name string, spec map[string]any) *environment {
	s.t.Helper()
	e := &environment{system: s, ns: ns, name: name, repo: repo}
	e.declare(spec)
	s.t.Cleanup(e.remove)
	return e
}

// remove deletes the Environment, so that no other test's controller meets it.
func (e *environment) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	u := e.object()
	_ = e.Client().Delete(ctx, u)
	_ = e.Client().Patch(ctx, u, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
}

// declare applies the Environment itself.
func (e *environment) declare(spec map[string]any) {
	e.t.Helper()
	full := map[string]any{
		"source":   map[string]any{"git": map[string]any{"url": e.repo.URL(), "ref": map[string]any{"branch": "main"}}},
		"interval": "1s", "retryInterval": "1s",
	}
	maps.Copy(full, spec)
	text, err := json.Marshal(map[string]any{
		"apiVersion": "fuin.dev/v1alpha1", "kind": "Environment",
		"metadata": map[string]any{"namespace": e.ns, "name": e.name}, "spec": full,
	})
	e.ok(err)
	e.apply(string(text))
}

// commit makes the repository hold these files and no others.
func (e *environment) commit(all files) (hash string) {
	e.t.Helper()
	e.before = e.get().Status.LastAppliedRevision
	hash, err := e.repo.Commit(e.t.Context(), gittest.Commit{Files: all, Replace: true})
	e.ok(err)
	return hash
}

// object is the Environment by its name.
func (e *environment) object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	u.SetNamespace(e.ns)
	u.SetName(e.name)
	return u
}

func (e *environment) get() *v1alpha1.Environment {
	e.t.Helper()
	u := e.object()
	e.ok(e.Client().Get(e.t.Context(), clientKey(e.ns, e.name), u))
	env := &v1alpha1.Environment{}
	e.ok(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, env))
	return env
}

// becomes waits for the Ready condition, of the generation as it is.
func (e *environment) becomes(status metav1.ConditionStatus, reason, text string) *v1alpha1.Environment {
	e.t.Helper()
	var last *v1alpha1.Environment
	e.eventually(fmt.Sprintf("Environment %s/%s is Ready=%s %s %q", e.ns, e.name, status, reason, text), func() bool {
		last = e.get()
		c := meta.FindStatusCondition(last.Status.Conditions, v1alpha1.Ready)
		ok := c != nil && c.Status == status && c.Reason == reason && strings.Contains(c.Message, text) && last.Status.ObservedGeneration == last.Generation
		if !ok && c != nil {
			e.last = fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message)
		}
		return ok
	})
	return last
}

// applies waits until the directory as it is now has been applied.
func (e *environment) applies() *v1alpha1.Environment {
	e.t.Helper()
	var last *v1alpha1.Environment
	e.eventually("a new revision is applied", func() bool {
		last = e.get()
		c := meta.FindStatusCondition(last.Status.Conditions, v1alpha1.Ready)
		if c != nil {
			e.last = fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message)
		}
		return last.Status.LastAppliedRevision != e.before && last.Status.LastAppliedRevision == last.Status.LastAttemptedRevision &&
			c.Status == metav1.ConditionTrue
	})
	return last
}

func (e *environment) deployment(name string) *appsv1.Deployment {
	e.t.Helper()
	var d appsv1.Deployment
	err := e.Client().Get(e.t.Context(), clientKey(e.ns, name), &d)
	if apierrors.IsNotFound(err) {
		return nil
	}
	e.ok(err)
	return &d
}

func (e *environment) configMap(name string) *corev1.ConfigMap {
	e.t.Helper()
	var m corev1.ConfigMap
	err := e.Client().Get(e.t.Context(), clientKey(e.ns, name), &m)
	if apierrors.IsNotFound(err) {
		return nil
	}
	e.ok(err)
	return &m
}

// replicaSets counts those that a Deployment made.
func (e *environment) replicaSets(deployment string) int {
	e.t.Helper()
	var all appsv1.ReplicaSetList
	e.ok(e.Client().List(e.t.Context(), &all, client.InNamespace(e.ns), client.MatchingLabels{"app": deployment}))
	return len(all.Items)
}

// workload is a Deployment that names a Secret.
func workload(name, secret string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers:
        - name: app
          image: registry.example/%[1]s:v1
          envFrom: [{secretRef: {name: %[2]s}}]
`, name, secret)
}

func configMapOf(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {k: %q}\n", name, value)
}

// sealed is a SealedSecret of the namespace.
func (e *environment) sealed(name string, values ...string) string {
	return e.seal(secret(e.ns, name, values...), true)
}

// TestEnvironmentIsApplied goes the whole way: a commit with a sealed value
// becomes a Secret and the workload that names it, a change of the value rolls
// that workload and no other, and what leaves the directory is pruned.
func TestEnvironmentIsApplied(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.run(alone)
	e := s.environment(gittest.New(t).New(t, "shop"), s.tenant(), "shop", nil)
	all := files{
		"a/web.yaml": workload("web", "db"), "a/other.yaml": workload("other", "mail"),
		"z/db.yaml": e.sealed("db", "pw", "s3cret"), "z/mail.yaml": e.sealed("mail", "pw", "other"),
		"z/config.yaml": configMapOf("settings", "1"),
	}
	e.commit(all)
	env := e.applies()

	if got := e.secretOf(e.ns, "db"); got == nil || string(got.Data["pw"]) != "s3cret" {
		t.Fatalf("the Secret is %v", got)
	}
	web := e.deployment("web")
	if web == nil || web.Labels["fuin.dev/environment"] != "shop" || web.Labels["fuin.dev/environment-namespace"] != e.ns {
		t.Fatalf("the Deployment is %+v", web)
	}
	if n := len(env.Status.Inventory); n != 5 {
		t.Errorf("the inventory has %d objects, want 5: %v", n, env.Status.Inventory)
	}
	if env.Status.Secrets.Sealed != 2 || !slices.Contains(env.Status.Images, "registry.example/web:v1") {
		t.Errorf("secrets %+v, images %v", env.Status.Secrets, env.Status.Images)
	}
	if h := env.Status.History; len(h) != 1 || h[0].Result != "Applied" || h[0].Revision != env.Status.LastAppliedRevision {
		t.Errorf("history %+v", h)
	}

	e.eventually("both Deployments have a ReplicaSet", func() bool { return e.replicaSets("web") == 1 && e.replicaSets("other") == 1 })
	all["z/db.yaml"] = e.sealed("db", "pw", "changed")
	delete(all, "z/config.yaml")
	e.commit(all)
	e.applies()
	e.eventually("one workload rolls", func() bool { return e.replicaSets("web") == 2 })
	if n := e.replicaSets("other"); n != 1 {
		t.Errorf("the other workload has %d ReplicaSets", n)
	}
	if e.configMap("settings") != nil {
		t.Error("what left the directory is there still")
	}
}

// jsonOf is a value as JSON.
func (s *system) jsonOf(v any) string {
	s.t.Helper()
	text, err := json.Marshal(v)
	s.ok(err)
	return string(text)
}

// TestViewersSeeEnvironments: whoever may view a namespace may see its
// Environments, and change none.
func TestViewersSeeEnvironments(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.tenant()
	s.ok(s.ApplyYAML(t.Context(), ns, fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: viewer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: viewer, namespace: %s}]
`, ns)))
	config, err := s.As(t.Context(), ns, "viewer")
	s.ok(err)
	viewer, err := client.New(config, client.Options{})
	s.ok(err)
	e := s.environment(gittest.New(t).New(t, "viewed"), ns, "viewed", nil)
	e.eventually("the viewer sees it", func() bool {
		return viewer.Get(t.Context(), clientKey(ns, "viewed"), e.object()) == nil
	})
	if err := viewer.Delete(t.Context(), e.object()); !apierrors.IsForbidden(err) {
		t.Errorf("the viewer deletes it: %v", err)
	}
}

// TestWorkloadsRollOnWhatTheyName: a ConfigMap of the set, a Secret that
// somebody else keeps, each change once; and nothing rolls on a commit that
// changes none of it, or when the controller starts anew.
func TestWorkloadsRollOnWhatTheyName(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.run(alone)
	ns := s.tenant()
	s.apply(secret(ns, "external", "k", "1"))
	e := s.environment(gittest.New(t).New(t, "rolls"), ns, "rolls", nil)
	web := strings.Replace(workload("web", "external"), "envFrom: [", "envFrom: [{configMapRef: {name: settings}}, ", 1)
	all := files{"web.yaml": web, "settings.yaml": configMapOf("settings", "1"), "other.yaml": configMapOf("other", "1")}
	e.commit(all)
	e.applies()
	sets := func(n int) func() bool { return func() bool { return e.replicaSets("web") == n } }
	e.eventually("there is one ReplicaSet", sets(1))

	all["settings.yaml"] = configMapOf("settings", "2")
	e.commit(all)
	e.applies()
	e.eventually("a ConfigMap rolls it", sets(2))
	s.apply(secret(ns, "external", "k", "2"))
	e.eventually("a Secret of others rolls it", sets(3))
	s.apply(secret(ns, "external", "k", "3"))
	e.eventually("and again", sets(4))

	all["other.yaml"] = configMapOf("other", "2")
	e.commit(all)
	e.applies()
	p.stop()
	s.run(alone)
	e.commit(files{"web.yaml": web, "settings.yaml": configMapOf("settings", "2")})
	e.applies()
	if n := e.replicaSets("web"); n != 4 {
		t.Errorf("there are %d ReplicaSets, want 4", n)
	}
}
