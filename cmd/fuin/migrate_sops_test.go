package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/kubetest"
)

// A sopsTree is a directory of files that a real sops encrypted.
type sopsTree struct {
	dir, sops, recipient string
}

func newSopsTree(t *testing.T) *sopsTree {
	t.Helper()
	s := &sopsTree{dir: t.TempDir(), sops: filepath.Join(kubetest.Require(t, "sops"), "sops")}
	if err := writeKeys(s.dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOPS_AGE_KEY_FILE", s.path("classic.txt"))
	for line := range strings.Lines(s.read(t, "classic.pub")) {
		if strings.HasPrefix(line, "age1") {
			s.recipient = strings.TrimSpace(line)
		}
	}
	if err := os.Mkdir(s.path("secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sopsTree) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sopsTree) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *sopsTree) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// encrypt writes a file and has sops encrypt it.
func (s *sopsTree) encrypt(t *testing.T, name, text string, flags ...string) {
	t.Helper()
	s.write(t, name, text)
	args := append([]string{"--encrypt", "--in-place", "--age", s.recipient}, flags...)
	if out, err := exec.Command(s.sops, append(args, s.path(name))...).CombinedOutput(); err != nil {
		t.Fatalf("sops: %v: %s", err, out)
	}
}

// migrate runs fuin migrate sops.
func (s *sopsTree) migrate(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	u, stdout, stderr := testUI("")
	code = u.run(t.Context(), append([]string{"migrate", "sops", "--sops", s.sops, "-r", s.path("hybrid.pub")}, args...))
	return code, stdout.String(), stderr.String()
}

func (s *sopsTree) value(t *testing.T, file, key string) string {
	t.Helper()
	u, stdout, stderr := testUI("")
	if code := u.run(t.Context(), []string{"open", "-i", s.path("hybrid.txt"), "--key", key, s.path(file)}); code != exitOK {
		t.Fatalf("opening %s of %s: %s", key, file, stderr)
	}
	return stdout.String()
}

const sopsSecret = `apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
stringData:
  # for the web tier
  user: shop
  password: correct-horse-battery
`

// TestMigrateSops seals what a real sops encrypted, and leaves no plain text.
func TestMigrateSops(t *testing.T) {
	s := newSopsTree(t)
	s.encrypt(t, "secrets/values.yaml", sopsSecret, "--encrypted-regex", "^(data|stringData)$")
	s.encrypt(t, "secrets/whole.yaml", strings.Replace(sopsSecret, "name: db", "name: whole", 1))
	s.encrypt(t, "secrets/db.json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"j","namespace":"shop"},"data":{"password":"Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"}}`)
	s.write(t, "secrets/plain.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\n")

	code, out, said := s.migrate(t, "--in-place", s.path("secrets"))
	if code != exitOK || out != "" || !strings.Contains(said, "fuin: sealed 3 files that SOPS had encrypted") {
		t.Fatalf("code %d: %s%s", code, out, said)
	}
	for _, file := range []string{"secrets/values.yaml", "secrets/whole.yaml", "secrets/db.json"} {
		if got := s.value(t, file, "password"); got != "correct-horse-battery" {
			t.Errorf("%s: the password opens to %q", file, got)
		}
		text := s.read(t, file)
		if strings.Contains(text, "sops") || strings.Contains(text, "ENC[") || strings.Contains(text, "correct-horse") {
			t.Errorf("%s keeps what is not sealed:\n%s", file, text)
		}
	}
	if text := s.read(t, "secrets/values.yaml"); !strings.Contains(text, "# for the web tier") {
		t.Errorf("the comment is gone:\n%s", text)
	}
	if left, err := filepath.Glob(s.path("secrets/.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestMigrateSopsRefuses(t *testing.T) {
	s := newSopsTree(t)
	s.encrypt(t, "secret.yaml", sopsSecret)
	s.encrypt(t, "values.yaml", "auth: {password: correct-horse-battery}\n")
	s.encrypt(t, "altered.yaml", sopsSecret, "--encrypted-regex", "^(data|stringData)$")
	s.write(t, "altered.yaml", strings.Replace(s.read(t, "altered.yaml"), "namespace: shop", "namespace: other", 1))
	s.write(t, "plain.yaml", sopsSecret)
	for _, tt := range []struct {
		name string
		args []string
		code int
		said string
	}{
		{"values of a chart", []string{s.path("values.yaml")}, exitError, "values.yaml: it holds no Secret"},
		{"a file that was altered", []string{s.path("altered.yaml")}, exitUnreachable, "altered.yaml: sops: the file was altered since it was encrypted\n"},
		{"a plain file", []string{s.path("plain.yaml")}, exitError, "plain.yaml: not encrypted by SOPS"},
		{"nothing of a directory", []string{s.path("secrets")}, exitError, "no file that SOPS encrypted"},
		{"no program", []string{"--sops", s.path("none"), s.path("secret.yaml")}, exitUnreachable, "there is no program "},
		{"standard input", []string{"-"}, exitUsage, "sops reads files"},
		{"nothing named", nil, exitUsage, "a PATH is missing"},
	} {
		code, out, said := s.migrate(t, tt.args...)
		if code != tt.code || out != "" || !strings.Contains(said, tt.said) || strings.Contains(said, "correct-horse") {
			t.Errorf("%s: code %d: %s%s", tt.name, code, out, said)
		}
	}

	t.Setenv("SOPS_AGE_KEY_FILE", s.path("hybrid.txt"))
	before := s.read(t, "secret.yaml")
	code, _, said := s.migrate(t, "--in-place", s.path("secret.yaml"))
	if code != exitUnreachable || !strings.Contains(said, "secret.yaml: sops: none of the keys at hand opens it\n") {
		t.Errorf("without the key: code %d: %s", code, said)
	}
	if !bytes.Equal([]byte(before), []byte(s.read(t, "secret.yaml"))) {
		t.Error("a file that failed was changed")
	}
}
