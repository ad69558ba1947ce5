package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/render"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestRenderReadsTheAPIs holds what fuin render reads of an Environment to the
// API: a field that is new there is read here, or named as one that says
// nothing about rendering.
func TestRenderReadsTheAPIs(t *testing.T) {
	others := []string{
		"source", "interval", "retryInterval", "timeout", "serviceAccountName", "secrets", "rollout", "drift", "prune",
		"allowEmpty", "force", "deletionPolicy", "wait", "dependsOn", "suspend",
	}
	fields := func(of reflect.Type) (names []string) {
		for field := range of.Fields() {
			names = append(names, jsonName(field))
		}
		slices.Sort(names)
		return names
	}
	spec := reflect.TypeFor[manifestSpec]()
	for _, pair := range []struct {
		ours, api reflect.Type
		others    []string
	}{
		{spec, reflect.TypeFor[v1alpha1.EnvironmentSpec](), others},
		{fieldType(t, spec, "helm"), reflect.TypeFor[v1alpha1.Helm](), nil},
		{fieldType(t, spec, "jsonnet"), reflect.TypeFor[v1alpha1.Jsonnet](), nil},
		{reflect.TypeFor[render.Image](), reflect.TypeFor[v1alpha1.Image](), nil},
	} {
		read := slices.Sorted(slices.Values(append(fields(pair.ours), pair.others...)))
		if diff := cmp.Diff(fields(pair.api), read); diff != "" {
			t.Errorf("%s: %s", pair.api, diff)
		}
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func fieldType(t *testing.T, of reflect.Type, name string) reflect.Type {
	t.Helper()
	field, ok := fieldNamed(of, name)
	if !ok {
		t.Fatalf("%s has no %s", of, name)
	}
	return field.Type
}

func TestRenderTakesAllOfAnEnvironment(t *testing.T) {
	env := v1alpha1.Environment{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "production"},
		Spec: v1alpha1.EnvironmentSpec{
			Path: "overlays/production/", Renderer: "Helm", TargetNamespace: "target", ImagesFrom: "images.yaml", AllowRemote: true,
			Images:  []v1alpha1.Image{{Name: "a", NewName: "b", NewTag: "c", Digest: "d"}},
			Helm:    &v1alpha1.Helm{ReleaseName: "r", ValuesFiles: []string{"v.yaml"}, Values: &apiextensionsv1.JSON{Raw: []byte(`{"a":1}`)}},
			Jsonnet: &v1alpha1.Jsonnet{ExternalVariables: map[string]string{"k": "v"}, LibraryPaths: []string{"lib"}},
		},
	}
	got := sourceOf(t, env)
	want := render.Directory{
		Path: "overlays/production", Kind: render.Helm, TargetNamespace: "target", ImagesFrom: "images.yaml",
		Images:  []render.Image{{Name: "a", NewName: "b", NewTag: "c", Digest: "d"}},
		Helm:    render.HelmOptions{ReleaseName: "r", Namespace: "target", ValuesFiles: []string{"v.yaml"}, Values: []byte(`{"a":1}`)},
		Jsonnet: render.JsonnetOptions{ExternalVariables: map[string]string{"k": "v"}, LibraryPaths: []string{"lib"}},
	}
	if diff := cmp.Diff(want, got.directory); diff != "" || !got.allowRemote || got.defaultNamespace != "production" {
		t.Errorf("%+v %s", got, diff)
	}
	env.Spec = v1alpha1.EnvironmentSpec{}
	want = render.Directory{Path: ".", Helm: render.HelmOptions{ReleaseName: "shop", Namespace: "production"}}
	if diff := cmp.Diff(want, sourceOf(t, env).directory); diff != "" {
		t.Errorf("of an empty spec: %s", diff)
	}
}

// sourceOf is what fuin render makes of an Environment as kubectl prints it.
func sourceOf(t *testing.T, env v1alpha1.Environment) *renderSource {
	t.Helper()
	text, err := yaml.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	read, err := parseEnvironment("env.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	s := &renderSource{}
	s.directory.Path = read.path()
	read.into(s)
	return s
}

// TestManifestsReadBackAsTheyWere: what is printed is what kubectl would apply.
func TestManifestsReadBackAsTheyWere(t *testing.T) {
	const hasNextLine = "a\u0085b"
	content := map[string]any{
		"apiVersion": "example.com/v1", "kind": "Thing",
		"metadata": map[string]any{"name": "on", "labels": map[string]any{"y": "n", "no": "0"}},
		"empty":    map[string]any{}, "none": nil, "list": []any{}, "true": true,
		"numbers": []any{int64(0), int64(-1), int64(9007199254740993), 0.1, 1e21, 1e-7},
		"texts": []any{
			"", " ", "yes", "No", "null", "~", "true", "1", "1e3", "0x10", "0o7", "1_000", "1:30", ".inf", "2026-11-25", "=", "<<",
			"- a", "a: b", "a #b", "#a", "'", `"`, "a\n", "\na", "a\n\n", " a\n b", "a\tb", "\t", "a\r\nb", "\u2028", "\x00", "\ufeff", "é", "😀",
			"@a", "%a", "`a", "!a", "&a", "*a", "{a}", "[a]", "---", "...", "--- a\n...", strings.Repeat("long ", 200),
		},
	}
	text, err := manifestOf(render.Object{Content: content, File: "a\nb: c.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "# a; b: c.yaml\napiVersion: example.com/v1\nkind: Thing\nmetadata:\n") {
		t.Errorf("it begins with %.80q", text)
	}
	readsAs(t, text, content)
	content["texts"] = hasNextLine
	if text, err = manifestOf(render.Object{Content: content}); err != nil {
		t.Fatal(err)
	}
	readsAs(t, text, content)
}

// readsAs fails the test unless a manifest means an object.
func readsAs(t *testing.T, text []byte, content map[string]any) {
	t.Helper()
	want, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	decoded := make([]any, 2)
	for i, data := range [][]byte{want, got} {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if err := dec.Decode(&decoded[i]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(decoded[0], decoded[1]); diff != "" {
		t.Error(diff)
	}
}

func TestFileNames(t *testing.T) {
	object := func(apiVersion, kind, namespace, name string) render.Object {
		return render.Object{Content: map[string]any{
			"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name},
		}}
	}
	set := &render.Set{Objects: []render.Object{
		object("v1", "ConfigMap", "a", "b"),
		object("v1", "Secret", "a-b", "c"), object("v1", "Secret", "a", "b-c"), // alike
		object("v1", "Service", "", "w"), object("serving.knative.dev/v1", "Service", "", "w"), // of two groups
		object("rbac.authorization.k8s.io/v1", "Role", "", "A"), object("rbac.authorization.k8s.io/v1", "Role", "", "a"), // but for the case
		object("v1", "ConfigMap", "..", "../../etc/passwd"), object("v1", "ConfigMap", "", strings.Repeat("x", 253)),
	}}
	files, err := renderedFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(set.Objects) || files["configmap-a-b.yaml"] == nil {
		t.Errorf("%d files for %d objects", len(files), len(set.Objects))
	}
	for name := range files {
		if !regexp.MustCompile(`^[a-z][a-z0-9._-]{1,230}\.yaml$`).MatchString(name) {
			t.Errorf("a file is called %s", name)
		}
	}
}
