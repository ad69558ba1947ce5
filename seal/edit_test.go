package seal_test

import (
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
)

const bareHead = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"

// set sets key password to "new", and writes V for the sealed value and F for
// the fingerprint.
func set(t *testing.T, text string, target seal.Target) (string, seal.Result, error) {
	t.Helper()
	target.Key = "password"
	r, err := sealer(t, "x25519").Set([]byte(text), target, []byte("new"))
	if err != nil {
		return "", r, err
	}
	return readable(t, text, r, target), r, nil
}

func readable(t *testing.T, text string, r seal.Result, target seal.Target) string {
	t.Helper()
	obs, err := seal.Objects(r.Out, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, ob := range obs {
		if r.Objects[0] != ob.Namespace+"/"+ob.Name {
			continue
		}
		namespace := ob.Namespace
		if namespace == "" {
			namespace = target.Namespace
		}
		value, _, err := opener("x25519").Open(seal.Place{Scope: ob.Scope(), Namespace: namespace, Name: ob.Name, Key: target.Key}, ob.Values[target.Key])
		if err != nil || string(value) != "new" {
			t.Errorf("%s: opened as %q, %v", text, value, err)
		}
		return strings.NewReplacer(ob.Values[target.Key], "V", testKeys()["x25519"].Fingerprint(), "F").Replace(string(r.Out))
	}
	t.Fatal("the object is gone")
	return ""
}

// hinted is the start of a SealedSecret that needs no new annotation.
func hinted() string {
	return bareHead + "metadata: {name: db, namespace: shop, annotations: {fuin.dev/key: '" + testKeys()["x25519"].Fingerprint() + "'}}\n"
}

func TestSetKeepsTheLayout(t *testing.T) {
	for name, row := range map[string]struct{ before, after string }{
		"replaced":              {"spec:\n  encryptedData:\n    a: x # one\n    password: old # two\n    b: y\n", "spec:\n  encryptedData:\n    a: x # one\n    password: V # two\n    b: y\n"},
		"added":                 {"spec:\n  encryptedData:\n    a: x # one\n    # below\n  template: {}\n", "spec:\n  encryptedData:\n    a: x # one\n    password: V\n    # below\n  template: {}\n"},
		"added as the last":     {"spec:\n    encryptedData:\n        a: x", "spec:\n    encryptedData:\n        a: x\n        password: V"},
		"added below a block":   {"spec:\n  encryptedData:\n    a: |\n      x\n      # no comment\n\n  template: {}\n", "spec:\n  encryptedData:\n    a: |\n      x\n      # no comment\n    password: V\n\n  template: {}\n"},
		"added below a keeper":  {"spec:\n  encryptedData:\n    a: |+\n      x\n\n  template: {}\n", "spec:\n  encryptedData:\n    a: |+\n      x\n\n    password: V\n  template: {}\n"},
		"added at a keeper":     {"spec:\n  encryptedData:\n    a: |+\n      x\n\n\n", "spec:\n  encryptedData:\n    a: |+\n      x\n\n\n    password: V\n"},
		"added below folded":    {"spec:\n  encryptedData:\n    a: x y\n      z\n    b:\n", "spec:\n  encryptedData:\n    a: x y\n      z\n    b:\n    password: V\n"},
		"double quotes":         {"spec:\n  encryptedData:\n    \"password\": \"o\\\"ld\" # c\n", "spec:\n  encryptedData:\n    \"password\": \"V\" # c\n"},
		"single quotes":         {"spec:\n  encryptedData:\n    'password': 'o''ld' # c\n", "spec:\n  encryptedData:\n    'password': 'V' # c\n"},
		"quotes of a neighbour": {"spec:\n  encryptedData:\n    'a': \"x\"\n", "spec:\n  encryptedData:\n    'a': \"x\"\n    'password': \"V\"\n"},
		"literal":               {"spec:\n  encryptedData:\n    password: |- # c\n      one\n      two\n    # d\n    a: x\n", "spec:\n  encryptedData:\n    password: V # c\n    # d\n    a: x\n"},
		"folded":                {"spec:\n  encryptedData:\n    password: >2\n      one\n\n      two\n\n\n", "spec:\n  encryptedData:\n    password: V\n\n\n"},
		"lines of plain text":   {"spec:\n  encryptedData:\n    password: one\n      two\n\n      three # c\n", "spec:\n  encryptedData:\n    password: V # c\n"},
		"on the next line":      {"spec:\n  encryptedData:\n    password:\n      old\n", "spec:\n  encryptedData:\n    password:\n      V\n"},
		"without a value":       {"spec:\n  encryptedData:\n    password: # c\n    a: x\n", "spec:\n  encryptedData:\n    password: V # c\n    a: x\n"},
		"null":                  {"spec:\n  encryptedData:\n    password: ~\n", "spec:\n  encryptedData:\n    password: V\n"},
		"no encryptedData":      {"spec:\n  template:\n    metadata:\n      labels: {a: b}\n", "spec:\n  template:\n    metadata:\n      labels: {a: b}\n  encryptedData:\n    password: V\n"},
		"nothing in it":         {"spec:\n  encryptedData: # none\n  template: {}\n", "spec:\n  encryptedData: # none\n    password: V\n  template: {}\n"},
		"null in it":            {"spec:\n  encryptedData: null\n", "spec:\n  encryptedData:\n    password: V\n"},
		"empty":                 {"spec:\n  encryptedData: { } # none\n", "spec:\n  encryptedData: # none\n    password: V\n"},
		"empty with a comment":  {"spec:\n  encryptedData: { # none\n    }\n", "spec:\n  encryptedData: { # none\n    password: V}\n"},
		"no spec":               {"x: y\n", "x: y\nspec:\n  encryptedData:\n    password: V\n"},
		"empty spec":            {"spec: {}\n", "spec:\n  encryptedData:\n    password: V\n"},
		"flow":                  {"spec: {encryptedData: {a: x}, template: {}}\n", "spec: {encryptedData: {a: x, password: V}, template: {}}\n"},
		"flow replaced":         {"spec: {encryptedData: {password: old, a: x}}\n", "spec: {encryptedData: {password: V, a: x}}\n"},
		"flow empty":            {"spec: {encryptedData: {}}\n", "spec: {encryptedData: {password: V}}\n"},
		"flow null":             {"spec: {encryptedData: , template: {}}\n", "spec: {encryptedData: {password: V} , template: {}}\n"},
		"flow missing":          {"spec: {template: {a: [b, {c: d}]}}\n", "spec: {template: {a: [b, {c: d}]}, encryptedData: {password: V}}\n"},
		"flow in lines":         {"spec:\n  encryptedData: {\n    a: x, # one\n    b: y # two\n  }\n", "spec:\n  encryptedData: {\n    a: x, # one\n    b: y, # two\n    password: V\n  }\n"},
		"flow, comma behind":    {"spec:\n  encryptedData: {\n    a: x,\n  }\n", "spec:\n  encryptedData: {\n    a: x,\n    password: V,\n  }\n"},
		"tag elsewhere":         {"spec:\n  encryptedData:\n    a: !!str x\n", "spec:\n  encryptedData:\n    a: !!str x\n    password: V\n"},
		"anchor elsewhere":      {"spec:\n  encryptedData:\n    a: &x x\n    b: *x\n", "spec:\n  encryptedData:\n    a: &x x\n    b: *x\n    password: V\n"},
		"wide characters":       {"x: {\"世界\": 'é', y: 1}\nspec: {\"世界\": x, encryptedData: {a: é}}\n", "x: {\"世界\": 'é', y: 1}\nspec: {\"世界\": x, encryptedData: {a: é, password: V}}\n"},
		"directive, end":        {"spec:\n  encryptedData:\n    a: x\n...\n", "spec:\n  encryptedData:\n    a: x\n    password: V\n...\n"},
	} {
		for _, around := range []string{"", "---\nkind:   ConfigMap # x\n---\n"} {
			got, _, err := set(t, around+hinted()+row.before, seal.Target{})
			want := around + strings.ReplaceAll(hinted(), testKeys()["x25519"].Fingerprint(), "F") + row.after
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", name, err, diff)
			}
			windows := strings.ReplaceAll("\xef\xbb\xbf"+around+hinted()+row.before, "\n", "\r\n")
			got, _, err = set(t, windows, seal.Target{})
			if diff := cmp.Diff(strings.ReplaceAll("\xef\xbb\xbf"+want, "\n", "\r\n"), got); err != nil || diff != "" {
				t.Errorf("%s in CRLF: %v\n%s", name, err, diff)
			}
		}
	}
}

func TestSetInJSON(t *testing.T) {
	hint := testKeys()["x25519"].Fingerprint()
	for name, row := range map[string]struct{ before, after string }{
		"compact": {
			`{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"db","namespace":"shop"},"spec":{"encryptedData":{"a":"x"}}}`,
			`{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"db","namespace":"shop","annotations":{"fuin.dev/key":"F"}},"spec":{"encryptedData":{"a":"x","password":"V"}}}`,
		},
		"in lines": {
			"{\n  \"apiVersion\": \"bitnami.com/v1alpha1\", \"kind\": \"SealedSecret\",\n  \"metadata\": {\n    \"name\": \"db\",\n    \"namespace\": \"shop\"\n  },\n  \"spec\": {\n    \"encryptedData\": {},\n    \"n\": [1e3, true, null, \"\\ud83d\\ude00\\/\"]\n  }\n}\n",
			"{\n  \"apiVersion\": \"bitnami.com/v1alpha1\", \"kind\": \"SealedSecret\",\n  \"metadata\": {\n    \"name\": \"db\",\n    \"namespace\": \"shop\",\n    \"annotations\": {\n      \"fuin.dev/key\": \"F\"\n    }\n  },\n  \"spec\": {\n    \"encryptedData\": {\n      \"password\": \"V\"\n    },\n    \"n\": [1e3, true, null, \"\\ud83d\\ude00\\/\"]\n  }\n}\n",
		},
		"item of the second object": {
			"{\"kind\": \"X\"}\n\n {\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"kind\":\"é\"},\n\t{\"apiVersion\":\"bitnami.com/v1alpha1\",\"kind\":\"SealedSecret\",\"metadata\":{\"name\":\"db\",\"namespace\":\"shop\",\"annotations\":{\"fuin.dev/key\":\"" + hint + "\"}},\"spec\":{\"encryptedData\":{\n\t\t\"password\": null\n\t}}}]} \n",
			"{\"kind\": \"X\"}\n\n {\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"kind\":\"é\"},\n\t{\"apiVersion\":\"bitnami.com/v1alpha1\",\"kind\":\"SealedSecret\",\"metadata\":{\"name\":\"db\",\"namespace\":\"shop\",\"annotations\":{\"fuin.dev/key\":\"F\"}},\"spec\":{\"encryptedData\":{\n\t\t\"password\": \"V\"\n\t}}}]} \n",
		},
	} {
		got, _, err := set(t, row.before, seal.Target{})
		if diff := cmp.Diff(row.after, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestSetAddsTheHint(t *testing.T) {
	const values = "spec:\n  encryptedData:\n    a: x\n"
	for name, row := range map[string]struct{ before, after string }{
		"no annotations":  {"metadata:\n    name: db\n    labels: # c\n        a: b\n", "metadata:\n    name: db\n    labels: # c\n        a: b\n    annotations:\n        fuin.dev/key: F\n"},
		"none of them":    {"metadata:\n  annotations:\n    # c\n    a: \"b\"\n  name: db\n", "metadata:\n  annotations:\n    # c\n    a: \"b\"\n    fuin.dev/key: \"F\"\n  name: db\n"},
		"empty ones":      {"metadata:\n  annotations: {}\n  name: db\n", "metadata:\n  annotations:\n    fuin.dev/key: F\n  name: db\n"},
		"of another key":  {"metadata: {annotations: {fuin.dev/key: one}, name: db}\n", "metadata: {annotations: {fuin.dev/key: \"one,F\"}, name: db}\n"},
		"null":            {"metadata: {annotations: {fuin.dev/key: }, name: db}\n", "metadata: {annotations: {fuin.dev/key: F }, name: db}\n"},
		"of two, quoted":  {"metadata:\n  annotations:\n    fuin.dev/key: 'one, two' # c\n  name: db\n", "metadata:\n  annotations:\n    fuin.dev/key: 'one, two,F' # c\n  name: db\n"},
		"in flow":         {"metadata: {name: db}\n", "metadata: {name: db, annotations: {fuin.dev/key: F}}\n"},
		"long, in a list": {"metadata:\n  name: db\n  annotations:\n    fuin.dev/key: >-\n      one,\n      two\n", "metadata:\n  name: db\n  annotations:\n    fuin.dev/key: \"one, two,F\"\n"},
	} {
		got, _, err := set(t, bareHead+row.before+values, seal.Target{Namespace: "shop"})
		if diff := cmp.Diff(bareHead+row.after+values+"    password: V\n", got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestUnsetKeepsTheLayout(t *testing.T) {
	for name, row := range map[string]struct{ before, after string }{
		"first":               {"spec:\n  encryptedData:\n    # kept\n    password: x # gone\n    b: y\n", "spec:\n  encryptedData:\n    # kept\n    b: y\n"},
		"last":                {"spec:\n  encryptedData:\n    b: y # kept\n    password: x\n  template: {}\n", "spec:\n  encryptedData:\n    b: y # kept\n  template: {}\n"},
		"at the end":          {"spec:\n  encryptedData:\n    b: y\n    password: x", "spec:\n  encryptedData:\n    b: y\n"},
		"block":               {"spec:\n  encryptedData:\n    password: |\n      x\n      y\n    b: y\n", "spec:\n  encryptedData:\n    b: y\n"},
		"mapping":             {"spec:\n  encryptedData:\n    password:\n      x: [y,\n      z]\n    b: y\n", "spec:\n  encryptedData:\n    b: y\n"},
		"only one":            {"spec:\n  encryptedData: # kept\n    password: x\n  template: {}\n", "spec:\n  encryptedData: {} # kept\n  template: {}\n"},
		"flow":                {"spec: {encryptedData: {a: x, password: y, b: z}}\n", "spec: {encryptedData: {a: x, b: z}}\n"},
		"flow, last":          {"spec: {encryptedData: {a: x, password: y}}\n", "spec: {encryptedData: {a: x}}\n"},
		"flow, only":          {"spec: {encryptedData: { password: y, }}\n", "spec: {encryptedData: {}}\n"},
		"flow in lines":       {"spec: {encryptedData: {\n  a: x, # kept\n  password: y # gone\n}}\n", "spec: {encryptedData: {\n  a: x # kept\n}}\n"},
		"flow in lines first": {"spec: {encryptedData: {\n  \"password\": y, # gone\n  a: x # kept\n}}\n", "spec: {encryptedData: {\n  a: x # kept\n}}\n"},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			text := strings.ReplaceAll(hinted()+row.before, "\n", eol)
			r, err := seal.Unset([]byte(text), seal.Target{Key: "password"})
			if diff := cmp.Diff(strings.ReplaceAll(hinted()+row.after, "\n", eol), string(r.Out)); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", name, err, diff)
			}
		}
	}
	const object = `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"db"},"spec":{"encryptedData":`
	r, err := seal.Unset([]byte(object+"{\n \"a\": \"x\",\n \"password\": \"y\"\n}}}"), seal.Target{Key: "password"})
	if diff := cmp.Diff(object+"{\n \"a\": \"x\"\n}}}", string(r.Out)); err != nil || diff != "" {
		t.Errorf("JSON: %v\n%s", err, diff)
	}
}

func TestRefusedEdits(t *testing.T) {
	const meta = "metadata: {name: db, namespace: shop}\n"
	for name, row := range map[string]struct{ text, want string }{
		"alias":            {bareHead + meta + "x: &x old\nspec:\n  encryptedData:\n    password: *x\n", `line 7: SealedSecret shop/db: key "password": an alias (*) stands`},
		"anchor":           {bareHead + meta + "spec: {encryptedData: {password: &x old}}\n", "line 4: SealedSecret shop/db: key \"password\": an anchor (&)"},
		"tag":              {bareHead + meta + "spec: {encryptedData: {password: !!str old}}\n", "a tag (!)"},
		"anchor above":     {bareHead + meta + "spec: &x {encryptedData: {password: old}}\n", "an anchor (&)"},
		"alias above":      {bareHead + meta + "x: &x {encryptedData: {password: old}}\nspec: *x\n", "an alias (*)"},
		"merge":            {bareHead + meta + "x: &x {password: old}\nspec: {encryptedData: {<<: *x}}\n", "a merge key (<<)"},
		"merge at the top": {"x: &x {kind: SealedSecret}\n<<: *x\napiVersion: bitnami.com/v1\n" + meta, "a merge key (<<)"},
		"item is an alias": {"x: &x {apiVersion: bitnami.com/v1, kind: SealedSecret, metadata: {name: db, namespace: shop}}\nkind: List\nitems: [*x]\n", "an alias (*)"},
		"mapping":          {bareHead + meta + "spec:\n  encryptedData:\n    password:\n      old: x\n", `line 7: SealedSecret shop/db: key "password": a mapping stands`},
		"no mapping":       {bareHead + meta + "spec: {encryptedData: old}\n", "text stands where the change belongs"},
		"older format":     {bareHead + meta + "spec: {data: hunter2}\n", "line 1: SealedSecret shop/db: of the older format"},
		"no namespace":     {bareHead + "metadata: {name: db}\n", "line 1: SealedSecret db: no namespace"},
		"no name":          {bareHead + "metadata: {namespace: shop}\n", "no name"},
		"template":         {bareHead + "metadata: {name: '{{ .x }}', namespace: shop}\n", "its name is a Helm or Go template"},
		"Secret":           {head + "stringData: {a: hunter2}\n", "no SealedSecret; found Secret"},
		"without a colon":  {bareHead + meta + "spec: {encryptedData: {password}}\n", "the way it is written cannot be changed safely"},
		"explicit key":     {bareHead + meta + "spec:\n  encryptedData:\n    ? password\n", "the way it is written cannot be changed safely"},
		"pair without {}":  {"kind: List\nitems: [kind: List, {apiVersion: bitnami.com/v1, kind: SealedSecret, metadata: {name: db, namespace: a}}, {apiVersion: bitnami.com/v1, kind: SealedSecret, metadata: {name: db}}]\n", "2 SealedSecrets: a/db, db"},
		"block at the end": {bareHead + meta + "spec:\n  encryptedData:\n    a: |\n      x", "the way it is written cannot be changed safely"},
	} {
		_, err := sealer(t, "x25519").Set([]byte(row.text), seal.Target{Key: "password"}, []byte("hunter3"))
		var e *seal.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), row.want) || e.Hint() == "" {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		} else if strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
}

func TestTargetChooses(t *testing.T) {
	file := strings.Join([]string{
		bareHead + "metadata: {name: a, namespace: x}\n", bareHead + "metadata: {name: a, namespace: y}\n",
		"kind: List\nitems:\n- " + strings.ReplaceAll(bareHead, "\n", "\n  ") + "metadata: {name: b}\n",
	}, "---\n")
	for _, row := range []struct {
		target seal.Target
		want   string // the object, or a part of the error
	}{
		{seal.Target{Name: "a", Namespace: "y"}, "y/a"},
		{seal.Target{Name: "b", Namespace: "z"}, "/b"},
		{seal.Target{}, "3 SealedSecrets: x/a, y/a, b"},
		{seal.Target{Name: "a"}, "2 SealedSecrets: x/a, y/a"},
		{seal.Target{Namespace: "y"}, "2 SealedSecrets: y/a, b"},
		{seal.Target{Name: "c"}, "no SealedSecret of that name and namespace"},
		{seal.Target{Name: "a", Namespace: "z"}, "no SealedSecret of that name and namespace"},
	} {
		row.target.Key = "password"
		r, err := sealer(t, "x25519").Set([]byte(file), row.target, []byte("new"))
		switch {
		case err != nil && !strings.Contains(err.Error(), row.want):
			t.Errorf("%+v: %v, want %q", row.target, err, row.want)
		case err == nil && (len(r.Objects) != 1 || r.Objects[0] != row.want):
			t.Errorf("%+v: chose %v, want %q", row.target, r.Objects, row.want)
		}
	}
	_, err := seal.Unset([]byte(bareHead+"metadata: {name: a, namespace: x}\nspec: {encryptedData: {a: x, b: y}}\n"), seal.Target{Key: "c", Namespace: "y"})
	if err == nil || !strings.Contains(err.Error(), `its namespace is "x", not "y"`) {
		t.Errorf("another namespace: %v", err)
	}
}

func TestUnsetOfAKeyThatIsNotThere(t *testing.T) {
	_, err := seal.Unset([]byte(hinted()+"spec: {encryptedData: {b: x, a: y}}\n"), seal.Target{Key: "c"})
	var e *seal.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), `SealedSecret shop/db: it has no key "c"`) || e.Hint() != `its keys: "a", "b"` {
		t.Errorf("%v", err)
	}
}

func TestSetWarns(t *testing.T) {
	for name, row := range map[string]struct {
		value, text string
		line        int
		warning     string
	}{
		"comment":           {"hunter2", hinted() + "spec:\n  encryptedData: {} # was hunter2\n", 5, "a comment holds the value"},
		"short word":        {"1234", hinted() + "# pin=1234\n", 7, "a comment holds the value"},
		"part of a word":    {"1234", hinted() + "# 01234\n", 0, ""},
		"of another object": {"hunter2", "# hunter2 above\n---\n" + hinted(), 1, "a comment holds the value"},
		"annotation":        {"postgres", "kind: ConfigMap\nmetadata: {annotations: {a: x-postgres}}\n---\n" + hinted(), 2, "stands in plain elsewhere"},
		"template":          {"hunter2", hinted() + "spec: {template: {data: {password: x}}}\n", 1, "is also a template"},
		"braces":            {"{{ .x }}", hinted(), 1, "never rendered"},
	} {
		r, err := sealer(t, "x25519").Set([]byte(row.text), seal.Target{Key: "password"}, []byte(row.value))
		switch {
		case err != nil || len(r.Warnings) > 1 || len(r.Warnings) > 0 != (row.line > 0):
			t.Errorf("%s: %v, %v", name, r.Warnings, err)
		case row.line > 0 && (r.Warnings[0].Line != row.line || !strings.Contains(r.Warnings[0].Text, row.warning)):
			t.Errorf("%s: %v", name, r.Warnings)
		}
	}
}
