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
	corev1 "k8s.io/api/core/v1"
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

func TestWorkloadsRollWhenTheirSecretsChange(t *testing.T) {
	r := newRolling(t, false)
	reseal := func(value string) { r.Put(r.Seal(fuintest.SecretManifest(r.ns, "db", "k", value), true)) }
	r.workload("apps/v1", "Deployment", "app", reads("db"))
	first := r.rolled(deploymentKind, "app", "")
	if strings.Contains(first, "v1") || len(first) != 43 {
		t.Errorf("the code is %q", first)
	}

	r.once("another value", deploymentKind, "app", func() { reseal("v2") })
	r.stays("the same value sealed again", deploymentKind, "app", func() {
		reseal("v2")
		r.Rests(r.ns, "db")
	})
	r.stays("labels", deploymentKind, "app", func() {
		r.Patch(fuintest.NamedSecret(r.ns, "db"), `{"metadata":{"labels":{"a":"b"}}}`)
	})
	r.stays("rotated keys", deploymentKind, "app", func() {
		r.Eventually("a second went by", func() bool { return time.Since(r.NewestAge()) > 2*time.Second })
		before := r.Recipient("recipients").Fingerprint()
		if _, messages, code := r.Fuin("keys", "rotate", "cluster"); code != 0 {
			t.Fatal(messages)
		}
		r.Eventually("another key is published", func() bool { return r.Recipient("recipients").Fingerprint() != before })
		reseal("v2")
		r.Rests(r.ns, "db")
	})
	for attempt := range 5 { // a machine that is busy may be too slow for a burst
		if r.burst(deploymentKind, "app", "db", fmt.Sprint("burst ", attempt)) {
			break
		}
	}
	r.counted()
	r.stays("a restart", deploymentKind, "app", r.restart)
	r.counted()
}

func TestRollsLeaveTheRestAlone(t *testing.T) {
	r := newRolling(t, true)
	r.setSecret("plain", "k", "v1")
	r.setSecret("pull", "k", "v1")

	t.Run("fields of others", func(t *testing.T) {
		r.T = t
		r.workload("apps/v1", "Deployment", "app", reads("plain"))
		r.rolled(deploymentKind, "app", "")
		before := r.get(deploymentKind, "app")
		r.setSecret("plain", "k", "v2")
		r.rolled(deploymentKind, "app", codeOf(before))
		after := r.get(deploymentKind, "app")
		if a, b := ownedBy(before, "kubetest"), ownedBy(after, "kubetest"); a != b || a == "" {
			t.Errorf("the applier's fields:\n%s\n%s", a, b)
		}
		want := `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{"f:fuin.dev/roll-code":{}}}}}}`
		if got := ownedBy(after, roll.FieldOwner); got != want {
			t.Errorf("our fields: %s", got)
		}
		r.stays("the same manifest applied again", deploymentKind, "app", func() {
			r.workload("apps/v1", "Deployment", "app", reads("plain"))
		})
	})
	t.Run("pull secrets", func(t *testing.T) {
		r.T = t
		r.workload("apps/v1", "Deployment", "puller", `{imagePullSecrets: [{name: pull}], containers: [{name: app, image: app, envFrom: [{secretRef: {name: plain}}]}]}`)
		r.rolled(deploymentKind, "puller", "")
		r.stays("a pull secret", deploymentKind, "puller", func() { r.setSecret("pull", "k", "v2") })
	})
	t.Run("deleted and made again", func(t *testing.T) {
		r.T = t
		r.setSecret("gone", "k", "v1")
		r.workload("apps/v1", "Deployment", "bereft", reads("gone"))
		r.rolled(deploymentKind, "bereft", "")
		r.stays("its Secret is deleted", deploymentKind, "bereft", func() {
			r.OK(r.Client().Delete(t.Context(), fuintest.NamedSecret(r.ns, "gone")))
		})
		r.stays("and made again", deploymentKind, "bereft", func() { r.setSecret("gone", "k", "v1") })
		r.once("with another value", deploymentKind, "bereft", func() { r.setSecret("gone", "k", "v2") })
	})
	t.Run("not asked", func(t *testing.T) {
		r.T = t
		r.workload("apps/v1", "Deployment", "quiet", reads("plain"))
		r.rolled(deploymentKind, "quiet", "")
		quiet := r.get(deploymentKind, "quiet")
		r.Patch(quiet, `{"metadata":{"annotations":{"fuin.dev/roll":null}}}`)
		r.pass()
		r.stays("no longer asked", deploymentKind, "quiet", func() { r.setSecret("plain", "k", "v3") })
		r.rolls += 2 // of the two others that name it
	})
	t.Run("an Environment's", func(t *testing.T) {
		r.T = t
		r.setSecret("env", "k", "v1")
		r.workload("apps/v1", "Deployment", "env", reads("env"))
		r.rolled(deploymentKind, "env", "")
		r.applyAs("fuin", "env", "of-the-environment")
		r.Eventually("the field is left to the Environment", func() bool {
			return ownedBy(r.get(deploymentKind, "env"), roll.FieldOwner) == ""
		})
		r.stays("its Secret changes", deploymentKind, "env", func() { r.setSecret("env", "k", "v2") })
		if code := codeOf(r.get(deploymentKind, "env")); code != "of-the-environment" {
			t.Errorf("the code is %q", code)
		}
	})
	r.T = t
	r.counted()
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

// argoRollouts is as much of Argo's definition as server-side apply looks at.
const argoRollouts = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout, listKind: RolloutList}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}, status: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
`

func TestRollsOfEveryKind(t *testing.T) {
	r := newRolling(t, true)
	r.setSecret("plain", "k", "v1")
	for _, kind := range []string{"StatefulSet", "DaemonSet"} {
		gvk := appsv1.SchemeGroupVersion.WithKind(kind)
		name := strings.ToLower(kind)
		r.workload("apps/v1", kind, name, `{
			containers: [{name: app, image: app, env: [{name: A, valueFrom: {secretKeyRef: {name: plain, key: k}}}]}],
			volumes: [{name: v, projected: {sources: [{configMap: {name: maybe, optional: true}}]}}]}`)
		r.rolled(gvk, name, "")
		r.once("its Secret", gvk, name, func() { r.setSecret("plain", "k", "v2-"+kind) })
		r.stays("a key it does not read", gvk, name, func() {
			r.Patch(fuintest.NamedSecret(r.ns, "plain"), `{"data":{"other":"eA=="}}`)
		})
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.ns, Name: "maybe"}, Data: map[string]string{"k": "v"}}
		r.once("an optional ConfigMap comes", gvk, name, func() { r.OK(r.Client().Create(t.Context(), config)) })
		r.once("it changes", gvk, name, func() { r.Patch(config, `{"data":{"k":"w"}}`) })
		code := codeOf(r.get(gvk, name))
		r.OK(r.Client().Delete(t.Context(), config))
		if r.rolled(gvk, name, code) == "" { // to the first revision again, as all is as it was then
			t.Errorf("%s: an optional ConfigMap went, and the code with it", kind)
		}
		r.OK(r.Client().Delete(t.Context(), r.get(gvk, name)))
	}
	r.counted()
	r.Put(argoRollouts)
	r.workload("argoproj.io/v1alpha1", "Rollout", "canary", reads("plain"))
	code := r.rolled(rolloutKind, "canary", "")
	r.setSecret("plain", "k", "v3")
	r.rolled(rolloutKind, "canary", code)
	r.Put(`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {namespace: ` + r.ns + `, name: elsewhere, annotations: {fuin.dev/roll: "true"}},
		spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: marker}}}`)
	r.Eventually("an event says where to annotate", func() bool {
		var events corev1.EventList
		r.OK(r.Client().List(t.Context(), &events, client.InNamespace(r.ns)))
		for _, e := range events.Items {
			if e.Reason == "NotRolled" && strings.Contains(e.Message, "Deployment marker") {
				return true
			}
		}
		return false
	})
	r.restart() // an absent definition or a present one, it starts
	r.setSecret("plain", "k", "v4")
	r.rolled(rolloutKind, "canary", codeOf(r.get(rolloutKind, "canary")))
	if log := r.p.Log.String(); strings.Contains(log, "v2-") {
		t.Error("the log has content")
	}
}
