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

// What is not written entry by entry is left to Git.
func TestUnmergeable(t *testing.T) {
	good := mergeHead + "spec:\n  encryptedData:\n    a: A\n"
	for name, bad := range map[string]string{
		"no manifest":    "{{ if x }}\n" + good,
		"other kinds":    "kind: ConfigMap\n",
		"JSON":           `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"db"}}`,
		"the same twice": good + "---\n" + good,
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
