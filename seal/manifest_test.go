package seal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// sealed seals a manifest and fails the test if that fails.
func sealed(t *testing.T, manifest string, o seal.Options) seal.Result {
	t.Helper()
	r, err := sealer(t, "x25519").Manifest([]byte(manifest), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// opened opens what was sealed, as the values of one Secret by key.
func opened(t *testing.T, manifest []byte) map[string]string {
	t.Helper()
	r, err := opener("x25519").Manifest(context.Background(), manifest, seal.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Data map[string][]byte }
	if err := json.NewDecoder(strings.NewReader(string(r.Out))).Decode(&s); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for key, value := range s.Data {
		out[key] = string(value)
	}
	return out
}

const head = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n"

func TestValuesOfAManifest(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want map[string]string
	}{
		"data":              {"data: {a: aHVudGVy}", map[string]string{"a": "hunter"}},
		"stringData wins":   {"data: {a: aHVudGVy, b: eA==}\nstringData: {a: other}", map[string]string{"a": "other", "b": "x"}},
		"wrapped base64":    {"data:\n  a: |\n    aHVu\n    dGVy\n", map[string]string{"a": "hunter"}},
		"block":             {"stringData:\n  a: |\n    one\n    two\n", map[string]string{"a": "one\ntwo\n"}},
		"null is empty":     {"stringData: {a: , b: x}", map[string]string{"a": "", "b": "x"}},
		"quoted number":     {"stringData: {a: \"7\", b: 'true'}", map[string]string{"a": "7", "b": "true"}},
		"alias":             {"x-shared: &v hunter\nstringData: {a: *v, b: *v}", map[string]string{"a": "hunter", "b": "hunter"}},
		"merge":             {"x-shared: &m {a: one, b: two}\nstringData: {<<: *m, b: own}", map[string]string{"a": "one", "b": "own"}},
		"looks like markup": {"stringData: {a: '{{ .x }}', b: '${y}', c: '<path:z>'}", map[string]string{"a": "{{ .x }}", "b": "${y}", "c": "<path:z>"}},
	} {
		r := sealed(t, head+row.text, seal.Options{})
		if diff := cmp.Diff(row.want, opened(t, r.Out)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRefusedManifests(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"number":          {head + "stringData: {a: 7}", `line 4: Secret shop/db: key "a": a number, not text`},
		"boolean":         {head + "stringData: {a: true}", "a boolean, not text"},
		"mapping":         {head + "stringData:\n  a:\n    b: c", "a mapping, not text"},
		"helm":            {head + "data:\n  a: {{ .Values.x }}", "a mapping where a key belongs"},
		"helm quoted":     {head + "data:\n  a: '{{ .Values.x }}'", "a Helm or Go template, not base64"},
		"helm block":      {"{{- if .x }}\n" + head + "{{- end }}", "no YAML: a Helm or Go template"},
		"not base64":      {head + "data: {a: hunter2!}", "not base64"},
		"bad key":         {head + "stringData: {'a/b': x}", `"a/b" is no key of a Secret`},
		"twice":           {head + "stringData:\n  a: x\n  a: y\n", `line 6: key "a" stands twice`},
		"no values":       {head, "it holds no value"},
		"no name":         {"apiVersion: v1\nkind: Secret\nmetadata: {namespace: shop}\nstringData: {a: b}", "no name"},
		"no namespace":    {"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {a: b}", "no namespace"},
		"configmap":       {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "no Secret; found ConfigMap"},
		"sealed already":  {"apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n", "no Secret; found SealedSecret"},
		"empty":           {"", "no Secret; found an empty file"},
		"list":            {"- a\n- b\n", "no object of Kubernetes, but a sequence"},
		"text":            {"hunter2", "no object of Kubernetes, but text"},
		"binary":          {"\x00\x01", "binary, not a manifest"},
		"alias bomb":      {bomb(), "too many or too deeply nested"},
		"deep":            {strings.Repeat("[", 2000), "no YAML"},
		"second document": {head + "stringData: {a: b}\n---\n" + head + "stringData: {a: 7}", `line 9: Secret shop/db: key "a"`},
	} {
		_, err := sealer(t, "x25519").Manifest([]byte(row.text), seal.Options{})
		var e *seal.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString(head + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 8 {
		n := string(rune('1' + i))
		p := string(rune('0' + i))
		b.WriteString("a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+", ", 9) + "*a" + p + "]\n")
	}
	return b.String()
}

func TestCommentsStayUnlessTheyHoldAValue(t *testing.T) {
	r := sealed(t, `# the shop's database
apiVersion: v1
kind: Secret
metadata:
  name: db # its name
  namespace: shop
data:
  # rotate in May
  password: aHVudGVyMi1iaWc= # hunter2-big
  # encoded: aHVudGVyMi1iaWc=
  pin: MTIzNA== # is 1234.
  port: NTQzMg== # not 15432
`, seal.Options{})
	out := string(r.Out)
	for _, kept := range []string{"# the shop's database", "# rotate in May", "# not 15432"} {
		if !strings.Contains(out, kept) {
			t.Errorf("dropped %q", kept)
		}
	}
	for _, leak := range []string{"hunter2", "aHVudGVyMi1iaWc", "is 1234"} {
		if strings.Contains(out, leak) {
			t.Errorf("kept %q", leak)
		}
	}
	if len(r.Warnings) != 3 {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestCommentsStayAtTheirLines(t *testing.T) {
	text := `# c01 of the file

# c02 above apiVersion
apiVersion: v1 # c03
# c04 above kind
kind: Secret # c05
# c06 above metadata
metadata: # c07
  # c08 above name
  name: db # c09
  # c10 above namespace
  namespace: shop # c11
  # c12 above annotations
  annotations: # c13
    # c14 above an annotation
    x: y # c15
  # c16 below
# c17 above data
data: # c18
  # c19 above a
  a: eA== # c20
  # c21 below a

# c22 between

# c23 above stringData
stringData: # c24
  b: y # c25
  # c26 below b

# c27 at the end
`
	for _, text := range []string{text, strings.ReplaceAll(text, "stringData: # c24\n  b: y # c25\n  # c26 below b\n", "type: Opaque # c24 # c25 # c26\n")} {
		out := string(sealed(t, text, seal.Options{}).Out)
		for i := 1; i <= 27; i++ {
			if c := fmt.Sprintf("# c%02d", i); strings.Count(out, c) != 1 {
				t.Errorf("%s stands there %d times", c, strings.Count(out, c))
			}
		}
		for _, kept := range []string{"apiVersion: bitnami.com/v1alpha1 # c03\n", "kind: SealedSecret # c05\n", "metadata: # c07\n", "name: db # c09\n", "namespace: shop # c11\n"} {
			if !strings.Contains(out, kept) {
				t.Errorf("no %q", kept)
			}
		}
		if t.Failed() {
			t.Log(out)
		}
	}
}

func TestServerMetadataIsStripped(t *testing.T) {
	r := sealed(t, `apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
  uid: 1-2
  resourceVersion: "7"
  creationTimestamp: "2026-01-01T00:00:00Z"
  generation: 1
  selfLink: /x
  managedFields: [{manager: x}]
  ownerReferences: [{kind: X}]
  labels: {app: shop}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"data":{"a":"aHVudGVy"}}'
    sealedsecrets.bitnami.com/namespace-wide: "true"
    kept: x
type: Opaque
immutable: true
stringData: {a: hunter}
`, seal.Options{})
	var got struct {
		Metadata map[string]any
		Spec     struct{ Template map[string]any }
	}
	if err := yaml.Unmarshal(r.Out, &got); err != nil {
		t.Fatal(err)
	}
	const scope = "sealedsecrets.bitnami.com/namespace-wide"
	want := map[string]any{
		"metadata": map[string]any{
			"name": "db", "namespace": "shop", "labels": map[string]any{"app": "shop"},
			"annotations": map[string]any{"kept": "x", scope: "true"},
		},
		"type": "Opaque", "immutable": true,
	}
	if diff := cmp.Diff(want, got.Spec.Template); diff != "" {
		t.Error(diff)
	}
	annotations := got.Metadata["annotations"].(map[string]any)
	if annotations[scope] != "true" || annotations[seal.AnnotationKey] != testKeys()["x25519"].Fingerprint() || len(got.Metadata) != 3 {
		t.Errorf("metadata is %v", got.Metadata)
	}
}

func TestOtherDocumentsKeepTheirBytes(t *testing.T) {
	before := "# note\n---\napiVersion:  v1\nkind: ConfigMap # odd   spacing\nmetadata: {name:   x}\n---\n"
	after := "---\n\napiVersion: apps/v1\nkind:   Deployment\n"
	r := sealed(t, before+head+"stringData: {a: b}\n"+after, seal.Options{})
	if out := string(r.Out); !strings.HasPrefix(out, before) || !strings.HasSuffix(out, after) {
		t.Errorf("came out as:\n%s", out)
	}
	if diff := cmp.Diff([]string{"ConfigMap", "Deployment"}, r.Others); diff != "" {
		t.Error(diff)
	}
}

func TestList(t *testing.T) {
	r := sealed(t, `{"apiVersion":"v1","kind":"List","items":[
		{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"n":"1"}},
		{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"shop"},"data":{"a":"aHVudGVy"}}]}`, seal.Options{})
	var got struct {
		Kind  string
		Items []struct{ Kind string }
	}
	if err := json.Unmarshal(r.Out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "List" || len(got.Items) != 2 || got.Items[0].Kind != "ConfigMap" || got.Items[1].Kind != "SealedSecret" {
		t.Errorf("came out as %+v", got)
	}
	back, err := opener("x25519").Manifest(context.Background(), r.Out, seal.SameFormat)
	if err != nil || !strings.Contains(string(back.Out), `"a": "aHVudGVy"`) {
		t.Errorf("opened as %s, %v", back.Out, err)
	}
}

func TestLargeObjectWarns(t *testing.T) {
	r := sealed(t, head+"stringData: {a: "+strings.Repeat("x", 200<<10)+"}\n", seal.Options{})
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, "--server-side") {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestCopyElsewhereWarns(t *testing.T) {
	r := sealed(t, head+"stringData: {a: correct horse battery}\n---\napiVersion: v1\nkind: ConfigMap\ndata: {a: correct horse battery}\n", seal.Options{})
	if len(r.Warnings) != 1 || r.Warnings[0].Line != 5 || strings.Contains(r.Warnings[0].Text, "horse") {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestInputsMoveToTheSealedSecret(t *testing.T) {
	r := sealed(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop, annotations: {fuin.dev/inputs: a}}\nstringData: {a: x, b: y}\n", seal.Options{})
	if diff := cmp.Diff(map[string]string{"b": "y"}, opened(t, r.Out)); diff != "" {
		t.Error(diff)
	}
}

func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		head + "stringData: {a: b}", "{}", "---\n---\n", "a: &a [*a]", `{"kind":"List","items":[{}]}`,
		"apiVersion: v1\nkind: List\nitems: {a: b}", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: {encryptedData: {a: b}}",
		bomb(), "%YAML 1.2\n---\na: b", "a: b\n...\nc: d", "\xef\xbb\xbfa: b",
	} {
		f.Add([]byte(seed))
	}
	s := sealer(f, "x25519")
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = seal.InspectManifest(data)
		_, _ = seal.Objects(data, 100)
		_, _ = opener("x25519").Manifest(context.Background(), data, seal.YAML)
		r, err := s.Manifest(data, seal.Options{Namespace: "ns", Name: "n", AllowEmpty: true})
		if err != nil {
			return
		}
		if _, err := seal.InspectManifest(r.Out); err != nil {
			t.Errorf("what was sealed does not read: %v\n%s", err, r.Out)
		}
	})
}
