package environments_test

import (
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gone waits until the Environment is no more.
func (e *environment) gone() {
	e.T.Helper()
	e.Eventually("the Environment is gone", func() bool {
		return apierrors.IsNotFound(e.Client().Get(e.T.Context(), fuintest.Key(e.NS, e.Name), e.Object()))
	})
}

// TestDeletion: a deleted Environment takes its objects along, leaves them
// where it says so, and does not hang where its account is gone.
func TestDeletion(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	for name, tt := range map[string]struct {
		spec    map[string]any
		before  func(e *environment)
		remains bool
	}{
		"pruned":   {nil, func(*environment) {}, false},
		"orphaned": {map[string]any{"deletionPolicy": "Orphan"}, func(*environment) {}, true},
		"account": {nil, func(e *environment) {
			s.OK(s.Client().Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: e.NS, Name: "fuin-deployer"}}))
		}, true},
		"namespace": {nil, func(e *environment) {
			s.OK(s.Client().Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.NS}}))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := s.environment(server.New(t, name), s.Tenant(), name, tt.spec)
			e.commit(files{"m.yaml": configMapOf("m", "1"), "db.yaml": e.sealed("db", "pw", "x")})
			e.applies()
			tt.before(e)
			s.OK(client.IgnoreNotFound(s.Client().Delete(t.Context(), e.Object())))
			e.gone()
			if tt.remains && e.configMap("m") == nil {
				t.Error("the ConfigMap is gone")
			}
			if !tt.remains { // with the Environment, or with the namespace a little later
				e.Eventually("the ConfigMap is gone", func() bool { return e.configMap("m") == nil })
			}
		})
	}
}

// TestClaimed: of two Environments with one object the second is Stalled with
// the name of the first, and goes on when that is gone.
func TestClaimed(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	server, ns := gittest.New(t), s.Tenant()
	first := s.environment(server.New(t, "first"), ns, "first", nil)
	first.commit(files{"m.yaml": configMapOf("m", "first")})
	first.applies()
	p.Stop() // so that only the cluster tells
	s.Run(fuintest.Alone)
	second := s.environment(server.New(t, "second"), ns, "second", nil)
	second.commit(files{"m.yaml": configMapOf("m", "second")})
	env := second.becomes(metav1.ConditionFalse, "Claimed", ns+"/first")
	if c := env.Status.Conditions; !isStalled(c) {
		t.Errorf("it is not Stalled: %+v", c)
	}
	if k := first.configMap("m").Data["k"]; k != "first" {
		t.Errorf("the object is %q", k)
	}
	s.OK(s.Client().Delete(t.Context(), first.Object()))
	first.gone()
	second.becomes(metav1.ConditionTrue, "Applied", "")
}

func isStalled(all []metav1.Condition) bool {
	for _, c := range all {
		if c.Type == "Stalled" {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}

// TestEmptySetPrunesNothing unless it is said that it should; nor does a
// deleted path, and a tampered inventory deletes nothing of others.
func TestEmptySetPrunesNothing(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, configMapOf("theirs", "1")))
	e := s.environment(gittest.New(t).New(t, "empty"), ns, "empty", map[string]any{"path": "app"})
	e.commit(files{"app/m.yaml": configMapOf("m", "1"), "README.md": "x"})
	e.applies()

	u := e.Object()
	s.OK(s.Client().Status().Patch(t.Context(), u, client.RawPatch("application/merge-patch+json",
		[]byte(`{"status":{"inventory":[{"id":"`+ns+`_theirs__ConfigMap","v":"v1"},{"id":"`+ns+`_m__ConfigMap","v":"v1"}]}}`))))
	e.commit(files{"app/other.yaml": configMapOf("other", "1"), "README.md": "x"})
	e.applies()
	if e.configMap("theirs") == nil {
		t.Error("a tampered inventory deleted an object of others")
	}
	if e.configMap("m") != nil {
		t.Error("what left the source is there still")
	}

	e.commit(files{"app/README.md": "x"})
	e.becomes(metav1.ConditionFalse, "EmptySet", "allowEmpty")
	e.commit(files{"README.md": "x"})
	e.becomes(metav1.ConditionFalse, "RenderFailed", "app")
	if e.configMap("other") == nil {
		t.Error("an empty set pruned")
	}
	e.commit(files{"app/README.md": "x"})
	e.Declare(map[string]any{"path": "app", "allowEmpty": true})
	e.becomes(metav1.ConditionTrue, "Applied", "0 objects")
	if e.configMap("other") != nil {
		t.Error("allowEmpty did not prune")
	}
}

// TestLostInventoryIsRebuilt from the labels of what was applied.
func TestLostInventoryIsRebuilt(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "lost"), s.Tenant(), "lost", nil)
	e.commit(files{"m.yaml": configMapOf("m", "1"), "gone.yaml": configMapOf("gone", "1")})
	e.applies()
	p.Stop()
	s.OK(s.Client().Status().Patch(t.Context(), e.Object(), client.RawPatch("application/merge-patch+json", []byte(`{"status":{"inventory":null}}`))))
	e.commit(files{"m.yaml": configMapOf("m", "1")})
	s.Run(fuintest.Alone)
	e.applies()
	e.Eventually("the orphan is pruned", func() bool { return e.configMap("gone") == nil })
}

// TestDependenciesComeFirst, and a cycle is Stalled.
func TestDependenciesComeFirst(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server, ns := gittest.New(t), s.Tenant()
	on := func(name string) map[string]any {
		return map[string]any{"interval": slow, "retryInterval": slow, "dependsOn": []any{map[string]any{"name": name}}}
	}
	app := s.environment(server.New(t, "app"), ns, "app", on("infra"))
	app.commit(files{"m.yaml": configMapOf("app", "1")})
	app.Wake()
	app.becomes(metav1.ConditionFalse, "DependencyNotReady", ns+"/infra")
	infra := s.environment(server.New(t, "infra"), ns, "infra", nil)
	infra.commit(files{"m.yaml": configMapOf("infra", "1")})
	app.becomes(metav1.ConditionTrue, "Applied", "")
	infra.Declare(on("app"))
	infra.becomes(metav1.ConditionFalse, "DependencyCycle", ns+"/app")
}

// TestDefinitionAndInstance of one set: the one waits for the other. The
// account is given what that needs.
func TestDefinitionAndInstance(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gadgets-NS}
rules:
  - {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [get, list, watch, create, patch, delete]}
  - {apiGroups: [example.com], resources: [gadgets], verbs: [get, list, watch, create, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gadgets-NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gadgets-NS}
subjects: [{kind: ServiceAccount, name: fuin-deployer, namespace: NS}]
`, "NS", ns)))
	e := s.environment(gittest.New(t).New(t, "gadgets"), ns, "gadgets", nil)
	e.commit(files{
		"a.yaml": "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: one}\n",
		"z.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`})
	e.applies()
	s.OK(s.Client().Delete(t.Context(), e.Object()))
	e.gone()
}

// TestJobsRunAgain when their template changes, and only then.
func TestJobsRunAgain(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "jobs"), s.Tenant(), "jobs", nil)
	job := func(image string) string {
		return `apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: m, image: "` + image + `"}]
`
	}
	uid := func() string {
		var j batchv1.Job
		s.OK(s.Client().Get(t.Context(), fuintest.Key(e.NS, "migrate"), &j))
		return string(j.UID)
	}
	e.commit(files{"job.yaml": job("m:1")})
	e.applies()
	first := uid()
	e.commit(files{"job.yaml": job("m:1"), "m.yaml": configMapOf("m", "1")})
	e.applies()
	if uid() != first {
		t.Error("the Job ran again though nothing of it changed")
	}
	e.commit(files{"job.yaml": job("m:2")})
	e.applies()
	if uid() == first {
		t.Error("the Job was not made again")
	}
}

// TestWaitForReady: with spec.wait Ready comes when the workload is.
func TestWaitForReady(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "wait"), s.Tenant(), "wait", map[string]any{"wait": true, "timeout": "5s"})
	e.commit(files{"web.yaml": workload("web", "db"), "db.yaml": e.sealed("db", "pw", "x")})
	e.becomes(metav1.ConditionFalse, "Timeout", "Deployment "+e.NS+"/web")
	e.Declare(map[string]any{"wait": true})
	e.Eventually("the workload is ready, and with it the Environment", func() bool {
		e.readyPods()
		c := meta.FindStatusCondition(e.Get().Status.Conditions, "Ready")
		return c != nil && c.Status == metav1.ConditionTrue && c.Reason == "Applied"
	})
}

// readyPods does what a node would: all Pods of the namespace run.
func (e *environment) readyPods() {
	e.T.Helper()
	var pods corev1.PodList
	e.OK(e.Client().List(e.T.Context(), &pods, client.InNamespace(e.NS)))
	for i := range pods.Items {
		p := &pods.Items[i]
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Minute))}}
		_ = e.Client().Status().Update(e.T.Context(), p) // another writer is met at times
	}
}
