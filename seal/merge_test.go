package seal_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
)

// byGit merges lines as git does.
func byGit(t *testing.T) func(base, ours, theirs []byte) ([]byte, bool, error) {
	t.Helper()
	dir := t.TempDir()
	return func(base, ours, theirs []byte) ([]byte, bool, error) {
		args := []string{"merge-file", "-p", "-q", "-L", "ours", "-L", "base", "-L", "theirs"}
		for name, data := range map[string][]byte{"base": base, "ours": ours, "theirs": theirs} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				return nil, false, err
			}
		}
		for _, name := range []string{"ours", "base", "theirs"} {
			args = append(args, filepath.Join(dir, name))
		}
		out, err := exec.Command("git", args...).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < 128 {
			return out, true, nil
		}
		return out, false, err
	}
}

func merger(t *testing.T) seal.Merge {
	return seal.Merge{Lines: byGit(t), OursName: "ours", TheirsName: "theirs"}
}

const mergeHead = bareHead + "metadata:\n  name: db\n  namespace: shop\n  annotations:\n    fuin.dev/key: one\n"

func TestMergingKeyByKey(t *testing.T) {
	base := mergeHead + "spec:\n  encryptedData:\n    # of a\n    a: A1\n    b: \"B1\" # of b\n    c: C1\n  template:\n    type: Opaque\n"
	change := func(oldNew ...string) string { return strings.NewReplacer(oldNew...).Replace(base) }
	for name, row := range map[string]struct {
		base, ours, theirs, want string
		conflicts                []string
	}{
		"neighbours": {base, change("A1", "A2"), change("B1", "B2"), change("A1", "A2", "B1", "B2"), nil},
		"added at one place": {
			base, change("    c: C1\n", "    c: C1\n    x: X\n"), change("    c: C1\n", "    c: C1\n    # of y\n    y: Y\n"),
			change("    c: C1\n", "    c: C1\n    # of y\n    y: Y\n    x: X\n"), nil,
		},
		"removed and rewritten beside it": {base, change("    # of a\n    a: A1\n", ""), change("B1", "B2"), change("    # of a\n    a: A1\n", "", "B1", "B2"), nil},
		"the same on both sides":          {base, change("A1", "A2"), change("A1", "A2"), change("A1", "A2"), nil},
		"a comment and its value":         {base, change("# of a", "# of A"), change("A1", "A2"), change("# of a", "# of A", "A1", "A2"), nil},
		"metadata and values":             {base, change("Opaque", "x/y"), change("C1", "C2"), change("Opaque", "x/y", "C1", "C2"), nil},
		"hints":                           {base, change("key: one", "key: one,two"), change("key: one", "key: one,three"), change("key: one", "key: one,two,three"), nil},
		"hints that were replaced":        {base, change("key: one", "key: two"), change("key: one", "key: one,three"), change("key: one", "key: two,three"), nil},
		"all removed, one added": {
			change("    # of a\n    a: A1\n    b: \"B1\" # of b\n", ""), change("    # of a\n    a: A1\n    b: \"B1\" # of b\n    c: C1\n", "", "encryptedData:\n", "encryptedData: {}\n"),
			change("    # of a\n    a: A1\n", ""), change("    # of a\n    a: A1\n", "", "    c: C1\n", ""), nil,
		},
		"both rewrote": {
			base, change("A1", "A2", "C1", "C2"), change("A1", "A3"),
			change("    a: A1\n", "<<<<<<< ours\n    a: A2\n=======\n    a: A3\n>>>>>>> theirs\n", "C1", "C2"), []string{`shop/db key "a"`},
		},
		"removed here, rewritten there": {
			base, change("    # of a\n    a: A1\n", ""), change("A1", "A3"),
			change("    # of a\n    a: A1\n", "<<<<<<< ours\n=======\n    a: A3\n>>>>>>> theirs\n"), []string{`shop/db key "a"`},
		},
		"another document": {base, base + "---\nkind: A\n", "# top\n" + base, "# top\n" + base + "---\nkind: A\n", nil},
		"documents on both sides": {
			base, base + "---\nkind: A\n", "---\nkind: B\n---\n" + base, "---\nkind: B\n---\n" + base + "---\nkind: A\n", nil,
		},
		"an object of both": {"", base, base, base, nil},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			as := func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", eol)) }
			got, err := merger(t).Files(as(row.base), as(row.ours), as(row.theirs))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if diff := cmp.Diff(string(as(row.want)), string(got.Out)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if diff := cmp.Diff(row.conflicts, got.Conflicts); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestMergingListsItemByItem(t *testing.T) {
	item := func(name, values string) string {
		return "- apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: " + name + ", namespace: shop}\n  spec:\n    encryptedData:\n" + values
	}
	base := "apiVersion: v1\nkind: List\nitems:\n# of db\n" + item("db", "      a: A1\n      b: B1 # of b\n") + item("api", "      a: A1\n") + "- kind: ConfigMap\n  data: {a: b}\n"
	change := func(oldNew ...string) string { return strings.NewReplacer(oldNew...).Replace(base) }
	first := "- apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: db, namespace: shop}\n"
	for name, row := range map[string]struct {
		ours, theirs, want string
		conflicts          []string
	}{
		"neighbours":      {change("a: A1\n      b", "a: A2\n      b"), change("B1", "B2"), change("a: A1\n      b", "a: A2\n      b", "B1", "B2"), nil},
		"items":           {change("B1", "B2"), change("- kind: ConfigMap\n  data: {a: b}\n", ""), change("B1", "B2", "- kind: ConfigMap\n  data: {a: b}\n", ""), nil},
		"added and added": {base + item("x", "      x: X\n"), base + item("y", "      y: Y\n"), base + item("y", "      y: Y\n") + item("x", "      x: X\n"), nil},
		"all removed":     {"apiVersion: v1\nkind: List\nitems: []\n", base, "apiVersion: v1\nkind: List\nitems: []\n", nil},
		"both rewrote": {
			change("B1", "B2"), change("B1", "B3"),
			change("      b: B1 # of b\n", "<<<<<<< ours\n      b: B2 # of b\n=======\n      b: B3 # of b\n>>>>>>> theirs\n"), []string{`shop/db key "b"`},
		},
		"the dash on a line of its own": {
			change("- apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: db", "-\n  apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: db"), change("B1", "B2"),
			change("- apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: db", "-\n  apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: db", "B1", "B2"), nil,
		},
		"another first entry": {
			change(first, "- kind: SealedSecret\n  apiVersion: bitnami.com/v1alpha1\n  metadata: {name: db, namespace: shop}\n"), change("B1", "B2"),
			change(first, "- kind: SealedSecret\n  apiVersion: bitnami.com/v1alpha1\n  metadata: {name: db, namespace: shop}\n", "B1", "B2"), nil,
		},
	} {
		got, err := merger(t).Files([]byte(base), []byte(row.ours), []byte(row.theirs))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(row.want, string(got.Out)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(row.conflicts, got.Conflicts); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMergingJSONKeyByKey(t *testing.T) {
	object := func(values ...string) string {
		return "{\n  \"kind\": \"SealedSecret\",\n  \"apiVersion\": \"bitnami.com/v1alpha1\",\n  \"metadata\": {\n    \"name\": \"db\",\n    \"annotations\": {\"fuin.dev/key\": \"one\"}\n  },\n" +
			"  \"spec\": {\n    \"encryptedData\": {\n      " + strings.Join(values, ",\n      ") + "\n    }\n  }\n}\n"
	}
	a1, a2, a3, b1, b2, c := `"a": "A1"`, `"a": "A2"`, `"a": "A3"`, `"b": "B1"`, `"b": "B2"`, `"c": "C"`
	base := object(a1, b1)
	list := func(object string) string {
		return "{\n  \"apiVersion\": \"v1\",\n  \"items\": [\n    {\"kind\": \"ConfigMap\"},\n    " + strings.TrimSpace(strings.ReplaceAll(object, "\n", "\n    ")) + "\n  ],\n  \"kind\": \"List\"\n}\n"
	}
	conflict := func(ours, theirs string) string {
		return "<<<<<<< ours\n" + ours + "=======\n" + theirs + ">>>>>>> theirs\n"
	}
	for name, row := range map[string]struct {
		base, ours, theirs, want string
		conflicts                []string
	}{
		"neighbours":           {base, object(a2, b1), object(a1, b2), object(a2, b2), nil},
		"the last one removed": {base, object(a1), object(a2, b1), object(a2), nil},
		"added and removed":    {base, object(a1, b1, c), object(b1), object(b1, c), nil},
		"of none":              {strings.Replace(base, "      "+a1+",\n      "+b1+"\n    }", "    }", 1), strings.Replace(base, "{\n      "+a1+",\n      "+b1+"\n    }", "{}", 1), object(a1), object(a1), nil},
		"hints": {
			base, strings.Replace(base, "one\"", "one,two\"", 1), strings.Replace(object(a2, b1), "one\"", "three\"", 1), "",
			[]string{"db metadata.annotations"},
		},
		"both rewrote": {
			base, object(a2, b1), object(a3, b2),
			strings.Replace(object(a1, b2), "      "+a1+",\n", conflict("      "+a2+",\n", "      "+a3+",\n"), 1), []string{`db key "a"`},
		},
		"both rewrote the last": {
			object(b1, a1), object(b1, a2), object(b1, a3),
			strings.Replace(object(b1, a1), "      "+a1+"\n", conflict("      "+a2+"\n", "      "+a3+"\n"), 1), []string{`db key "a"`},
		},
		"the last removed here, rewritten there": {
			object(b1, a1), object(b1), object(b2, a2),
			strings.Replace(object(a1, b2), "      "+a1+",\n", conflict("", "      "+a2+",\n"), 1), []string{`db key "a"`},
		},
	} {
		for _, as := range []func(string) string{func(s string) string { return s }, list} {
			got, err := merger(t).Files([]byte(as(row.base)), []byte(as(row.ours)), []byte(as(row.theirs)))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want := as(row.want)
			if len(row.conflicts) > 0 { // markers stand at the begin of a line
				for _, marker := range []string{"<<<<<<<", "=======", ">>>>>>>"} {
					want = strings.ReplaceAll(want, "    "+marker, marker)
				}
			}
			if diff := cmp.Diff(want, string(got.Out)); row.want != "" && diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if diff := cmp.Diff(row.conflicts, got.Conflicts); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

// What lines make of files that are not to be merged entry by entry is taken if
// it holds what the sides have.
func TestMergingByLines(t *testing.T) {
	flow := func(a, b string) string {
		return "{\"apiVersion\": \"bitnami.com/v1alpha1\", \"kind\": \"SealedSecret\", \"metadata\": {\"name\": \"db\"},\n\"spec\": {\"encryptedData\": {\"a\": \"" + a + "\"\n\n\n\n" + b + "}}}\n"
	}
	for name, row := range map[string]struct{ base, ours, theirs, want string }{
		"no manifests":     {"{{ a }}\n", "{{ b }}\n", "{{ a }}\n", "{{ b }}\n"},
		"they go together": {flow("A", ", \"b\": \"B\""), flow("A2", ", \"b\": \"B\""), flow("A", ", \"b\": \"B2\""), flow("A2", ", \"b\": \"B2\"")},
		"they do not": {
			flow("A", ", \"b\": \"B\""), flow("A\", \"c\": \"C", ", \"b\": \"B\""), flow("A", ", \"b\": \"B\", \"c\": \"D\""), "",
		},
	} {
		m := merger(t)
		got, err := m.ByLines([]byte(row.base), []byte(row.ours), []byte(row.theirs))
		if err != nil || row.want != "" && string(got.Out) != row.want || (row.want == "") != (len(got.Conflicts) > 0) {
			t.Errorf("%s: %v %v\n%s", name, err, got.Conflicts, got.Out)
		}
		if len(got.Conflicts) > 0 && (choose(string(got.Out), "ours") != row.ours || choose(string(got.Out), "theirs") != row.theirs) {
			t.Errorf("%s: between markers stand not the sides:\n%s", name, got.Out)
		}
	}
}

// What is not written entry by entry is left to Git.
func TestUnmergeable(t *testing.T) {
	good := mergeHead + "spec:\n  encryptedData:\n    a: A\n"
	for name, bad := range map[string]string{
		"no manifest":     "{{ if x }}\n" + good,
		"other kinds":     "kind: ConfigMap\n",
		"several of JSON": `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"db"}}{"kind":"A"}`,
		"the same twice":  good + "---\n" + good,
	} {
		if _, err := merger(t).Files([]byte(bad), []byte(bad), []byte(bad)); !errors.Is(err, seal.ErrUnmergeable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	flow := bareHead + "metadata: {name: db}\nspec: {encryptedData: {a: A, b: B}}\n"
	got, err := merger(t).Files([]byte(flow), []byte(strings.Replace(flow, "a: A", "a: C", 1)), []byte(strings.Replace(flow, "b: B", "b: D", 1)))
	if err != nil || len(got.Conflicts) != 1 || !strings.Contains(string(got.Out), "<<<<<<< ours\nspec: {encryptedData: {a: C, b: B}}\n") {
		t.Errorf("%v, %v\n%s", err, got.Conflicts, got.Out)
	}
}

// Whatever is merged, nothing panics, and what comes out without a conflict
// holds what the sides have.
func FuzzMerge(f *testing.F) {
	list := "kind: List\nitems:\n- apiVersion: bitnami.com/v1alpha1\n  kind: SealedSecret\n  metadata: {name: db, annotations: {fuin.dev/key: one}}\n  spec:\n    encryptedData:\n      a: A\n-\n  kind: A\n"
	f.Add(list, strings.Replace(list, "a: A", "a: B", 1), strings.Replace(list, "a: A", "a: A\n      b: B", 1))
	json := "{\n\"kind\": \"List\", \"items\": [\n{\n\"apiVersion\": \"bitnami.com/v1alpha1\",\n\"kind\": \"SealedSecret\",\n\"spec\": {\n\"encryptedData\": {\n\"a\": \"A\"\n}\n}\n}\n]\n}\n"
	f.Add(json, strings.Replace(json, "\"A\"", "\"B\"", 1), strings.Replace(json, "\"A\"", "\"A\",\n\"b\": \"B\"", 1))
	object := mergeHead + "spec:\n  encryptedData:\n    a: A\n"
	f.Add(object, object+"    b: B\n", strings.Replace(object, "one", "\"two\"", 1))
	m := seal.Merge{OursName: "ours", TheirsName: "theirs", Lines: func(_, ours, _ []byte) ([]byte, bool, error) { return ours, true, nil }}
	f.Fuzz(func(t *testing.T, base, ours, theirs string) {
		got, err := m.Files([]byte(base), []byte(ours), []byte(theirs))
		if err == nil && len(got.Conflicts) == 0 {
			if _, err := seal.States(got.Out); err != nil && !errors.Is(err, seal.ErrNothing) {
				t.Errorf("%v in\n%s", err, got.Out)
			}
		}
		if err != nil {
			_, _ = m.ByLines([]byte(base), []byte(ours), []byte(theirs))
		}
	})
}
