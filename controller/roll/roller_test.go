package roll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/roll"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestWorkloadsRollWhenTheirSecretsChange(t *testing.T) {
	t.Parallel()
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
		if _, messages, code := r.Fuin("keys", "rotate", "--timeout", "2m", "cluster"); code != 0 {
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
	t.Parallel()
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
	t.Parallel()
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
