package main

import (
	"reflect"
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
