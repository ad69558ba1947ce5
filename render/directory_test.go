package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"fuin.dev/render"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// checkout is a checkout of a few files, by name.
func checkout(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// repository is one of testdata/repos.
func repository(t testing.TB, name string) fs.FS {
	t.Helper()
	root, err := os.OpenRoot("../testdata/repos/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.FS()
}

// canonical are objects as JSON with sorted keys, sorted.
func canonical(t testing.TB, objects []map[string]any) []string {
	t.Helper()
	var all []string
	for _, o := range objects {
		text, err := json.MarshalIndent(o, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	slices.Sort(all)
	return all
}

func contents(s *render.Set) []map[string]any {
	var all []map[string]any
	for _, o := range s.Objects {
		all = append(all, o.Content)
	}
	return all
}

// byLibrary are the objects of a plain tree as sigs.k8s.io/yaml reads them.
func byLibrary(t testing.TB, files fs.FS, dir string) []map[string]any {
	t.Helper()
	var all []map[string]any
	err := fs.WalkDir(files, dir, func(name string, e fs.DirEntry, err error) error {
		ext := path.Ext(name)
		if err != nil || e.IsDir() || ext != ".yaml" && ext != ".yml" && ext != ".json" || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		data, err := fs.ReadFile(files, name)
		for doc := range bytes.SplitSeq(data, []byte("\n---")) {
			var o map[string]any
			if yaml.Unmarshal(doc, &o) == nil && o["kind"] != nil {
				all = append(all, o)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPlainIsWhatTheLibraryReads(t *testing.T) {
	pool := open(t, renderConfig)
	files := repository(t, "plain")
	set, err := pool.Directory(t.Context(), render.Directory{Files: files, Path: "."})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(canonical(t, byLibrary(t, files, ".")), canonical(t, contents(set))); diff != "" {
		t.Error(diff)
	}
	if set.Kind != render.Plain || len(set.Objects) < 8 {
		t.Errorf("%s with %d objects", set.Kind, len(set.Objects))
	}
	var notes []string
	for _, n := range set.Notes {
		notes = append(notes, fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Message))
	}
	want := []string{"values.yaml:2: no object of Kubernetes, left out"}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"

func plain(t *testing.T, files map[string]string) (*render.Set, error) {
	t.Helper()
	return open(t, renderConfig).Directory(t.Context(), render.Directory{Files: checkout(files), Path: "."})
}

func names(s *render.Set) []string {
	var all []string
	for _, o := range s.Objects {
		all = append(all, o.Kind()+" "+o.Name()+" of "+o.File)
	}
	return all
}

func TestWhatPlainTakes(t *testing.T) {
	one := func(name string) string { return fmt.Sprintf(configMap, name) }
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
		notes []string
	}{
		"nothing":           {map[string]string{"README.md": "x"}, nil, nil},
		"many documents":    {map[string]string{"a.yaml": "# c\n---\n" + one("a") + "--- # b\n" + one("b") + "...\n---\n---\n" + one("c")}, []string{"ConfigMap a of a.yaml", "ConfigMap b of a.yaml", "ConfigMap c of a.yaml"}, nil},
		"directives":        {map[string]string{"a.yml": "%YAML 1.1\n---\n" + one("a") + "...\n%YAML 1.1\n---\n" + one("b")}, []string{"ConfigMap a of a.yml", "ConfigMap b of a.yml"}, nil},
		"carriage returns":  {map[string]string{"a.yaml": strings.ReplaceAll(one("a")+"---\n"+one("b"), "\n", "\r\n")}, []string{"ConfigMap a of a.yaml", "ConfigMap b of a.yaml"}, nil},
		"JSON":              {map[string]string{"a.json": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}} {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}`}, []string{"ConfigMap a of a.json", "ConfigMap b of a.json"}, nil},
		"a List":            {map[string]string{"a.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]}\n"}, []string{"ConfigMap a of a.yaml", "ConfigMap b of a.yaml"}, nil},
		"a list of a kind":  {map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}]\n"}, []string{"ConfigMap a of a.yaml"}, nil},
		"folders":           {map[string]string{"b/c/a.yaml": one("a"), "a.txt": "x", "b/.hidden.yaml": "{{", ".github/x.yaml": "{{"}, []string{"ConfigMap a of b/c/a.yaml"}, nil},
		"what is no object": {map[string]string{"a.yaml": one("a"), "list.yaml": "- a\n- b\n", "values.yaml": "\n# v\nimage: {tag: x}\n", "text.yaml": "hello"}, []string{"ConfigMap a of a.yaml"}, []string{"list.yaml:1", "text.yaml:1", "values.yaml:3"}},
		"a key twice":       {map[string]string{"a.yaml": one("a") + "data:\n  k: x\n  k: y\n"}, []string{"ConfigMap a of a.yaml"}, []string{"a.yaml:6"}},
		"a placeholder":     {map[string]string{"a.yaml": one("a") + "data: {image: 'x:@@NEW_TAG@@'}\n"}, []string{"ConfigMap a of a.yaml"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := plain(t, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, names(set)); diff != "" {
				t.Error(diff)
			}
			var notes []string
			for _, n := range set.Notes {
				notes = append(notes, fmt.Sprintf("%s:%d", n.File, n.Line))
			}
			slices.Sort(notes)
			if diff := cmp.Diff(tt.notes, notes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each error names the file and line, says why, and holds no value.
func TestWhatPlainRefuses(t *testing.T) {
	one := func(name string) string { return fmt.Sprintf(configMap, name) }
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	bomb := "a: &a [hunter2canary,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	for name, tt := range map[string]struct {
		files  map[string]string
		reason render.DirectoryReason
		want   string // how the error begins
		hint   string
	}{
		"no YAML":               {map[string]string{"b/a.yaml": one("a") + "data: {a: hunter2canary\n"}, render.Malformed, "b/a.yaml:4: is no YAML", ""},
		"no YAML further down":  {map[string]string{"a.yaml": one("a") + "---\n" + one("b") + "data:\n  a: b: hunter2canary\n"}, render.Malformed, "a.yaml:9: is no YAML: mapping values are not allowed", "quote a value"},
		"a placeholder":         {map[string]string{"a.yaml": one("a") + "data:\n  pw: hunter2canary\n  a: @@NEW_TAG@@\n"}, render.Malformed, "a.yaml:6: is no YAML: found character that cannot start any token; a placeholder stands there", "imagesFrom"},
		"a template":            {map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n"}, render.Malformed, "a.yaml:4: is no YAML", "Helm"},
		"a template's block":    {map[string]string{"a.yaml": one("a") + "{{- if .Values.hunter2canary }}\ndata: {}\n{{- end }}\n"}, render.Malformed, "a.yaml:4: is no YAML", "Helm"},
		"a tab":                 {map[string]string{"a.yaml": one("a") + "data:\n\ta: b\n"}, render.Malformed, "a.yaml:5: is no YAML", "spaces"},
		"no JSON":               {map[string]string{"a.json": "{\n\"apiVersion\": hunter2canary"}, render.Malformed, "a.json:2: is no JSON", ""},
		"no UTF-8":              {map[string]string{"a.yaml": "a: \xff"}, render.Malformed, "a.yaml: is no text in UTF-8", "UTF-8"},
		"no apiVersion":         {map[string]string{"a.yaml": "\n---\nkind: Secret\nmetadata: {name: a}\nstringData: {pw: hunter2canary}\n"}, render.NotAnObject, "a.yaml:3: has a Secret without apiVersion", "apiVersion"},
		"no kind":               {map[string]string{"a.yaml": "apiVersion: v1\nmetadata: {name: a}\n"}, render.NotAnObject, "a.yaml:1: has an object of v1 without kind", "kind"},
		"no name":               {map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\n"}, render.NotAnObject, "a.yaml:1: has a Secret without metadata.name", "metadata.name"},
		"a name that is none":   {map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: y}\n"}, render.NotAnObject, "a.yaml:1: has a Secret whose metadata.name is no text", "quote"},
		"a generated name":      {map[string]string{"a.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}\n"}, render.NotAnObject, "a.yaml:1: has a Job with generateName", "metadata.name"},
		"an item of no kind":    {map[string]string{"a.yaml": "apiVersion: v1\nkind: List\nitems: [{a: hunter2canary}]\n"}, render.NotAnObject, "a.yaml:1: holds what has no apiVersion", ""},
		"an item of no fields":  {map[string]string{"a.yaml": "apiVersion: v1\nkind: List\nitems: [hunter2canary]\n"}, render.NotAnObject, "a.yaml:1: has a List whose item 0 is no object", ""},
		"an object twice":       {map[string]string{"a.yaml": "---\n" + one("a"), "b.yaml": one("b") + "---\n" + one("a")}, render.Duplicate, "b.yaml:5: ConfigMap a is there twice, first in a.yaml:2", "another name"},
		"deep nesting":          {map[string]string{"a.yaml": one("a") + "data: " + deep}, render.LimitExceeded, "a.yaml:1: nests fields", ""},
		"deeper nesting":        {map[string]string{"a.yaml": one("a") + "data: " + strings.Repeat("[", 200_000)}, render.LimitExceeded, "a.yaml:1: nests fields", ""},
		"deep JSON":             {map[string]string{"a.json": deep}, render.NotAnObject, "", ""},
		"aliases":               {map[string]string{"a.yaml": one("a") + bomb}, render.LimitExceeded, "a.yaml:1: has aliases that, written out", "aliases"},
		"aliases of one string": {map[string]string{"a.yaml": one("a") + "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [*a, *a, *a, *a, *a, *a]\n"}, render.LimitExceeded, "a.yaml:1: has aliases", ""},
		"a huge file":           {map[string]string{"a.yaml": "# " + strings.Repeat("x", 5<<20)}, render.LimitExceeded, "a.yaml: is larger than a manifest may be", "split"},
		"a kustomization below": {map[string]string{"a.yaml": one("a"), "b/kustomization.yaml": "resources: []"}, render.NotRenderable, "b/kustomization.yaml: makes its directory a Kustomize one", "Plain"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plain(t, tt.files)
			if name == "deep JSON" { // it can be no object, and is left out
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, tt.reason, tt.want, tt.hint)
		})
	}
}

// refused fails the test unless err is a clean DirectoryError that begins so.
func refused(t *testing.T, err error, reason render.DirectoryReason, begins, hint string) {
	t.Helper()
	var d *render.DirectoryError
	if !errors.As(err, &d) {
		t.Fatalf("got %v", err)
	}
	if d.Reason != reason || !strings.HasPrefix(d.Error(), begins) || !strings.Contains(d.Hint(), hint) {
		t.Errorf("got  %s: %v (%s)\nwant %s: %s (%s)", d.Reason, d, d.Hint(), reason, begins, hint)
	}
	if all := fmt.Sprintf("%v %+v %#v %s", err, d, d, d.Hint()); strings.Contains(all, canary) || strings.Contains(all, "/proc/") {
		t.Errorf("the error quotes content: %s", all)
	}
}

func TestOrder(t *testing.T) {
	kinds := map[string]string{
		"a": "apps/v1 Deployment", "b": "v1 Secret", "c": "v1 Namespace", "d": "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
		"e": "bitnami.com/v1alpha1 SealedSecret", "f": "v1 ConfigMap", "g": "apiextensions.k8s.io/v1 CustomResourceDefinition",
		"h": "example.com/v1 Runner", "i": "example.com/v1 Thing", "j": "batch/v1 CronJob", "k": "rbac.authorization.k8s.io/v1 ClusterRole",
		"l": "v1 ServiceAccount", "m": "v1 Pod", "n": "apiregistration.k8s.io/v1 APIService",
	}
	files := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		apiVersion, kind, _ := strings.Cut(kinds[name], " ")
		text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: an-%s}\n", apiVersion, kind, name)
		if kind == "Runner" {
			text += "spec: {template: {spec: {containers: [{name: a}]}}}\n"
		}
		files[name+".yaml"] = text
	}
	set, err := plain(t, files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range set.Objects {
		got = append(got, fmt.Sprint(render.StageOf(o), " ", o.Kind()))
	}
	want := []string{
		"definitions ClusterRole", "definitions CustomResourceDefinition", "definitions Namespace",
		"secrets SealedSecret", "secrets Secret",
		"configs ConfigMap", "configs ServiceAccount", "configs Thing",
		"workloads CronJob", "workloads Deployment", "workloads Pod", "workloads Runner",
		"hooks APIService", "hooks ValidatingWebhookConfiguration",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
