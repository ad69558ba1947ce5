package references_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// environment is one of a repository, in a namespace that Vault knows.
type environment struct{ *fuintest.Environment }

func (s *stand) environment(repo *gittest.Repo, spec map[string]any) *environment {
	s.T.Helper()
	return &environment{s.Environment(repo, s.tenant(), "shop", spec)}
}

// commit makes the repository hold these objects, each in a file of its name.
func (e *environment) commit(all map[string]any) (revision string) {
	e.T.Helper()
	files := map[string]string{}
	for name, o := range all {
		text, err := json.Marshal(o)
		e.OK(err)
		files[name] = string(text)
	}
	revision, err := e.Repo.Commit(e.T.Context(), gittest.Commit{Files: files, Replace: true})
	e.OK(err)
	return revision
}

// becomes waits until the Ready condition has a status, a reason and a text, and
// speaks of a revision.
func (e *environment) becomes(revision string, status metav1.ConditionStatus, reason, text string) *v1alpha1.Environment {
	e.T.Helper()
	var last *v1alpha1.Environment
	e.Eventually(fmt.Sprintf("the Environment is Ready=%s %s %q", status, reason, text), func() bool {
		last = e.Get()
		c := meta.FindStatusCondition(last.Status.Conditions, v1alpha1.Ready)
		if c == nil {
			return false
		}
		e.Last = fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message)
		of := last.Status.LastAttemptedRevision
		if status == metav1.ConditionTrue {
			of = last.Status.LastAppliedRevision
		}
		return c.Status == status && c.Reason == reason && strings.Contains(c.Message, text) && strings.Contains(of, revision)
	})
	return last
}

func secretOf(name string, more map[string]any) map[string]any {
	o := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}}
	maps.Copy(o, more)
	return o
}

// workload is a Deployment that names a Secret.
func workload(name, secret string) map[string]any {
	labels := map[string]any{"app": name}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"selector": map[string]any{"matchLabels": labels}, "template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec": map[string]any{"containers": []any{map[string]any{
				"name": "app", "image": "registry.example/" + name + ":v1", "envFrom": []any{map[string]any{"secretRef": map[string]any{"name": secret}}},
			}}},
		}},
	}
}

func configMap(name string, data map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": data}
}

// TestSecretsThatReferAreApplied: a manifest of a Secret that holds references and
// nothing else is applied as if it were sealed, without a right of the deployer's on
// Secrets; a value that changes in Vault rolls the workload that names it, once.
func TestSecretsThatReferAreApplied(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "shop"), nil)
	s.put(e.NS, "db", map[string]any{"user": "shop", "password": "old"})
	revision := e.commit(map[string]any{
		"db.json": secretOf("db", map[string]any{
			"type":     "example.com/database",
			"metadata": map[string]any{"name": "db", "labels": map[string]any{"team": "shop"}, "annotations": map[string]any{"note": "kept", "fuin.dev/vault-connection": s.name}},
			"stringData": map[string]any{
				"url": "db://" + s.ref(e.NS, "db", "user") + ":" + s.ref(e.NS, "db", "password") + "@{{ host }}",
			},
			"data": map[string]any{"password": base64.StdEncoding.EncodeToString([]byte(s.ref(e.NS, "db", "password")))},
		}),
		"web.json": workload("web", "db"), "other.json": workload("other", "mail"),
	})
	env := e.becomes(revision, metav1.ConditionTrue, "Applied", "1 with references")
	if n := env.Status.Secrets; n.References != 1 || n.Sealed != 0 {
		t.Errorf("secrets: %+v", n)
	}
	made := s.has(e.NS, "db", map[string]string{"url": "db://shop:old@{{ host }}", "password": "old"})
	if made.Type != "example.com/database" || made.Labels["team"] != "shop" || made.Annotations["note"] != "kept" || made.Annotations["fuin.dev/vault-connection"] != "" {
		t.Errorf("the Secret is %+v", made.ObjectMeta)
	}
	if ss := s.SealedSecret(e.NS, "db"); ss.Annotations["fuin.dev/vault-connection"] != s.name || len(ss.Spec.EncryptedData) != 0 {
		t.Errorf("the SealedSecret is %+v", ss.ObjectMeta)
	}
	e.Eventually("there is a ReplicaSet", func() bool { return e.ReplicaSets("web") == 1 && e.ReplicaSets("other") == 1 })

	s.put(e.NS, "db", map[string]any{"user": "shop", "password": "new"})
	s.has(e.NS, "db", map[string]string{"url": "db://shop:new@{{ host }}", "password": "new"})
	e.Eventually("the workload rolls", func() bool { return e.ReplicaSets("web") == 2 })
	s.put(e.NS, "mark", map[string]any{"k": "v"}) // what is applied next was not there when it rolled
	revision = e.commit(map[string]any{
		"db.json": secretOf("db", map[string]any{"stringData": map[string]any{"password": s.ref(e.NS, "db", "password")}}), "web.json": workload("web", "mail"), "other.json": workload("other", "mail"),
	})
	e.becomes(revision, metav1.ConditionTrue, "Applied", "")
	s.has(e.NS, "db", map[string]string{"password": "new"})
	if n := e.ReplicaSets("other"); n != 1 {
		t.Errorf("the other workload has %d ReplicaSets", n)
	}
}

// TestMisplacedReferencesAreRefused: with file, object and field, before anything
// is applied.
func TestMisplacedReferencesAreRefused(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "misplaced"), nil)
	s.put(e.NS, "db", map[string]any{"password": "x"})
	annotated := configMap("m", nil)
	annotated["metadata"].(map[string]any)["annotations"] = map[string]any{"a": s.ref(e.NS, "db", "password")}
	args := workload("w", "s")
	container := args["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	container["args"] = []any{"--password=" + s.ref(e.NS, "db", "password")}
	for name, o := range map[string]map[string]any{
		"data.k": configMap("m", map[string]any{"k": s.ref(e.NS, "db", "password")}), "annotations": annotated, "args": args,
		"stringData.k": secretOf("s", map[string]any{"stringData": map[string]any{"k": "ref+vault://m/a//b#/c+"}}),
		"stringData.o": secretOf("s", map[string]any{"stringData": map[string]any{"o": "<path:secret/data/a#b>"}}),
	} {
		revision := e.commit(map[string]any{"dir/odd.json": o, "fine.json": configMap("fine", map[string]any{"k": "v"})})
		env := e.becomes(revision, metav1.ConditionFalse, "InvalidReference", name)
		if c := meta.FindStatusCondition(env.Status.Conditions, v1alpha1.Ready); !strings.Contains(c.Message, "dir/odd.json") {
			t.Errorf("%s: the file is not named: %s", name, c.Message)
		}
	}
	var all corev1.ConfigMapList
	s.OK(s.Client().List(t.Context(), &all, client.InNamespace(e.NS)))
	for _, m := range all.Items {
		if m.Name == "fine" {
			t.Error("something was applied")
		}
	}
}

// allowSecrets gives the deployer a right on Secrets, as who wants plaintext must.
func (s *stand) allowSecrets(ns string) {
	s.T.Helper()
	s.apply(map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": map[string]any{"namespace": ns, "name": "secrets"},
		"rules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get", "list", "watch", "create", "patch", "delete"}}},
	}, map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": map[string]any{"namespace": ns, "name": "secrets"},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "secrets"},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "fuin-deployer", "namespace": ns}},
	})
}

// TestPlaintextBesideReferences: it is plaintext still, and its key is named;
// where plaintext is allowed it stays what it is, braces and all.
func TestPlaintextBesideReferences(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "mixed"), nil)
	s.put(e.NS, "db", map[string]any{"password": "x"})
	revision := e.commit(map[string]any{"s.json": secretOf("s", map[string]any{
		"stringData": map[string]any{"password": s.ref(e.NS, "db", "password"), "user": "{{ canary-plain }}"},
	})})
	env := e.becomes(revision, metav1.ConditionFalse, "PlaintextSecrets", "without a reference: user")
	if strings.Contains(fmt.Sprint(env.Status), "canary-plain") {
		t.Error("the value is in the status")
	}
	e.Declare(map[string]any{"secrets": map[string]any{"plaintext": "Allow"}})
	e.becomes(revision, metav1.ConditionTrue, "Applied", "")
	s.has(e.NS, "s", map[string]string{"password": "x", "user": "{{ canary-plain }}"})
}

// TestPlaintextTurnsIntoReferences: a Secret that was applied as it was is handed
// over, not deleted, when its values come from Vault or are sealed.
func TestPlaintextTurnsIntoReferences(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "turns"), map[string]any{"secrets": map[string]any{"plaintext": "Allow"}})
	s.allowSecrets(e.NS)
	s.put(e.NS, "db", map[string]any{"password": "vaulted"})
	plain := secretOf("s", map[string]any{"stringData": map[string]any{"password": "plain", "more": "x"}})
	revision := e.commit(map[string]any{"s.json": plain, "m.json": configMap("m", nil)})
	e.becomes(revision, metav1.ConditionTrue, "Applied", "")
	before := s.has(e.NS, "s", map[string]string{"password": "plain", "more": "x"})

	revision = e.commit(map[string]any{
		"s.json": secretOf("s", map[string]any{"stringData": map[string]any{"password": s.ref(e.NS, "db", "password")}}), "m.json": configMap("m", nil),
	})
	env := e.becomes(revision, metav1.ConditionTrue, "Applied", "")
	after := s.has(e.NS, "s", map[string]string{"password": "vaulted"})
	if before.UID != after.UID {
		t.Error("the Secret was deleted and made anew")
	}
	if slices.ContainsFunc(env.Status.Inventory, func(i v1alpha1.InventoryEntry) bool { return strings.HasSuffix(i.ID, "__Secret") }) {
		t.Errorf("the inventory still has the Secret: %v", env.Status.Inventory)
	}
	if len(env.Status.Drift) > 0 {
		t.Errorf("handing it over was taken for drift: %+v", env.Status.Drift)
	}
	s.says(e.NS, "s", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
}
