package render_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fuin.dev/render"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func objectOf(t testing.TB, text string) render.Object {
	t.Helper()
	o := render.Object{File: "a/b.yaml", Line: 3}
	if err := yaml.Unmarshal([]byte(text), &o.Content); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return o
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const (
	aSecret       = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n"
	aSealedSecret = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: shop}\n"
	aConfigMap    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\n"
	aDeployment   = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db}\nspec: {template: {spec: {containers: [{name: a, %s}]}}}\n"
)

func TestWhereReferencesStand(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"a Secret": {aSecret + "stringData: {a: 'ref+vault://a/b#/c', b: plain, c: 'x ref+vault://a/c+ y ref+vault://a/d+'}\n",
			[]string{"stringData a: 1", "stringData c: 2"}},
		"base64":              {aSecret + "data: {a: " + base64Of("x ref+vault://a/b+") + ", b: " + base64Of("\xff") + ", c: '%%%'}\n", []string{"data a: 1"}},
		"both":                {aSecret + "data: {a: " + base64Of("ref+vault://a/b") + "}\nstringData: {a: plain}\n", nil},
		"a SealedSecret":      {aSealedSecret + "spec: {encryptedData: {x: AgB}, template: {data: {a: '{{ .x }} ref+vault://a/b+ {{/* c */}}', b: '{{ .x }}'}}}\n", []string{"spec.template.data a: 1"}},
		"what is escaped":     {aSecret + "stringData: {a: 'ref++vault://a/b'}\n", nil},
		"escaped elsewhere":   {aConfigMap + "data: {a: 'ref++vault://a/b'}\n", nil},
		"an Environment":      {"apiVersion: fuin.dev/v1alpha1\nkind: Environment\nmetadata: {name: a}\nspec: {helm: {values: {password: 'ref+vault://a/b'}}, jsonnet: {externalVariables: {p: 'ref+vault://a/b'}}}\n", nil},
		"pods of bank-vaults": {fmt.Sprintf(aDeployment, "env: [{name: A, value: 'vault:secret/data/a#B'}, {name: B, value: 'x${vault:secret/data/a#B}'}]"), nil},
		"left alone":          {aConfigMap[:len(aConfigMap)-2] + ", annotations: {avp.kubernetes.io/ignore: 'true'}}\ndata: {a: '<path:a/b#c>'}\n", nil},
		"what is no text":     {aSecret + "stringData: {a: 1, b: [x], c: null}\ndata: []\n", nil},
		"nothing":             {aSecret, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := render.References(objectOf(t, tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				n := 0
				for _, p := range f.Parts {
					if p.Reference != nil {
						n++
					}
				}
				got = append(got, fmt.Sprintf("%s %s: %d", f.Field, f.Key, n))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every fault is told, each with its place and a way out, and none with what
// stands there.
func TestReferenceErrors(t *testing.T) {
	secretWith := func(annotations, rest string) string {
		return strings.Replace(aSecret, "namespace: shop", "namespace: shop, annotations: {"+annotations+"}", 1) + rest
	}
	const at = "a/b.yaml:3: "
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"what does not parse": {aSecret + "stringData:\n  a: 'hunter2canary ref+vault://a/../b+'\n  'b.c': |\n    x: 1\n    é ref+vault://hunter2canary+\n",
			[]string{"Secret shop/db: stringData.a, character 29: the path has a segment . or ..", `Secret shop/db: stringData["b.c"], line 2, character 15: the path has a mount only`}},
		"in base64":          {aSecret + "data: {a: " + base64Of("hunter2canary ref+vault://a//b+") + "}\n", []string{"Secret shop/db: data.a, character 29: the path has an empty segment"}},
		"not in base64":      {aSecret + "data: {a: 'ref+vault://a/b#/c'}\n", []string{"Secret shop/db: data.a, character 1: a reference stands in data as it is"}},
		"beside other bytes": {aSecret + "data: {a: " + base64Of("\xffhunter2canary ref+vault://a/b+") + "}\n", []string{"Secret shop/db: data.a: a reference stands in what is no text"}},
		"in an action":       {aSealedSecret + "spec: {template: {data: {a: '{{ \"ref+vault://a/b+\" }}'}}}\n", []string{"SealedSecret shop/db: spec.template.data.a, character 5: a reference inside a template's {{ }}"}},
		"in a template's metadata": {aSealedSecret + "spec: {template: {metadata: {annotations: {a: 'ref+vault://a/hunter2canary'}, labels: {b: 'ref+vault://a/b'}}}}\n",
			[]string{"SealedSecret shop/db: spec.template.metadata.annotations.a: a reference to Vault stands in an annotation", "SealedSecret shop/db: spec.template.metadata.labels.b: a reference to Vault stands in a label"}},
		"in a ConfigMap": {aConfigMap + "data: {app.conf: 'hunter2canary=ref+vault://a/b+'}\n", []string{`ConfigMap db: data["app.conf"]: a reference to Vault stands in a ConfigMap`}},
		"in a workload": {fmt.Sprintf(aDeployment, "args: ['--x=ref+vault://a/b'], env: [{name: A, value: 'ref+vault://a/b'}], image: 'ref+vault://a/b'"),
			[]string{"Deployment db: spec.template.spec.containers[0].args[0]: a reference to Vault stands in an argument",
				"Deployment db: spec.template.spec.containers[0].env[0].value: a reference to Vault stands in an environment variable",
				"Deployment db: spec.template.spec.containers[0].image: a reference to Vault stands in this field"}},
		"in a name":             {aSecret + "stringData: {'ref+vault://a/b': x}\n", []string{"Secret shop/db: stringData: a reference to Vault stands in the name of a field"}},
		"in its own annotation": {secretWith("x: 'ref+vault://a/b'", ""), []string{"Secret shop/db: metadata.annotations.x: a reference to Vault stands in an annotation"}},
		"of other tools": {aSecret + "stringData: {a: 'x <path:a/b#hunter2canary>', b: 'vault:a/b#hunter2canary', c: '${vault:a/b#c}', d: '>>vault:a/b#c', e: 'vault:a/b#${.hunter2canary}'}\n",
			[]string{"Secret shop/db: stringData.a, character 3: a reference of another tool, which is not resolved", "Secret shop/db: stringData.b, character 1: a reference of another tool, which is not resolved",
				"Secret shop/db: stringData.c, character 1: a reference of another tool, which is not resolved",
				"Secret shop/db: stringData.d, character 1: a reference of another tool, which is not resolved: >>vault: writes to Vault, which nothing here does",
				"Secret shop/db: stringData.e, character 1: a reference of another tool, which is not resolved: a template in place of a key"}},
		"by an annotation":       {secretWith("avp.kubernetes.io/path: a/b", "stringData: {a: <hunter2canary>}\ndata: {b: <hunter2canary | base64encode>}\n"), []string{"Secret shop/db: data.b, character 1: a reference of another tool", "Secret shop/db: stringData.a, character 1: a reference of another tool"}},
		"of others, elsewhere":   {aConfigMap + "data: {a: '<path:a/b#c>', b: '>>vault:a/b#c', c: 'vault:a/b#c'}\n", []string{"ConfigMap db: data.a, character 1: a reference of another tool", "ConfigMap db: data.b, character 1: a reference of another tool"}},
		"of others, in template": {aSealedSecret + "spec: {template: {data: {a: '<path:a/b#c>'}}}\n", []string{"SealedSecret shop/db: spec.template.data.a, character 1: a reference of another tool"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := render.References(objectOf(t, tt.text))
			var faults render.ReferenceErrors
			if !errors.As(err, &faults) || len(faults) != len(tt.want) {
				t.Fatalf("got %v", err)
			}
			for i, e := range faults {
				if !strings.HasPrefix(e.Error(), at+tt.want[i]) {
					t.Errorf("got  %v\nwant %s", e, at+tt.want[i])
				}
				if e.Hint() == "" && !strings.Contains(name, "parse") {
					t.Errorf("%v: no hint", e)
				}
				if all := fmt.Sprintf("%v %+v %s", e, *e, e.Hint()); strings.Contains(all, "hunter2canary") {
					t.Errorf("it quotes the text: %s", all)
				}
			}
		})
	}
}

func TestManyReferenceErrors(t *testing.T) {
	text := aConfigMap + "data:\n"
	for i := range 300 {
		text += fmt.Sprintf("  k%d: ref+vault://a/b\n", i)
	}
	_, err := render.References(objectOf(t, text))
	var faults render.ReferenceErrors
	if !errors.As(err, &faults) || len(faults) != 100 {
		t.Errorf("got %d faults", len(faults))
	}
}
