package roll_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/roll"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestMain(m *testing.M) { fuintest.Main(m) }

// rolling is a namespace with workloads that a controller restarts.
type rolling struct {
	*fuintest.System
	p     *fuintest.Process
	ns    string
	turns int // of the marker
	rolls int // that there should have been since the controller started
}

// workload is a manifest that asks to be rolled; pod is the spec of its pods.
func (r *rolling) workload(apiVersion, kind, name, pod string) {
	r.T.Helper()
	extra := map[string]string{"StatefulSet": "\n  serviceName: none", "Rollout": "\n  replicas: 1"}[kind]
	r.Put(fmt.Sprintf(`
apiVersion: %s
kind: %s
metadata: {namespace: %s, name: %s, annotations: {fuin.dev/roll: "true"}}
spec:%s
  selector: {matchLabels: {app: %[4]s}}
  template:
    metadata: {labels: {app: %[4]s}, annotations: {theirs: "1"}}
    spec: %[6]s
`, apiVersion, kind, r.ns, name, extra, pod))
}

func reads(secret string) string {
	return `{containers: [{name: app, image: app, envFrom: [{secretRef: {name: ` + secret + `}}]}]}`
}

var (
	deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")
	rolloutKind    = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
)

func (r *rolling) get(kind schema.GroupVersionKind, name string) *unstructured.Unstructured {
	r.T.Helper()
	w := &unstructured.Unstructured{}
	w.SetGroupVersionKind(kind)
	r.OK(r.Client().Get(r.T.Context(), client.ObjectKey{Namespace: r.ns, Name: name}, w))
	return w
}

func codeOf(w *unstructured.Unstructured) string {
	code, _, _ := unstructured.NestedString(w.Object, "spec", "template", "metadata", "annotations", roll.AnnotationCode)
	return code
}

// rolled waits for another code than before.
func (r *rolling) rolled(kind schema.GroupVersionKind, name, before string) (code string) {
	r.T.Helper()
	r.Eventually(kind.Kind+" "+name+" is rolled", func() bool {
		code = codeOf(r.get(kind, name))
		return code != before
	})
	r.rolls++
	return code
}

// revisions counts the ReplicaSets of a Deployment, or the ControllerRevisions
// of another workload, once its controller has seen it.
func (r *rolling) revisions(kind schema.GroupVersionKind, name string) int {
	r.T.Helper()
	r.Eventually(name+" is seen by its controller", func() bool {
		w := r.get(kind, name)
		seen, _, _ := unstructured.NestedInt64(w.Object, "status", "observedGeneration")
		return seen == w.GetGeneration()
	})
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ControllerRevisionList"))
	if kind == deploymentKind {
		list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	}
	r.OK(r.Client().List(r.T.Context(), list, client.InNamespace(r.ns), client.MatchingLabels{"app": name}))
	return len(list.Items)
}

func (r *rolling) setSecret(name, key, value string) {
	r.T.Helper()
	r.Put(fuintest.SecretManifest(r.ns, name, key, value))
}

// pass lets the controller go through all that happened before: a workload
// rolls whose Secret changes after it.
func (r *rolling) pass() {
	r.T.Helper()
	r.turns++
	before := codeOf(r.get(deploymentKind, "marker"))
	r.setSecret("marker", "turn", fmt.Sprint(r.turns))
	r.rolled(deploymentKind, "marker", before)
}

// stays does something after which a workload must not have been rolled.
func (r *rolling) stays(what string, kind schema.GroupVersionKind, name string, do func()) {
	r.T.Helper()
	before, revisions := codeOf(r.get(kind, name)), r.revisions(kind, name)
	do()
	r.pass()
	if after := r.revisions(kind, name); codeOf(r.get(kind, name)) != before || after != revisions {
		r.T.Errorf("%s: %s %s was rolled: %d revisions, then %d", what, kind.Kind, name, revisions, after)
	}
}

// once does something after which a workload must have been rolled once.
func (r *rolling) once(what string, kind schema.GroupVersionKind, name string, do func()) {
	r.T.Helper()
	before, revisions := r.get(kind, name), r.revisions(kind, name)
	do()
	r.rolled(kind, name, codeOf(before))
	r.pass()
	if after := r.revisions(kind, name); after != revisions+1 || r.get(kind, name).GetGeneration() != before.GetGeneration()+1 {
		r.T.Errorf("%s: %d revisions of %s, then %d", what, revisions, name, after)
	}
}

// burst changes a Secret several times, which makes one roll of those who name it. If
// the changes came too slowly, they are no burst.
func (r *rolling) burst(kind schema.GroupVersionKind, name, from, value string) (quick bool) {
	r.T.Helper()
	const changes, quiet = 5, 500 * time.Millisecond
	var sealed []string
	for i := range changes {
		sealed = append(sealed, r.Seal(fuintest.SecretManifest(r.ns, from, "k", fmt.Sprint(value, i)), true))
	}
	before, began := r.get(kind, name), time.Now()
	for _, manifest := range sealed {
		r.Put(manifest)
	}
	r.Opens(r.ns, from, "k", fmt.Sprint(value, changes-1))
	quick = time.Since(began) < quiet
	r.rolled(kind, name, codeOf(before))
	r.pass()
	rolls := int(r.get(kind, name).GetGeneration() - before.GetGeneration())
	if rolls > changes || quick && rolls != 1 {
		r.T.Errorf("%d changes in less than %s: %v, made %d rolls", changes, quiet, quick, rolls)
	}
	r.rolls += rolls - 1
	return quick
}

func (r *rolling) restart() {
	r.T.Helper()
	r.p.Stop()
	r.p, r.rolls = r.Run(fuintest.Alone, "--roll"), 0
}

// counted compares the rolls that happened with those that should have. They are
// counted right after.
func (r *rolling) counted() {
	r.T.Helper()
	r.Eventually("all rolls are counted", func() bool { return int(r.p.Metric("fuin_rolls_total")) >= r.rolls })
	if n := int(r.p.Metric("fuin_rolls_total")); n != r.rolls {
		r.T.Errorf("%d rolls, want %d", n, r.rolls)
	}
}

// newRolling starts a controller with --roll. Before it has the rights for
// that, it says so, and does all else.
func newRolling(t *testing.T, permittedAtStart bool) *rolling {
	t.Helper()
	s := fuintest.New(t, kubetest.New(t, kubetest.Config{}))
	permit := func() { s.OK(s.Apply(t.Context(), "", fuintest.Deploy("roll", "rbac.yaml"))) }
	if permittedAtStart {
		permit()
	}
	r := &rolling{System: s, p: s.Run(fuintest.Alone, "--roll"), ns: s.Namespace(t)}
	s.Put(s.Seal(fuintest.SecretManifest(r.ns, "db", "k", "v1"), true))
	s.Opens(r.ns, "db", "k", "v1")
	if !permittedAtStart {
		s.Eventually("it says what lacks", func() bool { return strings.Contains(r.p.Log.String(), "apply deploy/roll") })
		permit()
	}
	r.setSecret("marker", "turn", "0")
	r.workload("apps/v1", "Deployment", "marker", reads("marker"))
	r.rolled(deploymentKind, "marker", "")
	return r
}

// ownedBy is what a manager has applied.
func ownedBy(w *unstructured.Unstructured, manager string) string {
	for _, m := range w.GetManagedFields() {
		if m.Manager == manager && m.Operation == metav1.ManagedFieldsOperationApply {
			return m.FieldsV1.GetRawString()
		}
	}
	return ""
}

// applyAs sets a code as another manager does.
func (r *rolling) applyAs(manager, name, code string) {
	r.T.Helper()
	w := &unstructured.Unstructured{}
	r.OK(json.Unmarshal(fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":%q,"name":%q},
		"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`, r.ns, name, roll.AnnotationCode, code), &w.Object))
	r.OK(r.Client().Apply(r.T.Context(), client.ApplyConfigurationFromUnstructured(w), client.FieldOwner(manager), client.ForceOwnership))
}
