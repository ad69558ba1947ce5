package fuintest

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/gittest"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// An Environment is one of a repository, in the namespace of a Tenant.
type Environment struct {
	*System
	NS, Name string
	Repo     *gittest.Repo
}

// Environment makes one of a repository. Its spec adds to what every one has: the
// branch main, looked at each second. It goes with the test, so that no other
// test's controller meets it.
func (s *System) Environment(repo *gittest.Repo, ns, name string, spec map[string]any) *Environment {
	s.T.Helper()
	e := &Environment{System: s, NS: ns, Name: name, Repo: repo}
	e.Declare(spec)
	s.T.Cleanup(e.remove)
	return e
}

func (e *Environment) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	u := e.Object()
	_ = e.Client().Delete(ctx, u)
	_ = e.Client().Patch(ctx, u, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
}

// Declare applies the Environment itself, with another spec.
func (e *Environment) Declare(spec map[string]any) {
	e.T.Helper()
	full := map[string]any{
		"source":   map[string]any{"git": map[string]any{"url": e.Repo.URL(), "ref": map[string]any{"branch": "main"}}},
		"interval": "1s", "retryInterval": "1s",
	}
	maps.Copy(full, spec)
	text, err := json.Marshal(map[string]any{
		"apiVersion": "fuin.dev/v1alpha1", "kind": "Environment",
		"metadata": map[string]any{"namespace": e.NS, "name": e.Name}, "spec": full,
	})
	e.OK(err)
	e.Put(string(text))
}

// Wake has the Environment looked at now.
func (e *Environment) Wake() {
	e.T.Helper()
	e.Patch(e.Object(), `{"metadata":{"annotations":{"fuin.dev/reconcile":"`+metav1.Now().Format("15:04:05.000000")+`"}}}`)
}

// Object is the Environment by its name.
func (e *Environment) Object() *unstructured.Unstructured {
	return Named(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind), e.NS, e.Name)
}

// Get reads the Environment, which is there.
func (e *Environment) Get() *v1alpha1.Environment {
	e.T.Helper()
	u := e.Object()
	e.OK(e.Client().Get(e.T.Context(), Key(e.NS, e.Name), u))
	env := &v1alpha1.Environment{}
	e.OK(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, env))
	return env
}

// ReplicaSets counts those that a Deployment made.
func (e *Environment) ReplicaSets(deployment string) int {
	e.T.Helper()
	var all appsv1.ReplicaSetList
	e.OK(e.Client().List(e.T.Context(), &all, client.InNamespace(e.NS), client.MatchingLabels{"app": deployment}))
	return len(all.Items)
}
