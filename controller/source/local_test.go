package source_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fuin.dev/controller/source"
)

func TestLocal(t *testing.T) {
	root := t.TempDir()
	w := &world{t: t, store: newStore(t, source.Config{LocalRoot: root})}
	write := func(path, content string) {
		t.Helper()
		w.ok(os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		w.ok(os.WriteFile(filepath.Join(root, path), []byte(content), 0o600))
	}
	write("secret", "not below")
	write("app/a.yaml", "a")
	write("app/base/b.yaml", "b")
	write("app/.git/config", "config")
	w.ok(os.Symlink("base/b.yaml", filepath.Join(root, "app/link")))
	w.ok(os.Symlink("../secret", filepath.Join(root, "app/up")))
	w.ok(os.Symlink("/etc/passwd", filepath.Join(root, "app/etc")))
	local := func(dir string) *source.Checkout {
		t.Helper()
		c, err := w.store.Local(t.Context(), dir)
		w.ok(err)
		t.Cleanup(c.Release)
		return c
	}

	first := local("app")
	if !strings.HasPrefix(first.Revision, "local@sha256:") || w.read(first, "link") != "b" {
		t.Errorf("got %s", first.Revision)
	}
	for _, path := range []string{"up", "etc"} {
		if data, err := fs.ReadFile(first.Files, path); err == nil || !strings.Contains(err.Error(), "out of the repository") {
			t.Errorf("%s: got %q, %v", path, data, err)
		}
	}
	if _, err := fs.Stat(first.Files, ".git"); err == nil {
		t.Error(".git is there")
	}
	if again := local(filepath.Join(root, "app")); again.Revision != first.Revision {
		t.Errorf("got %s, then %s", first.Revision, again.Revision)
	}
	write("app/a.yaml", "changed")
	if changed := local("app"); changed.Revision == first.Revision || w.read(changed, "a.yaml") != "changed" || w.read(first, "a.yaml") != "a" {
		t.Error("a checkout is not what the directory was when it was made")
	}
	write("app/a.yaml", "a")
	w.ok(os.Rename(filepath.Join(root, "app/base"), filepath.Join(root, "app/other")))
	if moved := local("app"); moved.Revision == first.Revision {
		t.Error("a renamed directory changes nothing")
	}
}

func TestLocalRefusals(t *testing.T) {
	root := t.TempDir()
	store := newStore(t, source.Config{LocalRoot: root, MaxSize: 4 << 20})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"pipe", "large"} {
		ok(os.Mkdir(filepath.Join(root, dir), 0o755))
	}
	ok(syscall.Mkfifo(filepath.Join(root, "pipe/p"), 0o600))
	ok(os.WriteFile(filepath.Join(root, "large/l"), make([]byte, 1<<20+1), 0o600))
	ok(os.Symlink("/etc", filepath.Join(root, "etc")))
	for dir, reason := range map[string]source.Reason{
		"..": source.InvalidURL, "../x": source.InvalidURL, "/etc": source.InvalidURL, filepath.Join(root, ".."): source.InvalidURL,
		"nothing": source.PathNotFound, "etc": source.PathNotFound, "pipe": source.Unsupported, "large": source.TooLarge,
	} {
		c, err := store.Local(t.Context(), dir)
		if err == nil {
			c.Release()
		}
		if err == nil || source.ReasonOf(err) != reason {
			t.Errorf("%s: got %v, want %s", dir, err, reason)
		}
	}
	if _, err := newStore(t, source.Config{}).Local(t.Context(), "x"); source.ReasonOf(err) != source.Unsupported {
		t.Errorf("got %v", err)
	}
}
