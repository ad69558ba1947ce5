package controller_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

// readCRD reads a CustomResourceDefinition as a tree, and its only version.
func readCRD(t *testing.T, path string) (spec, version map[string]any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var crd map[string]any
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	spec = crd["spec"].(map[string]any)
	versions := spec["versions"].([]any)
	if len(versions) != 1 {
		t.Fatalf("%s has %d versions, want one", path, len(versions))
	}
	delete(spec, "versions")
	return spec, versions[0].(map[string]any)
}

// withoutDescriptions removes what a schema says to people only.
func withoutDescriptions(tree any) any {
	switch node := tree.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range node {
			if _, isText := value.(string); key != "description" || !isText {
				out[key] = withoutDescriptions(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i := range node {
			out[i] = withoutDescriptions(node[i])
		}
		return out
	}
	return tree
}

// added lists where ours has something that theirs lacks; what differs or is
// missing in ours is an error.
func added(t *testing.T, at string, theirs, ours any) []string {
	t.Helper()
	their, isMap := theirs.(map[string]any)
	our, alsoMap := ours.(map[string]any)
	if !isMap || !alsoMap {
		if !reflect.DeepEqual(theirs, ours) {
			t.Errorf("%s: theirs %v, ours %v", at, theirs, ours)
		}
		return nil
	}
	var out []string
	for key := range maps.Keys(our) {
		if _, ok := their[key]; !ok {
			out = append(out, at+"."+key)
		}
	}
	for key, value := range their {
		if _, ok := our[key]; !ok {
			t.Errorf("%s.%s: ours lacks it", at, key)
			continue
		}
		out = append(out, added(t, at+"."+key, value, our[key])...)
	}
	return out
}

func TestCRDAddsToTheStatusOnly(t *testing.T) {
	theirSpec, their := readCRD(t, filepath.Join(upstreamDir(t), "helm", "sealed-secrets", "crds", "bitnami.com_sealedsecrets.yaml"))
	ourSpec, our := readCRD(t, filepath.Join("..", "deploy", "base", "bitnami.com_sealedsecrets.yaml"))
	if !reflect.DeepEqual(theirSpec, ourSpec) {
		t.Errorf("names, group or scope:\n%v\n%v", theirSpec, ourSpec)
	}
	for _, field := range []string{"name", "served", "storage", "subresources", "additionalPrinterColumns"} {
		if !reflect.DeepEqual(their[field], our[field]) {
			t.Errorf("%s:\n%v\n%v", field, their[field], our[field])
		}
	}
	theirStatus, theirRest := schemaOf(their)
	ourStatus, ourRest := schemaOf(our)
	if !reflect.DeepEqual(theirRest, ourRest) {
		t.Errorf("the schema beside the status differs: %v", added(t, "schema", theirRest, ourRest))
	}
	if more := added(t, "status", theirStatus, ourStatus); len(more) == 0 {
		t.Error("the status has nothing of Fuin's: is this the right file?")
	}
}

// schemaOf splits a version's schema into that of the status and all else.
func schemaOf(version map[string]any) (status, rest any) {
	schema := withoutDescriptions(dig(version, "schema", "openAPIV3Schema")).(map[string]any)
	properties := schema["properties"].(map[string]any)
	status = properties["status"]
	delete(properties, "status")
	return status, schema
}

func dig(tree any, path ...string) any {
	for _, name := range path {
		node, _ := tree.(map[string]any)
		tree = node[name]
	}
	return tree
}
