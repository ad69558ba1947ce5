package controller_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// credential opens repositories; nothing but its Secret holds it.
const credential = canary + "-credential"

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
	sealed := s.seal(secret(ns, "broken", "pw", canary), true)
	return map[string]files{
		"plain":      {"app/s.yaml": secret(ns, "s", "pw", canary)},
		"tampered":   {"app/s.yaml": s.tampered(sealed, "pw")},
		"template":   {"app/s.yaml": s.edit(sealed, func(m map[string]any) { at(m, map[string]any{"t": "{{ fail .pw }}"}, "spec", "template", "data") })},
		"unsealed":   {"app/s.yaml": s.edit(sealed, func(m map[string]any) { at(m, canary, "spec", "encryptedData", "pw") })},
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
	p := s.run(alone, "--source-dir", dir)
	server, ns := gittest.New(t), s.tenant()
	s.apply(secret(ns, "git-auth", "username", "robot", "password", credential))
	s.apply(secret(ns, "signers", "token", canary))
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
	s.opens(ns, "good", "pw", canary)
	for name, e := range all {
		s.eventually(name+" fails", func() bool { return e.failed() })
	}

	for name, e := range all {
		s.search("Environment "+name, e.get().Status)
		if name != "wrong" {
			s.search("fuin render of "+name, s.cli("render", s.worktree(e.repo)+"/app"))
		}
	}
	s.search("Environment good", good.get().Status)
	var events corev1.EventList
	s.ok(s.Client().List(t.Context(), &events, client.InNamespace(ns)))
	if len(events.Items) < len(all) {
		t.Errorf("only %d events", len(events.Items))
	}
	s.search("events", events)
	dump := &unstructured.UnstructuredList{}
	dump.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind + "List"))
	s.ok(s.Client().List(t.Context(), dump, client.InNamespace(ns)))
	s.search("kubectl get -o yaml", dump)
	s.search("the Deployment", good.deployment("web"))
	s.search("metrics", p.get("http://"+p.metrics+"/metrics"))
	for _, form := range []string{"text", "json", "yaml"} {
		s.search("fuin status -o "+form, s.cli("status", "--namespace", ns, "-o", form))
		s.search("fuin status of one as "+form, s.cli("status", "plain", "--namespace", ns, "-o", form))
	}
	s.searchFiles(dir, credential)
	p.stop()
	s.search("log", p.log.String())
}

// failed tells that a pass failed.
func (e *environment) failed() bool {
	for _, c := range e.get().Status.Conditions {
		if c.Type == v1alpha1.Ready {
			e.last = c.Reason + " " + c.Message
			return c.Status == metav1.ConditionFalse
		}
	}
	return false
}

// cli runs fuin as the cluster's admin and returns all that it prints,
// whatever becomes of it.
func (s *system) cli(args ...string) string {
	s.t.Helper()
	config := filepath.Join(s.t.TempDir(), "admin")
	s.ok(kubetest.WriteKubeconfig(config, s.Admin(), "default"))
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(fuintest.Bin, "fuin"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+config)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	_ = cmd.Run()
	if out.Len()+messages.Len() == 0 {
		s.t.Errorf("fuin %s prints nothing", strings.Join(args, " "))
	}
	if args[0] == "render" {
		return messages.String() // what it prints is the repository's
	}
	return out.String() + messages.String()
}

// worktree checks a repository out.
func (s *system) worktree(repo *gittest.Repo) string {
	s.t.Helper()
	dir := s.t.TempDir()
	_, err := repo.Git(s.t.Context(), "--work-tree", dir, "checkout", "--quiet", "--force", "main", "--", ".")
	s.ok(err)
	return dir
}

// searchFiles fails if a text stands in a file of a controller.
func (s *system) searchFiles(dir, text string) {
	s.t.Helper()
	found := 0
	s.ok(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // the cache is in use
		}
		found++
		if data, _ := os.ReadFile(path); bytes.Contains(data, []byte(text)) {
			s.t.Errorf("%s has it", path)
		}
		return nil
	}))
	if found == 0 {
		s.t.Error("there are no files")
	}
}
