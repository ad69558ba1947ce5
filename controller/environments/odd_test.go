package environments_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestOddObjectsAreRefusedOneByOne: an object of any shape ends nothing but
// itself, and what stands beside it is applied.
func TestOddObjectsAreRefusedOneByOne(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "odd"), s.Tenant(), "odd", nil)
	workload := func(name, spec string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
	}
	all := files{
		"good.yaml": configMapOf("good", "1"),
		"read.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: read, uid: abc, resourceVersion: \"1\", generation: 3, managedFields: [{manager: x}], creationTimestamp: null}\ndata: {k: \"1\"}\n",
		"kind.yaml": "apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: x, namespace: elsewhere}\n",
		"vers.yaml": "apiVersion: a/b/c\nkind: ConfigMap\nmetadata: {name: x}\n",
		"path.yaml": "apiVersion: ../../v1\nkind: ConfigMap\nmetadata: {name: p}\n",
		"argo.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x, namespace: kube-system}\nspec: {template: {spec: {containers: [{envFrom: [{secretRef: {name: a}}]}]}}}\n",
	}
	for i, spec := range []string{"null", "3", "[]", "{template: []}", "{template: {spec: 1}}", "{template: {spec: {containers: {}}}}", "{template: {spec: {containers: [1, null, []], volumes: x}}}", "{template: {metadata: {annotations: []}, spec: {containers: [{envFrom: [[]], env: {}}]}}}"} {
		all[fmt.Sprintf("w%d.yaml", i)] = workload(fmt.Sprintf("w%d", i), spec)
	}
	e.commit(all)
	e.becomes(metav1.ConditionFalse, "ApplyFailed", "")
	for _, name := range []string{"good", "read"} {
		if e.configMap(name) == nil {
			t.Errorf("ConfigMap %s, which is good, was not applied", name)
		}
	}
	e.commit(files{"m.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, labels: {version: 1}}\n"})
	e.becomes(metav1.ConditionFalse, "RenderFailed", "metadata.labels is no mapping of text to text")
	e.commit(files{"m.yaml": configMapOf("m", "1")})
	e.applies()
	if log := p.Log.String(); strings.Contains(log, "panic") {
		t.Error("something panicked")
	}
}

// TestInventoryThatDoesNotFit in a status is refused before anything is applied.
func TestInventoryThatDoesNotFit(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "many"), s.Tenant(), "many", map[string]any{"interval": slow})
	var text strings.Builder
	for i := range 4000 {
		text.WriteString(configMapOf("m"+strconv.Itoa(i)+strings.Repeat("x", 220), "1") + "---\n")
	}
	e.commit(files{"m.yaml": text.String()})
	e.Wake()
	env := e.becomes(metav1.ConditionFalse, "TooManyObjects", "several Environments")
	if len(env.Status.Inventory) > 0 || !isStalled(env.Status.Conditions) {
		t.Errorf("it has an inventory of %d, conditions %v", len(env.Status.Inventory), env.Status.Conditions)
	}
}

// TestWaitingEnvironmentsKeepNobodyWaiting: a namespace with more Environments
// that wait for what never comes than there are workers leaves one for others.
func TestWaitingEnvironmentsKeepNobodyWaiting(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server, ns := gittest.New(t), s.Tenant()
	repo := server.New(t, "waits")
	var waiting []*environment
	all := files{}
	for i := range 20 {
		name := "waits-" + strconv.Itoa(i)
		spec := map[string]any{"path": name, "wait": true, "timeout": "99999h", "interval": slow}
		waiting = append(waiting, s.environment(repo, ns, name, spec))
		all[name+"/w.yaml"] = strings.ReplaceAll(workload(name, "none"), "envFrom: [{secretRef: {name: none}}]", "args: []")
	}
	waiting[0].commit(all)
	for _, e := range waiting {
		e.Wake()
	}
	s.Eventually("some of them wait", func() bool { // which of them came first is not told
		return slices.ContainsFunc(waiting, func(e *environment) bool { return e.deployment(e.Name) != nil })
	})
	other := s.environment(server.New(t, "other"), s.Tenant(), "other", nil)
	other.commit(files{"m.yaml": configMapOf("m", "1")})
	other.applies() // in its time: the others wait for longer than any test
}
