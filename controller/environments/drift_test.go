package environments_test

import (
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestDriftIsRepaired: what somebody changes or deletes is put right within
// seconds, and the report says who changed which field, and no value.
func TestDriftIsRepaired(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "drift"), s.Tenant(), "drift", map[string]any{"interval": slow})
	e.commit(files{
		"web.yaml": workload("web", "db"), "db.yaml": e.sealed("db", "pw", "x"),
		"m.yaml": configMapOf("m", "ours"), "gone.yaml": configMapOf("gone", "ours"),
	})
	e.Wake()
	e.applies()
	edit := client.FieldOwner("somebody")

	live := e.configMap("m")
	live.Data["k"] = "canary-drift"
	live.Data["more"] = "theirs"
	s.OK(s.Client().Update(t.Context(), live, edit))
	e.Eventually("the change is taken back", func() bool { return e.configMap("m").Data["k"] == "ours" })
	if e.configMap("m").Data["more"] != "theirs" {
		t.Error("a field of others was removed")
	}
	s.OK(s.Client().Delete(t.Context(), e.configMap("gone")))
	e.Eventually("what was deleted is made again", func() bool { return e.configMap("gone") != nil })

	var found []v1alpha1.DriftEntry
	e.Eventually("the report tells of both", func() bool {
		found = e.Get().Status.Drift
		return slices.ContainsFunc(found, func(d v1alpha1.DriftEntry) bool {
			return strings.HasSuffix(d.Object, "/m") && d.Change == "Modified" && d.Action == "Repaired" &&
				slices.Equal(d.Managers, []string{"somebody"}) && slices.Equal(d.Paths, []string{".data.k"})
		}) && slices.ContainsFunc(found, func(d v1alpha1.DriftEntry) bool {
			return strings.HasSuffix(d.Object, "/gone") && d.Change == "Deleted"
		})
	})
	if strings.Contains(strings.Join(drifts(found), " "), "canary") {
		t.Error("the report has a value")
	}
}

func drifts(all []v1alpha1.DriftEntry) (out []string) {
	for _, d := range all {
		out = append(out, d.Object, strings.Join(d.Paths, " "), strings.Join(d.Managers, " "))
	}
	return out
}

// TestFieldsOfOthersStay: replicas that an autoscaler set, fields that a mesh
// added, and what spec.drift.ignore names survive a new revision.
func TestFieldsOfOthersStay(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "others"), s.Tenant(), "others", map[string]any{
		"interval": slow,
		"drift": map[string]any{"ignore": []any{
			map[string]any{"target": map[string]any{"kind": "ConfigMap", "name": "m"}, "paths": []any{"/data/k"}},
		}},
	})
	web := strings.Replace(workload("web", "db"), "spec:\n", "spec:\n  replicas: 2\n", 1)
	all := files{"web.yaml": web, "db.yaml": e.sealed("db", "pw", "x"), "m.yaml": configMapOf("m", "ours")}
	e.commit(all)
	e.Wake()
	e.applies()

	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
	s.OK(s.Client().SubResource("scale").Update(t.Context(), e.deployment("web"), client.WithSubResourceBody(scale)))
	s.OK(s.Client().Patch(t.Context(), e.deployment("web"), client.RawPatch("application/merge-patch+json",
		[]byte(`{"spec":{"template":{"metadata":{"annotations":{"mesh":"injected"}}}}}`)), client.FieldOwner("mesh")))
	s.OK(s.Client().Patch(t.Context(), e.configMap("m"), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"k":"theirs"}}`)), client.FieldOwner("tool")))

	all["web.yaml"] = strings.Replace(web, "web:v1", "web:v2", 1)
	all["m.yaml"] = configMapOf("m", "ours again")
	e.commit(all)
	e.Wake()
	e.applies()
	got := e.deployment("web")
	if *got.Spec.Replicas != 7 {
		t.Errorf("the autoscaler's replicas became %d", *got.Spec.Replicas)
	}
	if got.Spec.Template.Annotations["mesh"] != "injected" {
		t.Error("what the mesh added is gone")
	}
	if image := got.Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, "v2") {
		t.Errorf("the image is %s", image)
	}
	if k := e.configMap("m").Data["k"]; k != "theirs" {
		t.Errorf("an ignored field became %q", k)
	}
}

// TestKubectlsFieldsAreTakenOver: what kubectl apply made becomes ours, and a
// field that the manifest no longer has is removed.
func TestKubectlsFieldsAreTakenOver(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	ns := s.Tenant()
	old := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "m"}, Data: map[string]string{"k": "kubectl's", "stale": "x"},
	}
	s.OK(s.Client().Create(t.Context(), old, client.FieldOwner("kubectl-client-side-apply")))
	e := s.environment(gittest.New(t).New(t, "take"), ns, "take", nil)
	e.commit(files{"m.yaml": configMapOf("m", "ours")})
	e.applies()
	if data := e.configMap("m").Data; data["k"] != "ours" || len(data) != 1 {
		t.Errorf("the ConfigMap has %v", data)
	}
}

// TestAnotherApplierIsADispute: a field that somebody applies server-side is
// taken only by force.
func TestAnotherApplierIsADispute(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, configMapOf("m", "theirs"))) // kubetest applies server-side
	e := s.environment(gittest.New(t).New(t, "dispute"), ns, "dispute", nil)
	e.commit(files{"m.yaml": configMapOf("m", "ours"), "other.yaml": configMapOf("other", "1")})
	e.becomes(metav1.ConditionFalse, "ApplyFailed", "kubetest applies .data.k too")
	if e.configMap("m").Data["k"] != "theirs" || e.configMap("other") == nil {
		t.Error("the dispute was settled by itself, or kept an unrelated object from being applied")
	}
	e.Declare(map[string]any{"force": true})
	e.becomes(metav1.ConditionTrue, "Applied", "")
	if e.configMap("m").Data["k"] != "ours" {
		t.Error("force did not take the field")
	}
}

// TestReportOnly: with spec.drift.mode Report a change is told and left, and
// an object with the annotation is left without a word.
func TestReportOnly(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "report"), s.Tenant(), "report", map[string]any{
		"interval": "2s", "drift": map[string]any{"mode": "Report"},
	})
	e.commit(files{"m.yaml": configMapOf("m", "ours")})
	e.applies()
	s.OK(s.Client().Patch(t.Context(), e.configMap("m"), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"k":"theirs"}}`)), client.FieldOwner("tool")))
	e.Eventually("the change is reported", func() bool {
		return slices.ContainsFunc(e.Get().Status.Drift, func(d v1alpha1.DriftEntry) bool { return d.Action == "Reported" })
	})
	if k := e.configMap("m").Data["k"]; k != "theirs" {
		t.Errorf("it was repaired: %q", k)
	}
}

// TestDriftWithoutWatch: an account that may not watch has its objects looked
// at at the interval.
func TestDriftWithoutWatch(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: fuin-deployer}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, create, patch, delete]}]
`))
	e := s.environment(gittest.New(t).New(t, "nowatch"), ns, "nowatch", nil)
	e.commit(files{"m.yaml": configMapOf("m", "ours"), "gone.yaml": configMapOf("gone", "ours")})
	e.applies()
	s.OK(s.Client().Patch(t.Context(), e.configMap("m"), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"k":"theirs"}}`)), client.FieldOwner("tool")))
	err := s.Client().Delete(t.Context(), e.configMap("gone"))
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	e.Eventually("both are put right", func() bool {
		return e.configMap("m").Data["k"] == "ours" && e.configMap("gone") != nil
	})
}
