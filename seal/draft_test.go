package seal_test

import (
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
)

// shownBy shows all that a key opens.
func shownBy(names ...string) func(seal.Value) ([]byte, bool) {
	o := opener(names...)
	return func(v seal.Value) ([]byte, bool) {
		plain, _, err := o.Open(v.At, v.Sealed)
		return plain, err == nil
	}
}

func draft(t *testing.T, text string, show func(seal.Value) ([]byte, bool)) *seal.Draft {
	t.Helper()
	d, err := seal.NewDraft([]byte(text), show)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// openedValues are the values of a file by NAME/KEY.
func openedValues(t *testing.T, text string, names ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, ob := range objects(t, []byte(text)) {
		for key, sealed := range ob.Values {
			plain, _, err := opener(names...).Open(ob.Place(key), sealed)
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
			out[ob.Name+"/"+key] = string(plain)
		}
	}
	return out
}

// Editing what a generated file shows changes that, and no other byte; edited
// back, and with the same values, it is the old file.
func TestEditingGeneratedFiles(t *testing.T) {
	generate(t, func(t *testing.T, g *generator, f generated) {
		for _, show := range []func(seal.Value) ([]byte, bool){nil, shownBy("x25519")} {
			d := draft(t, f.text, show)
			for key, value := range f.open {
				if show != nil && !strings.Contains(string(d.Text), value) {
					t.Errorf("%s is not shown", key)
				}
			}
			if len(comments(string(d.Text))) != len(comments(f.text)) {
				t.Error("a comment is gone")
			}
			again, err := d.Seal(d.Text, g.sealer, seal.DraftOptions{})
			if err != nil || string(again.Out) != f.text {
				t.Errorf("not edited: %v\n%s", err, again.Out)
			}
			// A comment more: values stay as they were, in their layout.
			noted, err := d.Seal(append([]byte("# note\n"), d.Text...), g.sealer, seal.DraftOptions{})
			if err != nil || string(noted.Out) != "# note\n"+f.text {
				t.Errorf("a note: %v\n%s", err, noted.Out)
			}
			g.editOne(t, f, d)
		}
	})
}

// editOne writes one value anew.
func (g *generator) editOne(t *testing.T, f generated, d *seal.Draft) {
	lines := strings.SplitAfter(string(d.Text), "\n")
	name, key := "", ""
	for i, at := range g.Perm(len(lines)) {
		if name = placeholderKey(lines, at); name != "" {
			lines[at] = strings.Replace(lines[at], seal.Placeholder, "new", 1)
			key = name
			break
		}
		if i == len(lines)-1 {
			return // all are shown
		}
	}
	r, err := d.Seal([]byte(strings.Join(lines, "")), g.sealer, seal.DraftOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before, after := sealedValues(t, f.text), sealedValues(t, string(r.Out))
	changed := 0
	for at, sealed := range after {
		if before[at] != sealed {
			changed++
			if !strings.HasSuffix(at, "/"+key) || openedValues(t, string(r.Out), "x25519")[at] != "new" {
				t.Errorf("%s changed", at)
			}
		}
	}
	if changed != 1 || len(before) != len(after) || len(comments(string(r.Out))) != len(comments(f.text)) {
		t.Errorf("%d values changed:\n%s", changed, r.Out)
	}
	if !isSubsequence([]byte(withoutValues(t, f.text)), []byte(withoutValues(t, string(r.Out)))) {
		t.Errorf("came out as\n%s", r.Out)
	}
}

// placeholderKey is the key of a line with a placeholder.
func placeholderKey(lines []string, at int) string {
	if !strings.Contains(lines[at], seal.Placeholder) {
		return ""
	}
	key, _, ok := strings.Cut(lines[at], ":")
	if !ok { // the key stands in the line above
		key, _, _ = strings.Cut(lines[at-1], ":")
	}
	return strings.Trim(strings.TrimSpace(key), `"'`)
}

func editedAs(t *testing.T, text string, show func(seal.Value) ([]byte, bool), o seal.DraftOptions, oldNew ...string) (string, error) {
	t.Helper()
	d := draft(t, text, show)
	r, err := d.Seal([]byte(strings.NewReplacer(oldNew...).Replace(string(d.Text))), sealer(t, "x25519"), o)
	return string(r.Out), err
}

func sealedAt(t *testing.T, key, value string) string {
	at := home
	at.Key = key
	return valueAt(t, at, value, "x25519")
}

func TestEditing(t *testing.T) {
	text := hinted() + "spec:\n  encryptedData:\n    a: " + sealedAt(t, "a", "one") + " # of a\n    b: |-\n      " + sealedAt(t, "b", "two\nlines\n") + "\n"
	for name, row := range map[string]struct {
		show   func(seal.Value) ([]byte, bool)
		edit   []string
		want   map[string]string
		keeps  []string // keys whose sealed bytes stay
		layout string   // without values
	}{
		"a value, with a placeholder": {nil, []string{"a: <sealed>", "a: new"}, map[string]string{"db/a": "new", "db/b": "two\nlines\n"}, []string{"b"}, ""},
		"a value that is shown":       {shownBy("x25519"), []string{"a: one", "a: 5432"}, map[string]string{"db/a": "5432", "db/b": "two\nlines\n"}, []string{"b"}, ""},
		"a line of a shown block":     {shownBy("x25519"), []string{"      two\n", "      2\n"}, map[string]string{"db/a": "one", "db/b": "2\nlines\n"}, []string{"a"}, ""},
		"added and removed": {
			nil, []string{"    a: <sealed> # of a\n", "    # of c\n    c: |\n      x\n      y\n"},
			map[string]string{"db/b": "two\nlines\n", "db/c": "x\ny\n"}, []string{"b"},
			hinted() + "spec:\n  encryptedData:\n    # of c\n    c: V\n    b: V\n",
		},
		"empty":                   {nil, []string{"a: <sealed>", `a: ""`}, map[string]string{"db/a": "", "db/b": "two\nlines\n"}, []string{"b"}, ""},
		"binary":                  {nil, []string{"a: <sealed>", `a: !!binary AAE=`}, map[string]string{"db/a": "\x00\x01", "db/b": "two\nlines\n"}, []string{"b"}, ""},
		"renamed, with its value": {shownBy("x25519"), []string{"    a: one", "    c: one"}, map[string]string{"db/c": "one", "db/b": "two\nlines\n"}, []string{"b"}, ""},
		"metadata and comments":   {nil, []string{"# of a", "# A", "spec:\n", "# s\nspec:\n"}, map[string]string{"db/a": "one", "db/b": "two\nlines\n"}, []string{"a", "b"}, ""},
		"a sealed value":          {nil, []string{"a: <sealed>", "a: " + sealedAt(t, "a", "pasted")}, map[string]string{"db/a": "pasted", "db/b": "two\nlines\n"}, []string{"b"}, ""},
	} {
		got, err := editedAs(t, text, row.show, seal.DraftOptions{}, row.edit...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(row.want, openedValues(t, got, "x25519")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		before, after := sealedValues(t, text), sealedValues(t, got)
		for _, key := range row.keeps {
			if before["db/"+key] != after["db/"+key] {
				t.Errorf("%s: %s was sealed again", name, key)
			}
		}
		if row.layout != "" && withoutValues(t, got) != row.layout {
			t.Errorf("%s: came out as\n%s", name, withoutValues(t, got))
		}
	}
}

// A value can be moved where it opens, and else only with a key.
func TestEditingMoves(t *testing.T) {
	wide := func(scope seal.Scope) string {
		at := seal.Place{Scope: scope, Namespace: "shop", Name: "db", Key: "a"}
		return bareHead + "metadata: {name: db, namespace: shop, annotations: {sealedsecrets.bitnami.com/" + string(scope) + ": \"true\", fuin.dev/key: " + testKeys()["x25519"].Fingerprint() + "}}\n" +
			"spec: {encryptedData: {a: " + valueAt(t, at, "one", "x25519") + "}}\n"
	}
	open := seal.DraftOptions{Open: shownBy("x25519")}
	for name, row := range map[string]struct {
		text    string
		options seal.DraftOptions
		edit    []string
		refused string
		kept    bool
	}{
		"strict, another key":           {wide(seal.Strict), seal.DraftOptions{}, []string{"a: <", "b: <"}, `key "b": its sealed value opens only where it stood`, false},
		"strict, by its old name":       {wide(seal.Strict), open, []string{"a: <sealed>", "b: <sealed a>"}, "", false},
		"strict, another object":        {wide(seal.Strict), seal.DraftOptions{}, []string{"name: db", "name: other"}, "opens only where it stood", false},
		"strict, another object opened": {wide(seal.Strict), open, []string{"name: db", "name: other"}, "", false},
		"another key in its namespace":  {wide(seal.NamespaceWide), seal.DraftOptions{}, []string{"a: <", "b: <"}, "", true},
		"another name in its namespace": {wide(seal.NamespaceWide), seal.DraftOptions{}, []string{"name: db", "name: other"}, "", true},
		"another namespace":             {wide(seal.NamespaceWide), seal.DraftOptions{}, []string{"namespace: shop", "namespace: other"}, "opens only where it stood", false},
		"anywhere":                      {wide(seal.ClusterWide), seal.DraftOptions{}, []string{"name: db, namespace: shop", "name: x, namespace: y"}, "", true},
		"another scope":                 {wide(seal.ClusterWide), seal.DraftOptions{}, []string{"cluster-wide", "namespace-wide"}, "opens only where it stood", false},
		"another scope, opened":         {wide(seal.ClusterWide), open, []string{"cluster-wide", "namespace-wide"}, "", false},
	} {
		got, err := editedAs(t, row.text, nil, row.options, row.edit...)
		if row.refused != "" {
			var refused *seal.Error
			if err == nil || !strings.Contains(err.Error(), row.refused) || !errors.As(err, &refused) || refused.Hint() == "" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, value := range openedValues(t, got, "x25519") {
			if value != "one" {
				t.Errorf("%s: opened as %q", name, value)
			}
		}
		for _, sealed := range sealedValues(t, row.text) {
			if strings.Contains(got, sealed) != row.kept {
				t.Errorf("%s: kept %v", name, !row.kept)
			}
		}
	}
}

func TestEditingRefuses(t *testing.T) {
	text := hinted() + "spec:\n  encryptedData:\n    a: " + sealedAt(t, "a", "one") + "\n    b: " + sealedAt(t, "b", "two") + "\n"
	for name, row := range map[string]struct {
		edit []string
		want string
	}{
		"no value":             {[]string{"a: <sealed>", "a:"}, `line 6: SealedSecret shop/db: key "a" has no value`},
		"a list":               {[]string{"a: <sealed>", "a: [canary]"}, `line 6: SealedSecret shop/db: key "a": a sequence, not text`},
		"an alias":             {[]string{"a: <sealed>", "a: &x canary", "b: <sealed>", "b: *x"}, `line 7: SealedSecret shop/db: key "b": an alias or a merge key stands where its value belongs`},
		"which one is meant":   {[]string{"a: <sealed>", "c: <sealed>", "b: <sealed>", "d: <sealed>"}, `line 6: SealedSecret shop/db: key "c": no sealed value stood there`},
		"one that never was":   {[]string{"a: <sealed>", "a: <sealed canary>"}, `line 6: SealedSecret shop/db: key "a": no value stood behind the key that its placeholder names`},
		"no key of a Secret":   {[]string{"a: <sealed>", "a/b: canary"}, `line 6: SealedSecret shop/db: "a/b" is no key of a Secret`},
		"no YAML":              {[]string{"a: <sealed>", "a: \"canary"}, "line 6: no YAML"},
		"twice":                {[]string{"b: <sealed>", "a: canary"}, `line 7: key "a" stands twice`},
		"nothing left of it":   {[]string{"SealedSecret", "ConfigMap"}, "no SealedSecret; found ConfigMap"},
		"a base64 that is not": {[]string{"a: <sealed>", "a: !!binary canary!"}, `line 6: SealedSecret shop/db: key "a": not base64, which !!binary asks for`},
	} {
		_, err := editedAs(t, text, nil, seal.DraftOptions{}, row.edit...)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: quotes a value: %v", name, err)
		}
	}
}
