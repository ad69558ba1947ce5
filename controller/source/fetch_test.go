package source_test

import (
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

func TestRefs(t *testing.T) {
	w := newWorld(t, source.Config{})
	ctx := t.Context()
	first := w.write(map[string]string{"a.yaml": "first"})
	w.ok(w.repo.Tag(ctx, "v1.2.0", first, "", nil))
	second := w.write(map[string]string{"a.yaml": "second"})
	w.ok(w.repo.Tag(ctx, "v1.10.0", second, "annotated", nil))
	third := w.write(map[string]string{"a.yaml": "third"})
	w.ok(w.repo.Tag(ctx, "2.0.0-rc.1", third, "", nil))
	w.ok(w.repo.Tag(ctx, "nightly", third, "", nil))
	side := w.commit(gittest.Commit{Branch: "feature/x", Files: map[string]string{"a.yaml": "side"}})
	for _, row := range []struct {
		ref                source.Ref
		revision, contents string
	}{
		{source.Ref{}, "main@sha1:" + third, "third"},
		{source.Ref{Branch: "main"}, "main@sha1:" + third, "third"},
		{source.Ref{Branch: "feature/x"}, "feature/x@sha1:" + side, "side"},
		{source.Ref{Tag: "v1.2.0"}, "v1.2.0@sha1:" + first, "first"},
		{source.Ref{Tag: "v1.10.0"}, "v1.10.0@sha1:" + second, "second"},
		{source.Ref{Semver: "1.x"}, "v1.10.0@sha1:" + second, "second"},
		{source.Ref{Semver: "<1.5"}, "v1.2.0@sha1:" + first, "first"},
		{source.Ref{Semver: ">=1.0.0"}, "v1.10.0@sha1:" + second, "second"},
		{source.Ref{Semver: ">=2.0.0-0"}, "2.0.0-rc.1@sha1:" + third, "third"},
		{source.Ref{Commit: third}, "sha1:" + third, "third"},
		{source.Ref{Commit: first}, "sha1:" + first, "first"},
	} {
		t.Run(row.revision, func(t *testing.T) {
			for _, url := range []string{w.repo.URL(), w.repo.HTTPS()} {
				c := w.fetch(source.Git{URL: url, Ref: row.ref, Auth: source.Auth{CAFile: w.server.CA}})
				if c.Revision != row.revision {
					t.Errorf("%+v: got %s, want %s", row.ref, c.Revision, row.revision)
				}
				if got := w.read(c, "a.yaml"); got != row.contents {
					t.Errorf("%+v: got %q", row.ref, got)
				}
			}
		})
	}
	w.refused(w.ref(source.Ref{Branch: "gone"}), source.RefNotFound)
	w.refused(w.ref(source.Ref{Tag: "gone"}), source.RefNotFound)
	w.refused(w.ref(source.Ref{Semver: "9.x"}), source.RefNotFound)
	w.refused(w.ref(source.Ref{Commit: "0123456789012345678901234567890123456789"}), source.RefNotFound)
}

func TestFilesAreAFileSystem(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.commit(gittest.Commit{
		Files: map[string]string{"a.yaml": "a", "base/b.yaml": "b", "base/deep/c.yaml": "c", "base.yaml": "d", "empty": ""},
		Links: map[string]string{"link.yaml": "base/b.yaml", "overlay/base": "../base"},
	})
	c := w.fetch(w.git())
	if err := fstest.TestFS(c.Files, "a.yaml", "base/b.yaml", "base/deep/c.yaml", "base.yaml", "link.yaml"); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{"link.yaml": "b", "overlay/base/deep/c.yaml": "c", "empty": ""} {
		if got := w.read(c, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestCommitIsDescribed(t *testing.T) {
	w := newWorld(t, source.Config{})
	hash := w.commit(gittest.Commit{Message: "Raise the\u0007 limit\n\nbecause", Author: "Ōe Kenzaburō <oe@example.com>"})
	c := w.fetch(w.git()).Commit
	if c.Hash != hash || c.Subject != "Raise the  limit" || c.Author != "Ōe Kenzaburō <oe@example.com>" || c.Time.IsZero() || c.Signer != "" {
		t.Errorf("got %+v", c)
	}
}

func TestUnchangedCostsOneListing(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	for range 3 {
		w.fetch(w.git())
	}
	if w.repo.Listings() != 3 || w.repo.Fetches() != 1 {
		t.Errorf("%d listings and %d fetches, want 3 and 1", w.repo.Listings(), w.repo.Fetches())
	}
}

// A new commit costs what is new in it, whatever else the repository holds, and
// of a file that changed a little, the change.
func TestChangesAreSmall(t *testing.T) {
	for _, protocol := range []string{"http", "ssh"} {
		t.Run(protocol, func(t *testing.T) {
			dir := t.TempDir()
			w := newWorld(t, source.Config{Dir: dir})
			g := w.git()
			if protocol == "ssh" {
				g = w.ssh()
			}
			noise := make([]byte, 1<<20)
			rand.New(rand.NewSource(1)).Read(noise)
			w.write(map[string]string{"large": string(noise), "other": string(noise[1000:])})
			w.fetch(g)
			before := cacheSize(t, dir)
			w.write(map[string]string{"small": "s"})
			if c := w.fetch(g); w.read(c, "small") != "s" || w.read(c, "large") != string(noise) {
				t.Error("not the files of the commit")
			}
			if grown := cacheSize(t, dir) - before; grown > 1000 {
				t.Errorf("a small file costs %d bytes", grown)
			}
			w.write(map[string]string{"large": string(noise) + "and more"})
			if c := w.fetch(g); w.read(c, "large") != string(noise)+"and more" {
				t.Error("not the files of the commit")
			}
			w.ok(w.repo.Reset(t.Context(), "main", "main~2")) // back to what is there
			fetches := w.repo.Fetches()
			w.fetch(g)
			if w.repo.Fetches() != fetches {
				t.Error("an earlier commit is transferred again")
			}
		})
	}
}

func cacheSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "sources-*", "objects-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

func TestRewrittenHistory(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	old := w.write(map[string]string{"a": "2"})
	before := w.fetch(w.git())
	hash := w.commit(gittest.Commit{Files: map[string]string{"a": "3"}, Amend: true})
	after := w.fetch(w.git())
	if after.Revision != "main@sha1:"+hash || hash == old || w.read(after, "a") != "3" || w.read(before, "a") != "2" {
		t.Errorf("got %s after %s", after.Revision, before.Revision)
	}
	w.ok(w.repo.Reset(t.Context(), "main", ""))
	w.refused(w.ref(source.Ref{Branch: "main"}), source.RepositoryEmpty)
}

func TestEmptyRepository(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.refused(w.git(), source.RepositoryEmpty)
}
