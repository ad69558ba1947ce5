package source_test

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

// plant makes a branch whose tree has just these entries.
func (w *world) plant(branch string, entries ...[3]string) {
	w.t.Helper()
	tree, err := w.repo.Object(w.t.Context(), "tree", treeOf(entries...))
	w.ok(err)
	commit, err := w.repo.Object(w.t.Context(), "commit", commitOf(tree))
	w.ok(err)
	w.ok(w.repo.Reset(w.t.Context(), branch, commit))
}

func (w *world) object(kind string, content []byte) string {
	w.t.Helper()
	hash, err := w.repo.Object(w.t.Context(), kind, content)
	w.ok(err)
	return hash
}

func TestHostileNames(t *testing.T) {
	w := newWorld(t, source.Config{})
	blob := w.object("blob", []byte("x"))
	dir := w.object("tree", treeOf([3]string{"100644", "f", blob}))
	for i, names := range [][]string{
		{".."}, {"."}, {"/etc/passwd"}, {"a/b"}, {".git"}, {".GIT"}, {".Git"}, {".git "}, {".git..."}, {"git~1"}, {"GIT~1"},
		{".g\u200cit"}, {"\ufeff.git"}, {".git::$INDEX_ALLOCATION"}, {`.git\config`}, {strings.Repeat("n", 256)},
		{"twice", "twice"}, {"both", "both/"},
	} {
		t.Run(names[0], func(t *testing.T) {
			var entries [][3]string
			for _, name := range names {
				mode, hash := "100644", blob
				if cut, isDir := strings.CutSuffix(name, "/"); isDir {
					name, mode, hash = cut, "40000", dir
				}
				entries = append(entries, [3]string{mode, name, hash})
			}
			branch := fmt.Sprintf("b%d", i)
			w.plant(branch, entries...)
			w.refused(w.ref(source.Ref{Branch: branch}), source.Unsupported)
			below := w.object("tree", treeOf(entries...))
			w.plant(branch+"d", [3]string{"40000", "deep", below})
			if err := w.refusal(w.ref(source.Ref{Branch: branch + "d"}), source.Unsupported); !strings.Contains(err.Error(), `"deep"`) {
				t.Errorf("%q does not name the directory", err)
			}
		})
	}
}

// Names that differ by case only are two files; others are odd but harmless.
func TestHarmlessNames(t *testing.T) {
	w := newWorld(t, source.Config{})
	upper, lower := w.object("blob", []byte("A")), w.object("blob", []byte("a"))
	odd := w.object("tree", treeOf([3]string{"100644", "caf\xe9", upper}, [3]string{"100644", "ok", lower}))
	w.plant("main", [3]string{"100644", ".gitignore", lower}, [3]string{"100644", "A.yaml", upper}, [3]string{"100644", "a.yaml", lower},
		[3]string{"100644", `b\c`, lower}, [3]string{"40000", "odd", odd})
	c := w.fetch(w.git())
	for path, want := range map[string]string{"A.yaml": "A", "a.yaml": "a", `b\c`: "a", "odd/ok": "a"} {
		if got := w.read(c, path); got != want {
			t.Errorf("%s: got %q", path, got)
		}
	}
	if _, err := fs.ReadDir(c.Files, "odd"); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("a directory of which one name cannot be told is listed without it: %v", err)
	}
	for _, path := range []string{"../a", "/a.yaml", "odd/../a.yaml", "", "a.yaml/", "a.yaml/x"} {
		if _, err := c.Files.Open(path); err == nil {
			t.Errorf("%q was opened", path)
		}
	}
}

func TestSymbolicLinks(t *testing.T) {
	w := newWorld(t, source.Config{})
	links := map[string]string{
		"etc": "/etc/passwd", "up": "../x", "deep/up": "../../x", "deep/ok": "../f", "loop": "loop", "a": "b", "b": "a",
		"through": "deep/./../deep/ok", "nowhere": "gone", "dir": "deep", "self": ".", "nul": "f\x00g", "empty": "",
		"long": strings.Repeat("x/", 3000),
	}
	for i := range 50 {
		links[fmt.Sprintf("chain%d", i)] = fmt.Sprintf("chain%d", i+1)
	}
	links["chain50"] = "f"
	w.commit(gittest.Commit{Files: map[string]string{"f": "file"}, Links: links})
	c := w.fetch(w.git())
	for _, path := range []string{"deep/ok", "through", "dir/ok", "self/self/f", "chain20"} {
		if got := w.read(c, path); got != "file" {
			t.Errorf("%s: got %q", path, got)
		}
	}
	for path, says := range map[string]string{
		"etc": `out of the repository: "etc"`, "up": `out of the repository: "up"`, "deep/up": `"deep/up"`, "dir/up": `"deep/up"`,
		"loop": "too many", "a": "too many", "chain0": "too many", "nowhere": "not exist", "long": "out of", "nul": "not exist",
	} {
		data, err := fs.ReadFile(c.Files, path)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %q, %v", path, data, err)
		}
		if _, err := fs.Stat(c.Files, path); err == nil {
			t.Errorf("%s: something is there", path)
		}
	}
	if target, err := fs.ReadLink(c.Files, "etc"); target != "/etc/passwd" || err != nil {
		t.Errorf("got %q, %v", target, err)
	}
}

func TestHostileTrees(t *testing.T) {
	w := newWorld(t, source.Config{MaxSize: 4 << 20})
	blob := w.object("blob", repeat(1<<19))
	tree := w.object("tree", treeOf([3]string{"100644", "f", w.object("blob", []byte("x"))}))
	for range 12 { // a trillion files in a thousand bytes
		var entries [][3]string
		for i := range 10 {
			entries = append(entries, [3]string{"40000", fmt.Sprint("d", i), tree})
		}
		tree = w.object("tree", treeOf(entries...))
	}
	w.plant("bomb", [3]string{"40000", "d", tree})
	deep := w.object("tree", nil)
	for range 150 {
		deep = w.object("tree", treeOf([3]string{"40000", "d", deep}))
	}
	w.plant("deep", [3]string{"40000", "d", deep})
	var same [][3]string
	for i := range 20 { // one object, many times
		same = append(same, [3]string{"100644", fmt.Sprintf("f%02d", i), blob})
	}
	w.plant("large", same...)
	started := time.Now()
	for _, branch := range []string{"bomb", "deep", "large"} {
		w.refused(w.ref(source.Ref{Branch: branch}), source.TooLarge)
	}
	if took := time.Since(started); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	short := treeOf([3]string{"100644", "f", blob})
	for _, raw := range [][]byte{short[:len(short)-1], []byte("100644"), []byte("100644 f"), {'x', 0}, repeat(100)} {
		p := newPacker()
		commit := p.object(commitEntry, commitOf(p.object(treeEntry, raw)))
		pack := p.finish()
		h := hostile{branch(commit), func(w io.Writer) { _, _ = w.Write(pack) }}
		if _, err := fetchHostile(t, newStore(t, source.Config{}), h); source.ReasonOf(err) != source.Malformed {
			t.Errorf("%q: got %v", raw, err)
		}
	}
}
