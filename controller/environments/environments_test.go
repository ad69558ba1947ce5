package environments_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestEnvironmentIsApplied goes the whole way: a commit with a sealed value
// becomes a Secret and the workload that names it, a change of the value rolls
// that workload and no other, and what leaves the directory is pruned.
func TestEnvironmentIsApplied(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "shop"), s.Tenant(), "shop", nil)
	all := files{
		"a/web.yaml": workload("web", "db"), "a/other.yaml": workload("other", "mail"),
		"z/db.yaml": e.sealed("db", "pw", "s3cret"), "z/mail.yaml": e.sealed("mail", "pw", "other"),
		"z/config.yaml": configMapOf("settings", "1"),
	}
	e.commit(all)
	env := e.applies()

	if got := e.Secret(e.NS, "db"); got == nil || string(got.Data["pw"]) != "s3cret" {
		t.Fatalf("the Secret is %v", got)
	}
	web := e.deployment("web")
	if web == nil || web.Labels["fuin.dev/environment"] != "shop" || web.Labels["fuin.dev/environment-namespace"] != e.NS {
		t.Fatalf("the Deployment is %+v", web)
	}
	if n := len(env.Status.Inventory); n != 5 {
		t.Errorf("the inventory has %d objects, want 5: %v", n, env.Status.Inventory)
	}
	if env.Status.Secrets.Sealed != 2 || !slices.Contains(env.Status.Images, "registry.example/web:v1") {
		t.Errorf("secrets %+v, images %v", env.Status.Secrets, env.Status.Images)
	}
	if h := env.Status.History; len(h) != 1 || h[0].Result != "Applied" || h[0].Revision != env.Status.LastAppliedRevision {
		t.Errorf("history %+v", h)
	}

	e.Eventually("both Deployments have a ReplicaSet", func() bool { return e.ReplicaSets("web") == 1 && e.ReplicaSets("other") == 1 })
	all["z/db.yaml"] = e.sealed("db", "pw", "changed")
	delete(all, "z/config.yaml")
	e.commit(all)
	e.applies()
	e.Eventually("one workload rolls", func() bool { return e.ReplicaSets("web") == 2 })
	if n := e.ReplicaSets("other"); n != 1 {
		t.Errorf("the other workload has %d ReplicaSets", n)
	}
	if e.configMap("settings") != nil {
		t.Error("what left the directory is there still")
	}
}

// jsonOf is a value as JSON.
func (s *system) jsonOf(v any) string {
	s.T.Helper()
	text, err := json.Marshal(v)
	s.OK(err)
	return string(text)
}

// TestViewersSeeEnvironments: whoever may view a namespace may see its
// Environments, and change none.
func TestViewersSeeEnvironments(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: viewer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: viewer, namespace: %s}]
`, ns)))
	config, err := s.As(t.Context(), ns, "viewer")
	s.OK(err)
	viewer, err := client.New(config, client.Options{})
	s.OK(err)
	e := s.environment(gittest.New(t).New(t, "viewed"), ns, "viewed", nil)
	e.Eventually("the viewer sees it", func() bool {
		return viewer.Get(t.Context(), fuintest.Key(ns, "viewed"), e.Object()) == nil
	})
	if err := viewer.Delete(t.Context(), e.Object()); !apierrors.IsForbidden(err) {
		t.Errorf("the viewer deletes it: %v", err)
	}
}

// TestWorkloadsRollOnWhatTheyName: a ConfigMap of the set, a Secret that
// somebody else keeps, each change once; and nothing rolls on a commit that
// changes none of it, or when the controller starts anew.
func TestWorkloadsRollOnWhatTheyName(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.Put(secret(ns, "external", "k", "1"))
	e := s.environment(gittest.New(t).New(t, "rolls"), ns, "rolls", nil)
	web := strings.Replace(workload("web", "external"), "envFrom: [", "envFrom: [{configMapRef: {name: settings}}, ", 1)
	all := files{"web.yaml": web, "settings.yaml": configMapOf("settings", "1"), "other.yaml": configMapOf("other", "1")}
	e.commit(all)
	e.applies()
	sets := func(n int) func() bool { return func() bool { return e.ReplicaSets("web") == n } }
	e.Eventually("there is one ReplicaSet", sets(1))

	all["settings.yaml"] = configMapOf("settings", "2")
	e.commit(all)
	e.applies()
	e.Eventually("a ConfigMap rolls it", sets(2))
	s.Put(secret(ns, "external", "k", "2"))
	e.Eventually("a Secret of others rolls it", sets(3))
	s.Put(secret(ns, "external", "k", "3"))
	e.Eventually("and again", sets(4))

	all["other.yaml"] = configMapOf("other", "2")
	e.commit(all)
	e.applies()
	p.Stop()
	s.Run(fuintest.Alone)
	e.commit(files{"web.yaml": web, "settings.yaml": configMapOf("settings", "2")})
	e.applies()
	if n := e.ReplicaSets("web"); n != 4 {
		t.Errorf("there are %d ReplicaSets, want 4", n)
	}
}
