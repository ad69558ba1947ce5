package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fuin.dev/controller/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func testNoCRD(t *testing.T, w *world) {
	code, _, said := w.run(t, "status")
	expect(t, "list", code, exitUnreachable, said, "it does not know Environments", "is fuin-controller installed?")
	code, _, said = w.run(t, "status", "shop/production")
	expect(t, "one", code, exitUnreachable, said, "it does not know Environments")
	code, _, said = w.run(t, "wait", "shop/production")
	expect(t, "wait", code, exitUnreachable, said, "it does not know Environments")
}

// failing is a status with much to tell.
func failing(s *v1alpha1.EnvironmentStatus) {
	conditions(s, metav1.ConditionFalse, "SecretsFailed", "1 of 3 secrets does not open: shop/db key password: no key of this cluster opens it; seal it for this cluster and push")
	s.LastAttemptedRevision, s.LastAppliedRevision = mainB, mainA
	s.Inventory = []v1alpha1.InventoryEntry{{ID: "shop_web_apps_Deployment", V: "v1"}, {ID: "shop_db_bitnami.com_SealedSecret", V: "v1alpha1"}}
	s.Secrets = v1alpha1.SecretsStatus{Sealed: 2, References: 1, Failed: []v1alpha1.SecretFailure{{
		Object: "shop/db", Key: "password", Reason: "NoKey", Message: "no key opens it", File: "overlays/production/db.yaml", Holds: []string{"Deployment/web"},
	}}}
	s.Drift = []v1alpha1.DriftEntry{{Object: "Deployment shop/web", Change: "Modified", Managers: []string{"kubectl-edit"}, Paths: []string{"/spec/replicas"}, Action: "Repaired", Time: metav1.Now()}}
	s.History = []v1alpha1.Revision{
		{Revision: mainB, Author: "Mallory", Subject: "a bad key", Result: "Failed", Message: "1 of 3 secrets does not open", Time: metav1.Now()},
		{Revision: mainA, Author: "Ada Lovelace", Subject: "more tea", Signer: "ada@example.org", Result: "Applied", Objects: 2, Time: metav1.NewTime(time.Now().Add(-50 * time.Hour))},
	}
}

func testStatusList(t *testing.T, w *world) {
	good, bad, empty := w.cluster.Namespace(t), w.cluster.Namespace(t), w.cluster.Namespace(t)
	w.report(t, w.environment(t, good, "staging"), ready(mainA))
	w.report(t, w.environment(t, bad, "production"), failing)
	w.environment(t, bad, "new")

	code, table, said := w.run(t, "status", "-n", good)
	expect(t, "ready", code, exitOK, table+said, good+"/staging", "Ready", "main@aaaaaaaa", "3h", "0/0", "the keys are not shown: ")
	code, table, said = w.run(t, "status", "-n", bad)
	expect(t, "not ready", code, exitFindings, table+said, "Failed", "Unknown", "no controller has seen it yet", "main@aaaaaaaa", "2d", "2/3",
		bad+"/production: shop/db key password: NoKey", "holds back Deployment/web", "2 of 2 environments are not Ready")
	wantNarrow(t, table)
	code, table, _ = w.run(t, "status", "-A")
	expect(t, "all", code, exitFindings, table, good+"/staging", bad+"/production", bad+"/new")
	code, table, said = w.run(t, "status", "-n", empty)
	expect(t, "none", code, exitOK, table+said, "there is no Environment in namespace "+empty+"; -A looks into all")

	code, text, _ := w.run(t, "status", "-n", empty, "-o", "json")
	if want := "\"environments\": [],\n  \"keys\": [],\n  \"notes\": [\n"; code != exitOK || !strings.Contains(text, want) {
		t.Errorf("json of nothing: code %d, %s", code, text)
	}
	if _, text, _ = w.run(t, "status", "-n", bad, "-o", "json"); strings.Contains(text, "null,") && !strings.Contains(text, `"appliedAt": null`) {
		t.Errorf("json has null: %s", text)
	}
	var shape statusShape
	if err := json.Unmarshal([]byte(text), &shape); err != nil || len(shape.Environments) != 2 {
		t.Fatalf("%v: %s", err, text)
	}
	if e := shape.Environments[0]; e.Conditions == nil || e.Drift == nil || e.History == nil || e.Images == nil || e.Secrets.Failed == nil {
		t.Errorf("an Environment without a status has null: %+v", e)
	}
	if e := shape.Environments[1]; e.State != stateFailed || e.AppliedRevision != mainA || e.Secrets.Failed[0].Holds[0] != "Deployment/web" || e.Objects != 2 {
		t.Errorf("json: %+v", e)
	}
	code, yaml, _ := w.run(t, "status", "-n", bad, "-o", "yaml")
	expect(t, "yaml", code, exitFindings, yaml, "    state: Failed\n", "history: []\n")
}

func testStatusDetail(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "detailed", func(s *v1alpha1.EnvironmentSpec) { s.Source.Git.URL = "https://robot:" + canary + "@git.example/shop" })
	w.report(t, e, failing)
	code, text, said := w.run(t, "status", ns+"/detailed")
	expect(t, "detail", code, exitFindings, text+said, "https://git.example/shop", "overlays/detailed", "applied     "+mainA, "attempted   "+mainB,
		"SecretsFailed", "2 sealed, 1 of references, 1 failed", "shop/db key password: NoKey", "in overlays/production/db.yaml: fuin inspect",
		"holds back Deployment/web", "Deployment shop/web: Modified by kubectl-edit, Repaired", "/spec/replicas",
		"Ada Lovelace", "signed by ada@example.org", "more tea", ns+"/detailed is Failed")
	wantNarrow(t, text)
	for _, args := range [][]string{{"status", "detailed"}, {"status", "detailed", "-n", ns, "-o", "json"}, {"status", "-n", ns, "-o", "yaml"}} {
		code, text, said := w.run(t, args...)
		expect(t, strings.Join(args, " "), code, exitFindings, text, "git.example/shop")
		if strings.Contains(text+said, canary) {
			t.Errorf("%q shows the password of a URL: %s", args, text)
		}
	}
	code, _, said = w.run(t, "status", ns+"/nonesuch")
	expect(t, "absent", code, exitError, said, "Environment "+ns+"/nonesuch: not found", "fuin status -A lists")
	code, _, said = w.run(t, "status", "nonesuch")
	expect(t, "absent anywhere", code, exitError, said, "no Environment nonesuch")
	w.environment(t, w.cluster.Namespace(t), "detailed")
	code, _, said = w.run(t, "status", "detailed")
	expect(t, "two of a name", code, exitUsage, said, "2 Environments are called detailed")
}

// testStatusHostile: a status is written by who can push, in part.
func testStatusHostile(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	evil := "\x1b[2J\x1b]0;owned\x07\u009b31m\u202e\r\nreal: " + strings.Repeat("x", 20_000)
	w.report(t, w.environment(t, ns, "evil"), func(s *v1alpha1.EnvironmentStatus) {
		failing(s)
		s.Conditions[0].Message = evil
		s.LastAppliedRevision, s.LastAttemptedRevision = evil, evil
		s.History[0].Subject, s.History[0].Author, s.History[1].Signer, s.History[0].Revision = evil, evil, evil, evil
		s.Drift[0].Object, s.Drift[0].Managers, s.Drift[0].Paths = evil, []string{evil}, []string{evil}
		f := &s.Secrets.Failed[0]
		f.Object, f.Key, f.Reason, f.Message, f.File, f.Holds = evil, evil, evil, evil, evil, []string{evil}
		s.Images = []string{evil}
		for i := range 3000 {
			s.Secrets.Failed = append(s.Secrets.Failed, v1alpha1.SecretFailure{Object: fmt.Sprintf("shop/s%d", i), Reason: "NoKey"})
		}
	})
	for _, args := range [][]string{
		{"status", "-n", ns}, {"status", ns + "/evil"}, {"status", ns + "/evil", "-o", "json"}, {"status", ns + "/evil", "-o", "yaml"},
		{"status", "-n", ns, "--image", "real"}, {"wait", ns + "/evil", "--timeout", "0"},
	} {
		code, out, said := w.run(t, args...)
		if code == exitOK {
			t.Errorf("%q: all is well", args)
		}
		for _, r := range out + said {
			if r == '\x1b' || r == '\u009b' || r == '\u202e' || r == '\x07' || r == '\r' {
				t.Errorf("%q lets %q through", args, r)
				break
			}
		}
		if args[len(args)-1] != "json" && args[len(args)-1] != "yaml" {
			wantNarrow(t, out)
			if lines := strings.Count(out, "\n"); lines > 250 {
				t.Errorf("%q prints %d lines", args, lines)
			}
		}
	}
}

// testStatusPages: a list of many Environments comes in pages.
func testStatusPages(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	const many = 2*environmentPage + 1
	for i := range many {
		w.environment(t, ns, fmt.Sprintf("e%02d", i))
	}
	_, table, _ := w.run(t, "status", "-n", ns)
	if n := strings.Count(table, ns+"/e"); n != many {
		t.Errorf("%d of %d are listed", n, many)
	}
}

// testStatusRights: who may read Environments of one namespace is told so.
func testStatusRights(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	w.report(t, w.environment(t, ns, "mine"), func(s *v1alpha1.EnvironmentStatus) {
		ready(mainA)(s)
		s.Images = []string{"app:v1"}
		s.Inventory = []v1alpha1.InventoryEntry{{ID: ns + "_web_apps_Deployment", V: "v1"}}
	})
	reader := w.account(t, ns, "reader", `[{apiGroups: [fuin.dev], resources: [environments], verbs: [get, list, watch]}]`)
	eventually(t, func() bool { code, _, _ := w.as(t.Context(), reader, "status", ns+"/mine"); return code == exitOK })
	code, table, said := w.as(t.Context(), reader, "status", "-n", ns)
	expect(t, "own namespace", code, exitOK, table+said, ns+"/mine", "the keys are not shown: ", "403 Forbidden")
	code, _, said = w.as(t.Context(), reader, "status", "-A")
	expect(t, "all namespaces", code, exitUnreachable, said, "403 Forbidden", "name a namespace that you may look into: -n NAMESPACE")
	code, _, said = w.as(t.Context(), reader, "status", "-n", "default")
	expect(t, "another namespace", code, exitUnreachable, said, "ask for the right to list apis/fuin.dev/v1alpha1/namespaces/default/environments")
	code, table, said = w.as(t.Context(), reader, "status", "-n", ns, "--image", "app:v1")
	expect(t, "image", code, exitFindings, table+said, "Applied", "you may not list deployments in namespace "+ns)
	code, table, said = w.as(t.Context(), reader, "status", "-n", ns, "--unmanaged")
	expect(t, "unmanaged", code, exitOK, table+said, "not shown are those that you may not list: ", "deployments.apps")
}

// eventually waits for what others do.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !done() {
		select {
		case <-deadline:
			t.Fatal("waited in vain")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// testWatchTerminal: a terminal is redrawn.
func testWatchTerminal(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "shown")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	u, _, _ := testUI("")
	screen := new(shared)
	u.stdout, u.isTerminal = screen, func(stream any) bool { return stream == screen }
	code := make(chan int, 1)
	go func() { code <- u.run(ctx, []string{"status", "-w", "-n", ns, "--kubeconfig", w.kubeconfig}) }()
	r := &running{out: screen, said: new(shared), code: code}
	r.says(t, "Unknown")
	w.report(t, e, ready(mainA))
	r.says(t, "Ready       main@aaaaaaaa")
	if screens := strings.Split(screen.String(), "\x1b[H\x1b[2J"); len(screens) < 3 || strings.Count(screens[len(screens)-1], "ENVIRONMENT") != 1 {
		t.Errorf("the screen is not redrawn: %q", screen)
	}
	stop()
	r.ends(t, "status -w", exitInterrupted)
}

func testWatchOutlives(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "steady")
	status := w.start(t, w.kubeconfig, "status", "-n", ns, "--watch")
	wait := w.start(t, w.kubeconfig, "wait", ns+"/steady", "--revision", commitA, "--timeout", "2m")
	status.says(t, ns+"/steady Unknown")
	wait.says(t, "no controller has seen it yet")
	if err := w.cluster.APIServer.Stop(); err != nil {
		t.Fatal(err)
	}
	status.says(t, "; trying again\n")
	wait.says(t, "; trying again\n")
	if err := w.cluster.APIServer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	status.says(t, " answers again\n")
	w.report(t, e, ready(mainA))
	status.says(t, ns+"/steady Ready main@aaaaaaaa")
	wait.ends(t, "wait", exitOK, ns+"/steady Ready "+mainA+"\n")
	if err := w.client.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	status.says(t, ns+"/steady was deleted")
	status.stop()
	status.ends(t, "status --watch", exitInterrupted)
}

// wantNarrow holds a text to 80 columns.
func wantNarrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func testStatusUnmanaged(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "owner")
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) {
		ready(mainA)(s)
		s.Inventory = []v1alpha1.InventoryEntry{{ID: ns + "_listed__ConfigMap", V: "v1"}}
	})
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "owned", OwnerReferences: []metav1.OwnerReference{{APIVersion: "fuin.dev/v1alpha1", Kind: "Environment", Name: "owner", UID: e.UID}}}}
	for _, object := range []client.Object{
		owned,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "listed"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "labelled", Labels: map[string]string{labelEnvironment: "owner", labelEnvironmentNamespace: ns}}},
	} {
		create(t, w.cluster, object)
	}
	code, table, said := w.run(t, "status", "-n", ns, "--unmanaged")
	expect(t, "all is managed", code, exitOK, table+said)

	// The Secret of a managed SealedSecret may lack an owner.
	if err := w.cluster.Apply(t.Context(), ns, "../../deploy/base/bitnami.com_sealedsecrets.yaml"); err != nil {
		t.Fatal(err)
	}
	sealed := "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: NAME, labels: LABELS}\nspec: {encryptedData: {}}\n"
	labels := fmt.Sprintf("{%s: owner, %s: %s}", labelEnvironment, labelEnvironmentNamespace, ns)
	if err := w.cluster.ApplyYAML(t.Context(), ns, strings.NewReplacer("NAME", "kept", "LABELS", labels).Replace(sealed)); err != nil {
		t.Fatal(err)
	}
	create(t, w.cluster, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kept"}})
	code, table, said = w.run(t, "status", "-n", ns, "--unmanaged")
	expect(t, "a Secret without an owner", code, exitOK, table+said)
	if err := w.cluster.ApplyYAML(t.Context(), ns, strings.NewReplacer("NAME", "loose", "LABELS", "{}").Replace(sealed)); err != nil {
		t.Fatal(err)
	}
	create(t, w.cluster, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "loose"}})

	stray := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "stray"}, StringData: map[string]string{"a": canary}}
	if err := w.cluster.Client().Create(t.Context(), stray, client.FieldOwner("kubectl-create")); err != nil {
		t.Fatal(err)
	}
	create(t, w.cluster, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "by-hand"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}})
	code, table, said = w.run(t, "status", "-n", ns, "--unmanaged")
	expect(t, "strays", code, exitFindings, table+said, "NAMESPACE "+ns, "Secret/stray", "kubectl-create", "Pod/by-hand", "SealedSecret/loose", "Secret/loose", "4 objects in no source")
	wantNarrow(t, table)
	code, text, _ := w.run(t, "status", "-n", ns, "--unmanaged", "-o", "json")
	expect(t, "json", code, exitFindings, text, `"name": "stray"`, `"manager": "kubectl-create"`, `"notes": []`)
	if strings.Contains(text, canary) {
		t.Error("a value is shown")
	}
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {fuin.dev/environment: shop, fuin.dev/environment-namespace: SPACE}}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: app, image: "registry.example:5000/team/IMAGE"}]}
`

func testStatusImage(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	apply := func(name, image string) {
		t.Helper()
		if err := w.cluster.ApplyYAML(t.Context(), ns, strings.NewReplacer("NAME", name, "SPACE", ns, "IMAGE", image).Replace(deployment)); err != nil {
			t.Fatal(err)
		}
	}
	e := w.environment(t, ns, "shop")
	apply("web", "app:v2")
	apply("worker", "app:v1")
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) {
		ready(mainA)(s)
		s.Images = []string{"registry.example:5000/team/app:v1", "registry.example:5000/team/app:v2", "other:v2"}
		s.Inventory = []v1alpha1.InventoryEntry{{ID: ns + "_web_apps_Deployment", V: "v1"}, {ID: ns + "_worker_apps_Deployment", V: "v1"}}
		s.Secrets.Failed = []v1alpha1.SecretFailure{{Object: ns + "/db", Reason: "NoKey", Holds: []string{"Deployment/worker"}}}
	})
	eventually(t, func() bool { // the controller manager makes the pods
		_, table, _ := w.run(t, "status", "-n", ns, "--image", "app:v2")
		return strings.Contains(table, "2 of 2 updated, 0 available")
	})
	code, table, said := w.run(t, "status", "-n", ns, "--image", "app:v2")
	expect(t, "rolling out", code, exitFindings, table+said, "Deployment/web", "RollingOut", "Deployment/worker", "Other",
		"held back until "+ns+"/db opens", `"app:v2" is not seen running in 2 of 2 places`)
	wantNarrow(t, table)

	rollOut(t, w, ns, "web")
	apply("worker", "app:v2")
	rollOut(t, w, ns, "worker")
	code, table, said = w.run(t, "status", "-n", ns, "--image", "team/app:v2")
	expect(t, "running", code, exitOK, table+said, "Running")
	code, table, said = w.run(t, "status", "-n", ns, "--image", "app:v3")
	expect(t, "not there", code, exitFindings, table+said, "v2", "Other", "not in main@aaaaaaaa, which is applied")
	code, text, _ := w.run(t, "status", "-n", ns, "--image", "nonesuch:v1", "-o", "json")
	expect(t, "of nobody", code, exitFindings, text, `"images": []`)
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionFalse, "BuildFailed", "no such base")
	})
	code, table, said = w.run(t, "status", "-n", ns, "--image", "app:v3")
	expect(t, "stuck before", code, exitFindings, table+said, "the environment is Failed: no such base")
}

// rollOut reports all pods of a Deployment as the newest ones, since no node
// runs them.
func rollOut(t *testing.T, w *world, namespace, name string) {
	t.Helper()
	eventually(t, func() bool {
		_, table, _ := w.run(t, "status", "-n", namespace, "--image", "app:v2")
		if strings.Contains(table, "Running") && !strings.Contains(table, "RollingOut") {
			return true
		}
		var pods corev1.PodList
		if err := w.cluster.Client().List(t.Context(), &pods, client.InNamespace(namespace), client.MatchingLabels{"app": name}); err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods.Items {
			if pod.Status.Phase == corev1.PodRunning {
				continue
			}
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			if err := w.cluster.Client().Status().Update(t.Context(), &pod); client.IgnoreNotFound(err) != nil && !strings.Contains(err.Error(), "modified") {
				t.Fatal(err)
			}
		}
		return false
	})
}
