package render_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"fuin.dev/render"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// everyUse names an object in each place that a pod has for it.
const everyUse = `
initContainers:
- name: init
  image: init:1
  env: [{name: A, valueFrom: {secretKeyRef: {name: s-init, key: k, optional: true}}}]
containers:
- name: app
  image: app:1
  env:
  - {name: A, value: plain}
  - {name: B, valueFrom: {configMapKeyRef: {name: c-env, key: k}}}
  - {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  envFrom:
  - {secretRef: {name: s-from}}
  - {configMapRef: {name: c-from, optional: true}, prefix: X_}
- {name: same, image: "app:1"}
ephemeralContainers:
- name: debug
  image: debug:1
  envFrom: [{secretRef: {name: s-debug}}]
volumes:
- {name: a, secret: {secretName: s-vol, items: [{key: tls.key, path: k}, {key: tls.crt, path: c}]}}
- {name: b, configMap: {name: c-vol, optional: true}}
- name: c
  projected:
    sources:
    - {secret: {name: s-proj, items: [{key: a, path: a}]}}
    - {configMap: {name: c-proj}}
    - {serviceAccountToken: {path: token}}
- {name: d, csi: {driver: x, nodePublishSecretRef: {name: s-csi}}}
- {name: e, azureFile: {secretName: s-azure, shareName: x}}
- {name: f, iscsi: {targetPortal: x, iqn: x, lun: 0, secretRef: {name: s-iscsi}}}
- {name: g, image: {reference: "models:1"}}
- {name: h, emptyDir: {}}
imagePullSecrets: [{name: s-pull}]
`

func TestUsesOfEveryKind(t *testing.T) {
	want := []render.Use{
		{Kind: "Secret", Name: "s-init", Keys: []string{"k"}, Optional: true, Path: "initContainers[0].env[0].valueFrom.secretKeyRef"},
		{Kind: "ConfigMap", Name: "c-env", Keys: []string{"k"}, Path: "containers[0].env[1].valueFrom.configMapKeyRef"},
		{Kind: "Secret", Name: "s-from", Path: "containers[0].envFrom[0].secretRef"},
		{Kind: "ConfigMap", Name: "c-from", Optional: true, Path: "containers[0].envFrom[1].configMapRef"},
		{Kind: "Secret", Name: "s-debug", Path: "ephemeralContainers[0].envFrom[0].secretRef"},
		{Kind: "Secret", Name: "s-vol", Keys: []string{"tls.key", "tls.crt"}, Path: "volumes[0].secret"},
		{Kind: "ConfigMap", Name: "c-vol", Optional: true, Path: "volumes[1].configMap"},
		{Kind: "Secret", Name: "s-proj", Keys: []string{"a"}, Path: "volumes[2].projected.sources[0].secret"},
		{Kind: "ConfigMap", Name: "c-proj", Path: "volumes[2].projected.sources[1].configMap"},
		{Kind: "Secret", Name: "s-csi", Path: "volumes[3].csi.nodePublishSecretRef"},
		{Kind: "Secret", Name: "s-azure", Path: "volumes[4].azureFile"},
		{Kind: "Secret", Name: "s-iscsi", Path: "volumes[5].iscsi.secretRef"},
		{Kind: "Secret", Name: "s-pull", Pull: true, Path: "imagePullSecrets[0]"},
	}
	pod := object(t, everyUse)
	template := map[string]any{"template": map[string]any{"spec": pod}}
	for _, row := range []struct {
		apiVersion, kind, at string
		content              map[string]any
	}{
		{"v1", "Pod", "spec.", map[string]any{"spec": pod}},
		{"v1", "PodTemplate", "template.spec.", template},
		{"v1", "ReplicationController", "spec.template.spec.", map[string]any{"spec": template}},
		{"apps/v1", "Deployment", "spec.template.spec.", map[string]any{"spec": template}},
		{"extensions/v1beta1", "DaemonSet", "spec.template.spec.", map[string]any{"spec": template}},
		{"apps/v1", "StatefulSet", "spec.template.spec.", map[string]any{"spec": template}},
		{"apps/v1", "ReplicaSet", "spec.template.spec.", map[string]any{"spec": template}},
		{"batch/v1", "Job", "spec.template.spec.", map[string]any{"spec": template}},
		{"batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec.", map[string]any{"spec": map[string]any{"jobTemplate": map[string]any{"spec": template}}}},
		{"argoproj.io/v1alpha1", "Rollout", "spec.template.spec.", map[string]any{"spec": template}},
		{"example.com/v1", "Whatever", "spec.template.spec.", map[string]any{"spec": template}},
	} {
		row.content["apiVersion"], row.content["kind"] = row.apiVersion, row.kind
		placed := slices.Clone(want)
		for i := range placed {
			placed[i].Path = row.at + placed[i].Path
		}
		if diff := cmp.Diff(placed, render.Uses(row.content)); diff != "" {
			t.Errorf("%s:\n%s", row.kind, diff)
		}
		if got, want := render.Images(row.content), []string{"init:1", "app:1", "debug:1", "models:1"}; !slices.Equal(got, want) {
			t.Errorf("%s: images %q", row.kind, got)
		}
	}
}

func TestWhatIsNoWorkloadUsesNothing(t *testing.T) {
	for _, text := range []string{
		`{}`,
		`{apiVersion: v1, kind: Service, spec: {selector: {}}}`,
		`{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, spec: {template: {metadata: {}, data: {}}}}`,
		`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: app}}}`,
		`{apiVersion: example.com/v1, kind: Pod, spec: {containers: [{envFrom: [{secretRef: {name: a}}]}]}}`,
	} {
		content := object(t, text)
		if path, ok := render.PodTemplatePath(content); ok || render.Uses(content) != nil || render.Images(content) != nil {
			t.Errorf("%s: %q %v", text, path, render.Uses(content))
		}
	}
}

func TestARolloutMayLeaveItsPodsToAWorkload(t *testing.T) {
	content := object(t, `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: app}}}`)
	if ref, ok := render.WorkloadRef(content); !ok || ref != (render.Reference{APIVersion: "apps/v1", Kind: "Deployment", Name: "app"}) {
		t.Errorf("got %+v, %v", ref, ok)
	}
	content["kind"] = "Other"
	if _, ok := render.WorkloadRef(content); ok {
		t.Error("another kind has one")
	}
}

// Wherever something of another type stands, there is no panic, and no name
// that was not there.
func TestUsesOfHostileShapes(t *testing.T) {
	wrong := []any{nil, "text", int64(1), 1.5, true, []any{}, []any{nil, "a", []any{}}, map[string]any{}, map[string]any{"name": int64(1)}}
	random := rand.New(rand.NewPCG(1, 2))
	deployment := map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "spec": map[string]any{"template": map[string]any{"spec": object(t, everyUse)}}}
	whole, err := json.Marshal(deployment)
	if err != nil {
		t.Fatal(err)
	}
	all := len(render.Uses(deployment))
	for range 5000 {
		var m map[string]any
		if err := json.Unmarshal(whole, &m); err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(3) {
			spoil(m, random, wrong)
		}
		uses := render.Uses(m)
		render.Images(m)
		render.WorkloadRef(m)
		if len(uses) > all {
			t.Fatalf("%d uses of %d: %v", len(uses), all, m)
		}
	}
}

// spoil replaces one value somewhere.
func spoil(node any, random *rand.Rand, wrong []any) {
	for {
		var set func(any)
		var next any
		switch n := node.(type) {
		case map[string]any:
			if len(n) == 0 {
				return
			}
			names := make([]string, 0, len(n))
			for name := range n {
				names = append(names, name)
			}
			slices.Sort(names)
			name := names[random.IntN(len(names))]
			next, set = n[name], func(v any) { n[name] = v }
		case []any:
			if len(n) == 0 {
				return
			}
			i := random.IntN(len(n))
			next, set = n[i], func(v any) { n[i] = v }
		default:
			return
		}
		if random.IntN(8) == 0 {
			set(wrong[random.IntN(len(wrong))])
			return
		}
		node = next
	}
}
