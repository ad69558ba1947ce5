package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fuin.dev/controller/kubetest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

// TestFixKeepsTheSecrets: what kustomize and Helm make of a repository in which
// fuin check --fix sealed what it found is, opened, what they made before. The
// first lines of each archive say what is rendered, and how.
func TestFixKeepsTheSecrets(t *testing.T) {
	renderers := kubetest.Require(t, "renderers")
	buildSandbox(t)
	cases, err := filepath.Glob("testdata/fix/*.txtar")
	if err != nil || len(cases) < 8 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := newFixed(t, renderers, archive)
			want := r.render(t)
			if len(want) == 0 {
				t.Fatal("nothing is rendered before")
			}
			r.fix(t, archive)
			if diff := cmp.Diff(want, r.render(t)); diff != "" {
				t.Errorf("the Secrets are others: %s", diff)
			}
			before := r.files(t)
			r.fuin(t, 0, "check", "--fix")
			if diff := cmp.Diff(before, r.files(t)); diff != "" {
				t.Errorf("another run changes the files: %s", diff)
			}
		})
	}
}

// fixed is a repository that is fixed.
type fixed struct {
	dir, home, renderers string
	commands             []string
	exit                 int // of the first run
}

func newFixed(t *testing.T, renderers string, archive *txtar.Archive) *fixed {
	t.Helper()
	r := &fixed{dir: t.TempDir(), home: t.TempDir(), renderers: renderers}
	if err := writeKeys(r.home); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			r.commands = append(r.commands, command)
		}
		if strings.HasPrefix(line, "files stay in plain") {
			r.exit = 3
		}
	}
	for _, f := range archive.Files {
		r.write(t, f.Name, f.Data)
	}
	key, err := os.ReadFile(filepath.Join(r.home, "hybrid.pub"))
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "keys/production.txt", key)
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}} {
		if out, err := exec.Command("git", append([]string{"-C", r.dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git: %v: %s", err, out)
		}
	}
	return r
}

func (r *fixed) write(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fix runs fuin check --fix, and deletes the files that it names for that.
func (r *fixed) fix(t *testing.T, archive *txtar.Archive) {
	t.Helper()
	out := r.fuin(t, r.exit, "check", "--fix")
	for _, m := range regexp.MustCompile(`delete it \(git rm (\S+?)\)`).FindAllStringSubmatch(strings.Join(strings.Fields(out), " "), -1) {
		if err := os.Remove(filepath.Join(r.dir, m[1])); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(out, canary) {
		t.Errorf("a value is shown: %s", out)
	}
	for name, text := range r.files(t) {
		if strings.Contains(text, canary) || strings.Contains(text, "Y2FuYXJ5") {
			t.Errorf("%s holds a value in plain:\n%s", name, text)
		}
	}
	comments := regexp.MustCompile(`(?m)# .*$`)
	for _, f := range archive.Files {
		now, _ := os.ReadFile(filepath.Join(r.dir, f.Name))
		for _, comment := range comments.FindAllString(string(f.Data), -1) {
			if now != nil && !strings.Contains(string(now), comment) {
				t.Errorf("%s lost %q:\n%s", f.Name, comment, now)
			}
		}
	}
}

func (r *fixed) fuin(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "fuin", args...)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "HOME="+r.home)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("fuin %s: exit code %d, want %d (%v)\n%s", strings.Join(args, " "), code, want, err, out)
	}
	return string(out)
}

// files are those of the repository but for the keys.
func (r *fixed) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(r.dir, path)
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// render gives the data of all Secrets, sealed ones opened, by the command and
// their places. What kustomize put behind the name of one that it generated is
// left out.
func (r *fixed) render(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, command := range r.commands {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = r.dir
		cmd.Env = append(os.Environ(), "HOME="+r.home, "PATH="+r.renderers+":"+os.Getenv("PATH"))
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", command, err, said.String())
		}
		for name, data := range r.secrets(t, out) {
			all[command+": "+name] = data
		}
	}
	return all
}

var hashBehindName = regexp.MustCompile(`-[2456789bcdfghkmt]{10}$`)

func (r *fixed) secrets(t *testing.T, manifests []byte) map[string]map[string]string {
	t.Helper()
	file := filepath.Join(r.home, "rendered.yaml")
	if err := os.WriteFile(file, manifests, 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	if bytes.Contains(manifests, []byte("kind: SealedSecret")) {
		manifests = []byte(r.fuin(t, 0, "open", "-i", filepath.Join(r.home, "hybrid.txt"), "-o", "yaml", file))
	}
	for _, o := range objectsOf(t, manifests) {
		if o["kind"] != "Secret" {
			continue
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Type     string
			Metadata struct{ Namespace, Name string }
			Data     map[string][]byte
			Texts    map[string]string `json:"stringData"`
		}
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		data := map[string]string{}
		for key, value := range s.Data {
			data[key] = string(value)
		}
		for key, value := range s.Texts {
			data[key] = value
		}
		all[s.Metadata.Namespace+"/"+hashBehindName.ReplaceAllString(s.Metadata.Name, "")] = data
	}
	return all
}

// objectsOf reads manifests, documents of YAML or objects of JSON.
func objectsOf(t *testing.T, manifests []byte) (all []map[string]any) {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(manifests))
	for {
		var o map[string]any
		err := dec.Decode(&o)
		switch {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%v in\n%s", err, manifests)
		case o != nil:
			all = append(all, o)
		}
	}
}

// TestFixShowsNoValue gives what is odd, broken or hostile to --fix, where
// nothing can be rendered: nothing of a value is said, what needs a proof stays,
// and a file that is not sealed keeps its bytes.
func TestFixShowsNoValue(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\\n" + canary + "\\n"
	kept := map[string]string{
		"generator/kustomization.yaml": "secretGenerator:\n- name: db\n  literals: [password=" + canary + "]\n",
		"patch/kustomization.yaml":     "patches:\n- patch: |-\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: db}\n    stringData: {password: " + canary + "}\n",
		"flow/kustomization.yaml":      "{secretGenerator: [{name: db, literals: [password=" + canary + "]}]}\n",
		"anchor/kustomization.yaml":    "x: &a {name: db, literals: [password=" + canary + "]}\nsecretGenerator: [*a]\n",
		"odd/kustomization.yaml":       "secretGenerator: [{name: [" + canary + "], literals: [password=" + canary + "]}]\npatches: [{patch: {password: " + canary + "}}]\n",
		"broken/kustomization.yaml":    "secretGenerator:\n- name: db\n  literals: [\"password=" + canary + "\n",
		"values.yaml":                  "auth: &a\n  password: " + canary + "\nother: {<<: *a}\nmixed:\n  password: \"ref+vault://a/b#/c " + canary + "\"\n",
		"values-number.yaml":           "password: 123456789\n",
		"values-text.yaml":             "config: |\n  password: " + canary + "\n",
		"values-template.yaml":         "password: {{ .x }}\nsecret: " + canary + "\n",
		"secret-number.yaml":           "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: " + canary + ", pin: 4711}\n",
		"secret-template.yaml":         "apiVersion: v1\nkind: Secret\nmetadata: {name: \"{{ .name }}\"}\nstringData: {password: " + canary + "}\n",
		"secret-v2.yaml":               "apiVersion: v2\nkind: secret\nmetadata: {name: a}\nstringData: {password: " + canary + "}\n",
		"key.yaml":                     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: \"" + key + "\"}\n",
		"sealed.yaml": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\nspec: {encryptedData: {password: " + canary +
			"}, template: {data: {password: " + canary + ", text: \"{{ .x }} password=" + canary + "\"}}}\n",
	}
	dir := t.TempDir()
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range kept {
		(&fixed{dir: dir}).write(t, name, []byte(text))
	}
	(&fixed{dir: dir}).write(t, "sealed/secret.yaml", []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: "+canary+"}\n"))
	(&fixed{dir: dir}).write(t, ".fuin.yaml", []byte("version: 1\nclusters: {a: {recipients: [hybrid.pub]}}\nrules: [{path: '**', clusters: [a], namespace: shop}]\n"))
	t.Chdir(dir)
	for range 2 {
		u, stdout, stderr := testUI("")
		if code := u.run(t.Context(), []string{"check", "--fix"}); code != exitFindings {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		said := stdout.String() + stderr.String()
		if strings.Contains(said, canary) || strings.Contains(said, "4711") {
			t.Errorf("a value is shown: %s", said)
		}
	}
	for name, text := range kept {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != text {
			t.Errorf("%s was changed to %s, %v", name, got, err)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "sealed/secret.yaml")); strings.Contains(string(got), canary) {
		t.Errorf("a Secret was not sealed: %s", got)
	}
}
