package environments_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tampered changes the last character but one of a sealed value.
func (s *system) tampered(sealed, key string) string {
	s.T.Helper()
	return s.Edit(sealed, func(m map[string]any) {
		values := m["spec"].(map[string]any)["encryptedData"].(map[string]any)
		text := values[key].(string)
		middle := len(text) / 2
		flip := "A"
		if text[middle] == 'A' {
			flip = "B"
		}
		values[key] = text[:middle] + flip + text[middle+1:]
	})
}

// TestBrokenSecretHoldsWhatNamesIt: a value that does not open leaves the old
// Secret and everything else fuintest.Alone, and is named with its file; repaired, all
// goes on.
func TestBrokenSecretHoldsWhatNamesIt(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	e := s.environment(server.New(t, "shop"), s.Tenant(), "shop", nil)
	all := files{
		"web.yaml": workload("web", "db"), "mail.yaml": workload("mail", "smtp"),
		"db.yaml": e.sealed("db", "pw", "old"), "smtp.yaml": e.sealed("smtp", "pw", "x"), "m.yaml": configMapOf("m", "1"),
	}
	e.commit(all)
	e.applies()
	broken := maps.Clone(all)
	broken["db.yaml"] = s.tampered(e.sealed("db", "pw", "new"), "pw")
	broken["m.yaml"] = configMapOf("m", "2")
	broken["web.yaml"] = strings.Replace(all["web.yaml"], "web:v1", "web:v2", 1)
	broken["mail.yaml"] = strings.Replace(all["mail.yaml"], "mail:v1", "mail:v2", 1)
	e.commit(broken)

	env := e.becomes(metav1.ConditionFalse, "SecretsFailed", e.NS+"/db (db.yaml)")
	if f := env.Status.Secrets.Failed; len(f) != 1 || f[0].File != "db.yaml" || f[0].Key != "pw" || !slices.Equal(f[0].Holds, []string{"Deployment/web"}) {
		t.Errorf("failed secrets: %+v", f)
	}
	if got := e.Secret(e.NS, "db"); string(got.Data["pw"]) != "old" {
		t.Errorf("the old Secret became %q", got.Data["pw"])
	}
	if image := e.deployment("web").Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, "v1") {
		t.Errorf("the workload that names it was applied: %s", image)
	}
	if image := e.deployment("mail").Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, "v2") {
		t.Errorf("an unrelated workload was not applied: %s", image)
	}
	if got := e.configMap("m").Data["k"]; got != "2" {
		t.Errorf("an unrelated ConfigMap was not applied: %s", got)
	}

	broken["db.yaml"] = e.sealed("db", "pw", "new")
	e.commit(broken)
	e.applies()
	if image := e.deployment("web").Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, "v2") {
		t.Errorf("the workload was not applied once its secret opened: %s", image)
	}
	e.Opens(e.NS, "db", "pw", "new")
}

// TestBrokenSecretIsToldWhileWaiting: with spec.wait, a value that does not open
// is told at once, not when the timeout has passed.
func TestBrokenSecretIsToldWhileWaiting(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "wait"), s.Tenant(), "wait", map[string]any{"wait": true, "timeout": "1h"})
	e.commit(files{"db.yaml": s.tampered(e.sealed("db", "pw", "new"), "pw"), "m.yaml": configMapOf("m", "1")})
	e.becomes(metav1.ConditionFalse, "SecretsFailed", e.NS+"/db (db.yaml)")
	if e.configMap("m") == nil {
		t.Error("an unrelated ConfigMap was not applied")
	}
	e.commit(files{"db.yaml": e.sealed("db", "pw", "new"), "m.yaml": configMapOf("m", "1")})
	e.applies()
}

// TestSecretsComeFirst: whatever the order of files, a Secret exists before the
// workload that names it. Versions of the API server are in the order of writes.
func TestSecretsComeFirst(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	ns := s.Tenant()
	for round := range 3 {
		e := s.environment(server.New(t, "order"+strconv.Itoa(round)), ns, "order"+strconv.Itoa(round), nil)
		all := files{}
		for i := range 10 {
			name := fmt.Sprintf("r%d-%d", round, i)
			all[fmt.Sprintf("%04d.yaml", rand.N(10_000))] = workload(name, name) + "\n---\n" + configMapOf("m-"+name, "1")
			all[fmt.Sprintf("x%04d.yaml", rand.N(10_000))] = e.sealed(name, "k", "v")
		}
		e.commit(all)
		e.applies()
		for i := range 10 {
			name := fmt.Sprintf("r%d-%d", round, i)
			secret, workload := s.Secret(ns, name), e.deployment(name)
			if secret == nil || workload == nil {
				continue // two files got one name
			}
			if s.Version(secret) > s.Version(workload) {
				t.Errorf("%s: the Secret was written at %s, the workload at %s", name, secret.ResourceVersion, workload.ResourceVersion)
			}
			if workload.CreationTimestamp.Time.Before(secret.CreationTimestamp.Time) {
				t.Errorf("%s: the workload is older than its Secret", name)
			}
		}
	}
}

// TestPlaintextIsRefused: a Secret that is not sealed keeps the whole set out,
// and its value out of every word, unless the Environment lets it in.
func TestPlaintextIsRefused(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	server := gittest.New(t)
	e := s.environment(server.New(t, "plain"), s.Tenant(), "plain", nil)
	e.commit(files{"s.yaml": secret(e.NS, "s", "pw", "canary-plain"), "m.yaml": configMapOf("m", "1")})
	env := e.becomes(metav1.ConditionFalse, "PlaintextSecrets", "s.yaml")
	if e.configMap("m") != nil || e.Secret(e.NS, "s") != nil {
		t.Error("something was applied")
	}
	if text := fmt.Sprint(env.Status) + p.Log.String(); strings.Contains(text, "canary-plain") {
		t.Error("the value is in the status or the log")
	}
	var account corev1.ServiceAccount
	s.OK(s.Client().Get(t.Context(), fuintest.Key(e.NS, "fuin-deployer"), &account))
	s.OK(s.ApplyYAML(t.Context(), e.NS, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: secrets}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get, list, watch, create, patch, delete]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: secrets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: secrets}
subjects: [{kind: ServiceAccount, name: fuin-deployer, namespace: `+e.NS+`}]
`))
	e.Declare(map[string]any{"secrets": map[string]any{"plaintext": "Allow"}})
	e.becomes(metav1.ConditionTrue, "Applied", "")
	e.Opens(e.NS, "s", "pw", "canary-plain")
}

// TestPathOfAnotherCluster: by .fuin.yaml the path belongs to a cluster with
// other keys, so nothing is applied; with this cluster's key it is.
func TestPathOfAnotherCluster(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	ns := s.Tenant()
	foreign, err := keys.Generate(keys.Hybrid, metav1.Now().Time, 0, "")
	s.OK(err)
	repo := server.New(t, "both")
	e := s.environment(repo, ns, "prd", map[string]any{"path": "overlays/production"})
	all := files{
		".fuin.yaml": `version: 1
clusters:
  staging: {recipients: [keys/staging.txt]}
  production: {recipients: [keys/production.txt]}
rules:
  - {path: overlays/production/**, clusters: [production]}
  - {path: overlays/**, clusters: [staging]}
`,
		"keys/staging.txt":                s.Recipient("recipients").String() + "\n",
		"keys/production.txt":             foreign.Recipient().String() + "\n",
		"overlays/production/m.yaml":      configMapOf("prd", "1"),
		"overlays/staging/m.yaml":         configMapOf("stg", "1"),
		"overlays/production/sealed.yaml": e.sealed("db", "pw", "x"),
	}
	e.commit(all)
	env := e.becomes(metav1.ConditionFalse, "WrongCluster", "production")
	if !slices.ContainsFunc(env.Status.Conditions, func(c metav1.Condition) bool { return c.Type == "Stalled" && c.Status == metav1.ConditionTrue }) {
		t.Errorf("it is not Stalled: %+v", env.Status.Conditions)
	}
	if e.configMap("prd") != nil || len(env.Status.Inventory) > 0 {
		t.Error("something was applied")
	}
	right := s.environment(repo, ns, "stg", map[string]any{"path": "overlays/staging"})
	right.becomes(metav1.ConditionTrue, "Applied", "")
	all["keys/production.txt"] = s.Recipient("recipients").String() + "\n"
	e.commit(all)
	e.applies()
}

// TestBrokenBindingIsNamed: a namePrefix gives a SealedSecret a name for which
// it is not sealed. It is told before anything is applied, with the
// kustomization that does it, and holds back only what names it.
func TestBrokenBindingIsNamed(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "prefix"), s.Tenant(), "prefix", map[string]any{"path": "overlays/canary"})
	all := files{
		"base/kustomization.yaml":            "resources: [web.yaml, db.yaml, m.yaml]\n",
		"base/web.yaml":                      workload("web", "db"),
		"base/db.yaml":                       e.sealed("db", "pw", "x"),
		"base/m.yaml":                        configMapOf("m", "1"),
		"overlays/canary/kustomization.yaml": "namePrefix: canary-\nnamespace: " + e.NS + "\nresources: [../../base]\n",
	}
	e.commit(all)
	env := e.becomes(metav1.ConditionFalse, "SecretsFailed", "overlays/canary/kustomization.yaml")
	if f := env.Status.Secrets.Failed; len(f) != 1 || f[0].Reason != "BindingBroken" || f[0].Key != "pw" || f[0].File != "base/db.yaml" {
		t.Errorf("failed secrets: %+v", f)
	}
	if e.deployment("canary-web") != nil || e.configMap("canary-m") == nil {
		t.Error("the workload was applied, or what has nothing to do with it was not")
	}
	if s.Secret(e.NS, "canary-db") != nil {
		t.Error("there is a Secret")
	}
	right := s.Edit(e.sealed("canary-db", "pw", "x"), func(m map[string]any) { at(m, "db", "metadata", "name") })
	all["base/db.yaml"] = right
	e.commit(all)
	e.applies()
	web := e.deployment("canary-web")
	if name := web.Spec.Template.Spec.Containers[0].EnvFrom[0].SecretRef.Name; name != "canary-db" {
		t.Errorf("the workload names %s", name)
	}
	e.Opens(e.NS, "canary-db", "pw", "x")
}
