package environments_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The canary must come out nowhere but in its Secret; the credential opens
// repositories, and nothing but its Secret holds it.
const (
	canary     = "canary-7f3a-hunter2"
	credential = canary + "-credential"
)

// valued is a chart with the canary among its values. What an author writes as
// the message of an error, word by word, may be shown; what it is made of not.
func valued(template string) files {
	all := chart(template)
	all["app/values.yaml"] = "pw: " + canary + "\n"
	return all
}

// slips are directories that hold the canary where somebody may put a value by
// mistake, and fail in ways that may repeat it.
func (s *system) slips(ns string) map[string]files {
	sealed := s.Seal(secret(ns, "broken", "pw", canary), true)
	return map[string]files{
		"plain":      {"app/s.yaml": secret(ns, "s", "pw", canary)},
		"tampered":   {"app/s.yaml": s.tampered(sealed, "pw")},
		"template":   {"app/s.yaml": s.Edit(sealed, func(m map[string]any) { at(m, map[string]any{"t": "{{ fail .pw }}"}, "spec", "template", "data") })},
		"unsealed":   {"app/s.yaml": s.Edit(sealed, func(m map[string]any) { at(m, canary, "spec", "encryptedData", "pw") })},
		"fail":       valued(`{{ fail .Values.pw }}`),
		"required":   valued(`{{ required (printf "%s" .Values.pw) .Values.none }}`),
		"nil":        valued(`{{ index .Values .Values.pw "x" }}`),
		"rendered":   chart("a: b: " + canary + "\n"),
		"values":     {"app/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "app/values.yaml": "pw: a: " + canary, "app/templates/m.yaml": "x"},
		"jsonnet":    {"app/main.jsonnet": `local c = {pw: "` + canary + `"}; error c.pw`},
		"assert":     {"app/main.jsonnet": `local c = {pw: "` + canary + `"}; assert false : "no " + c.pw; {}`},
		"extvar":     {"app/main.jsonnet": `std.parseJson("` + canary + `")`},
		"literals":   {"app/kustomization.yaml": "secretGenerator: [{name: s, literals: [\"pw=" + canary + "\"]}]\n"},
		"literal":    {"app/kustomization.yaml": "secretGenerator: [{name: s, literals: [\"" + canary + "\"]}]\n"},
		"field":      {"app/kustomization.yaml": "namePrefix: [" + canary + "]\n"},
		"resource":   {"app/kustomization.yaml": "resources: [m.yaml]\n", "app/m.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: [" + canary + "]\n"},
		"patch":      {"app/kustomization.yaml": "resources: [m.yaml]\npatches: [{patch: '[{\"op\": \"test\", \"path\": \"/data/k\", \"value\": \"" + canary + "\"}]', target: {kind: ConfigMap}}]\n", "app/m.yaml": configMapOf("m", "1")},
		"malformed":  {"app/m.yaml": "apiVersion: v1\nkind: ConfigMap\ndata: {k: \"" + canary + "\n"},
		"invalid":    {"app/m.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: \"" + canary + "\"}\n"},
		"rejected":   {"app/m.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: d}\nspec: {type: \"" + canary + "\", ports: [{port: 80}]}\n"},
		"config":     {"app/m.yaml": configMapOf("m", "1"), ".fuin.yaml": "version: 1\nclusters: " + canary + "\n"},
		"config-key": {"app/m.yaml": configMapOf("m", "1"), ".fuin.yaml": "version: 1\npassword: " + canary + "\n"},
		"images":     {"app/m.yaml": configMapOf("m", "1"), "images.yaml": "- name: {pw: " + canary + "}\n"},
	}
}

// TestNoPlaintextComesOutOfEnvironments plants the canary in all that an
// Environment reads, and searches all that comes out: statuses, histories,
// events, metrics, the log, what fuin prints, and every file of the controller.
func TestNoPlaintextComesOutOfEnvironments(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	dir := t.TempDir()
	p := s.Run(fuintest.Alone, "--source-dir", dir)
	server, ns := gittest.New(t), s.Tenant()
	s.Put(secret(ns, "git-auth", "username", "robot", "password", credential))
	s.Put(secret(ns, "signers", "token", canary))
	all := map[string]*environment{}
	for name, files := range s.slips(ns) {
		repo := server.New(t, name)
		repo.Allow(gittest.Access{Username: "robot", Password: credential})
		spec := map[string]any{"path": "app", "timeout": "30s", "source": map[string]any{
			"git":     map[string]any{"url": repo.URL(), "ref": map[string]any{"branch": "main"}, "secretRef": map[string]any{"name": "git-auth"}},
			"webhook": map[string]any{"name": "signers"},
		}}
		if name == "images" {
			spec["imagesFrom"] = "images.yaml"
		}
		all[name] = s.environment(repo, ns, name, spec)
		all[name].commit(files)
	}
	wrong := server.New(t, "wrong")
	wrong.Allow(gittest.Access{Username: "robot", Password: "another"})
	all["wrong"] = s.environment(wrong, ns, "wrong", map[string]any{"source": map[string]any{
		"git": map[string]any{"url": wrong.URL(), "secretRef": map[string]any{"name": "git-auth"}},
	}})
	good := s.environment(server.New(t, "good"), ns, "good", nil)
	good.commit(files{"s.yaml": good.sealed("good", "pw", canary), "web.yaml": workload("web", "good")})
	good.applies()
	s.Opens(ns, "good", "pw", canary)
	for name, e := range all {
		s.Eventually(name+" fails", func() bool { return e.failed() })
	}

	for name, e := range all {
		s.Search("Environment "+name, e.Get().Status, canary)
		if name != "wrong" {
			s.Search("fuin render of "+name, s.printed("render", s.worktree(e.Repo)+"/app"), canary)
		}
	}
	s.Search("Environment good", good.Get().Status, canary)
	events := s.Events(ns, len(all))
	s.Search("events", events, canary)
	dump := &unstructured.UnstructuredList{}
	dump.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind + "List"))
	s.OK(s.Client().List(t.Context(), dump, client.InNamespace(ns)))
	s.Search("kubectl get -o yaml", dump, canary)
	s.Search("the Deployment", good.deployment("web"), canary)
	s.Search("metrics", p.Get(p.Metrics), canary)
	for _, form := range []string{"text", "json", "yaml"} {
		s.Search("fuin status -o "+form, s.printed("status", "--namespace", ns, "-o", form), canary)
		s.Search("fuin status of one as "+form, s.printed("status", "plain", "--namespace", ns, "-o", form), canary)
	}
	s.searchFiles(dir, credential)
	p.Stop()
	s.Search("log", p.Log.String(), canary)
}

// failed tells that a pass failed.
func (e *environment) failed() bool {
	for _, c := range e.Get().Status.Conditions {
		if c.Type == v1alpha1.Ready {
			e.Last = c.Reason + " " + c.Message
			return c.Status == metav1.ConditionFalse
		}
	}
	return false
}

// printed is all that fuin prints as the cluster's admin, whatever becomes of it.
func (s *system) printed(args ...string) string {
	s.T.Helper()
	out, messages, _ := s.Fuin(args...)
	if len(out)+len(messages) == 0 {
		s.T.Errorf("fuin %s prints nothing", strings.Join(args, " "))
	}
	if args[0] == "render" {
		return messages // what it prints is the repository's
	}
	return out + messages
}

// worktree checks a repository out.
func (s *system) worktree(repo *gittest.Repo) string {
	s.T.Helper()
	dir := s.T.TempDir()
	_, err := repo.Git(s.T.Context(), "--work-tree", dir, "checkout", "--quiet", "--force", "main", "--", ".")
	s.OK(err)
	return dir
}

// searchFiles fails if a text stands in a file of a controller.
func (s *system) searchFiles(dir, text string) {
	s.T.Helper()
	found := 0
	s.OK(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // the cache is in use
		}
		found++
		if data, _ := os.ReadFile(path); bytes.Contains(data, []byte(text)) {
			s.T.Errorf("%s has it", path)
		}
		return nil
	}))
	if found == 0 {
		s.T.Error("there are no files")
	}
}
