package source_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

// modules writes a .gitmodules.
func modules(urls map[string]string) string {
	var b strings.Builder
	for path, url := range urls {
		fmt.Fprintf(&b, "[submodule %q]\n\tpath = %s\n\turl = %s\n", path, path, url)
	}
	return b.String()
}

func TestSubmodules(t *testing.T) {
	w := newWorld(t, source.Config{})
	ctx := t.Context()
	inner, lib := w.server.New(t, "team/inner"), w.server.New(t, "team/lib")
	innerHash, err := inner.Commit(ctx, gittest.Commit{Files: map[string]string{"deep.yaml": "deep"}})
	w.ok(err)
	libHash, err := lib.Commit(ctx, gittest.Commit{
		Files:   map[string]string{"base/b.yaml": "b", ".gitmodules": modules(map[string]string{"inner": "../inner.git"})},
		Modules: map[string]string{"inner": innerHash},
	})
	w.ok(err)
	_, err = lib.Commit(ctx, gittest.Commit{Files: map[string]string{"base/b.yaml": "newer"}})
	w.ok(err)
	w.commit(gittest.Commit{
		Files:   map[string]string{"a.yaml": "a", ".gitmodules": modules(map[string]string{"vendor/lib": "../lib.git"})},
		Modules: map[string]string{"vendor/lib": libHash},
		Links:   map[string]string{"base": "vendor/lib/base", "vendor/up": "lib/inner/deep.yaml"},
	})

	t.Run("not asked for", func(t *testing.T) {
		c := w.fetch(w.git())
		if w.read(c, "a.yaml") != "a" {
			t.Error("other files cannot be read")
		}
		for _, path := range []string{"vendor/lib/base/b.yaml", "base/b.yaml"} {
			if _, err := fs.ReadFile(c.Files, path); err == nil || !strings.Contains(err.Error(), `"vendor/lib"`) || !strings.Contains(err.Error(), "submodules: true") {
				t.Errorf("%s: got %v", path, err)
			}
		}
		if _, err := fs.ReadDir(c.Files, "vendor/lib"); err == nil {
			t.Error("a submodule that is not there is listed as empty")
		}
		if info, err := fs.Stat(c.Files, "vendor/lib"); err != nil || !info.IsDir() {
			t.Errorf("got %v, %v", info, err)
		}
	})
	for name, g := range map[string]source.Git{"http": w.git(), "ssh": w.ssh()} {
		t.Run(name, func(t *testing.T) {
			g.Submodules = true
			c := w.fetch(g)
			for path, want := range map[string]string{
				"vendor/lib/base/b.yaml": "b", "base/b.yaml": "b", "vendor/lib/inner/deep.yaml": "deep", "vendor/up": "deep",
			} {
				if got := w.read(c, path); got != want {
					t.Errorf("%s: got %q, want %q", path, got, want)
				}
			}
			var seen []string
			w.ok(fs.WalkDir(c.Files, "vendor", func(path string, _ fs.DirEntry, err error) error {
				seen = append(seen, path)
				return err
			}))
			if got := strings.Join(seen, " "); got != "vendor vendor/lib vendor/lib/.gitmodules vendor/lib/base vendor/lib/base/b.yaml vendor/lib/inner vendor/lib/inner/deep.yaml vendor/up" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Credentials go along to the same server and nowhere else, and who may not
// read a submodule does not, though somebody else has it in the cache.
func TestSubmodulesAndCredentials(t *testing.T) {
	w := newWorld(t, source.Config{})
	ctx := t.Context()
	access := gittest.Access{Username: "bot", Password: "hunter2"}
	lib := w.server.New(t, "lib")
	hash, err := lib.Commit(ctx, gittest.Commit{Files: map[string]string{"b": "b"}})
	w.ok(err)
	lib.Allow(access)
	elsewhere := gittest.New(t)
	far := elsewhere.New(t, "lib")
	farHash, err := far.Commit(ctx, gittest.Commit{Files: map[string]string{"b": "far"}})
	w.ok(err)
	far.Allow(access)
	w.commit(gittest.Commit{Branch: "near", Files: map[string]string{".gitmodules": modules(map[string]string{"lib": "../../lib.git"})}, Modules: map[string]string{"lib": hash}})
	w.commit(gittest.Commit{Branch: "far", Files: map[string]string{".gitmodules": modules(map[string]string{"lib": far.URL()})}, Modules: map[string]string{"lib": farHash}})
	w.commit(gittest.Commit{Branch: "none", Modules: map[string]string{"lib": farHash}})
	w.commit(gittest.Commit{Branch: "file", Files: map[string]string{".gitmodules": modules(map[string]string{"lib": "file:///etc"})}, Modules: map[string]string{"lib": farHash}})
	with := func(branch string, auth source.Auth) source.Git {
		return source.Git{URL: w.repo.URL(), Ref: source.Ref{Branch: branch}, Auth: auth, Submodules: true}
	}
	good := source.Auth{Username: "bot", Password: "hunter2"}
	if c := w.fetch(with("near", good)); w.read(c, "lib/b") != "b" {
		t.Error("the submodule is not there")
	}
	w.refused(with("near", source.Auth{}), source.AuthenticationFailed)
	if err := w.refusal(with("far", good), source.AuthenticationFailed, "hunter2"); !strings.Contains(err.Error(), `submodule "lib"`) {
		t.Error(err)
	}
	w.refused(with("none", good), source.Unsupported)
	w.refused(with("file", good), source.InvalidURL, "/etc")
}

// A repository that has itself as a submodule comes to an end.
func TestSubmodulesInEachOther(t *testing.T) {
	w := newWorld(t, source.Config{})
	first := w.write(map[string]string{"a": "a"})
	for range 6 {
		first = w.commit(gittest.Commit{
			Files:   map[string]string{".gitmodules": modules(map[string]string{"self": "../app.git"})},
			Modules: map[string]string{"self": first},
		})
	}
	g := w.git()
	g.Submodules = true
	w.refused(g, source.TooLarge)
}
