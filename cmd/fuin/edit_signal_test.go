//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An editSession is a fuin edit whose editor waits for the test.
type editSession struct {
	t       *testing.T
	dir     string // of the test
	private string // where private directories are made
	file    string
	before  []byte
}

// editorScript writes a value, tells that it is there, and waits.
const editorScript = `#!/bin/sh
sed 's/password:.*/password: ` + canary + `/' "$1" > "$1~" && cp "$1~" "$1"
echo $$ > started.part && mv started.part started
read line < go
`

func newEditSession(t *testing.T) *editSession {
	t.Helper()
	s := &editSession{t: t, dir: t.TempDir()}
	if err := writeKeys(s.dir); err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	if isInMemory("/dev/shm") {
		var err error
		if base, err = os.MkdirTemp("/dev/shm", "fuin-test-*"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(base) })
	}
	s.private, s.file = base, filepath.Join(s.dir, "db.yaml")
	s.before = []byte("apiVersion: bitnami.com/v1\nkind: SealedSecret\nmetadata: {name: db, namespace: shop}\nspec:\n  encryptedData:\n    password: old\n")
	for name, data := range map[string][]byte{"db.yaml": s.before, "editor": []byte(editorScript)} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o700); err != nil { //nolint:gosec // one of them is a program
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(s.dir, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs fuin edit until its editor waits.
func (s *editSession) start(editor string) (cmd *exec.Cmd, said func() string) {
	s.t.Helper()
	stderr, err := os.CreateTemp(s.dir, "stderr-*") // no pipe: the editor may outlive the program
	if err != nil {
		s.t.Fatal(err)
	}
	defer stderr.Close()
	cmd = exec.Command("fuin", "edit", "-r", "hybrid.pub", "db.yaml")
	cmd.Dir, cmd.Stderr = s.dir, stderr
	cmd.Env = append(os.Environ(), "VISUAL=", "EDITOR="+editor, "XDG_RUNTIME_DIR="+s.private, "TMPDIR="+s.private)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd, func() string {
		text, err := os.ReadFile(stderr.Name())
		if err != nil {
			s.t.Fatal(err)
		}
		return string(text)
	}
}

// started waits for the editor, and returns its process.
func (s *editSession) started() int {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if data, err := os.ReadFile(filepath.Join(s.dir, "started")); err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				s.t.Fatal(err)
			}
			return pid
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the editor did not start within a minute")
		}
	}
}

// left are the private directories.
func (s *editSession) left() []string {
	s.t.Helper()
	left, err := filepath.Glob(filepath.Join(s.private, privatePrefix+"*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return left
}

func (s *editSession) content() string {
	s.t.Helper()
	data, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// Signals that end a run wipe what was edited; that of ctrl-c is the editor's.
func TestSignalsWhileEditing(t *testing.T) {
	for name, row := range map[string]struct {
		signal syscall.Signal
		ends   bool
	}{
		"term": {syscall.SIGTERM, true}, "hangup": {syscall.SIGHUP, true}, "quit": {syscall.SIGQUIT, true}, "interrupt": {syscall.SIGINT, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEditSession(t)
			cmd, said := s.start("./editor")
			editor := s.started()
			for _, dir := range s.left() {
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("%s: %v, %v", dir, info.Mode(), err)
				}
			}
			if shown, err := os.ReadFile("/proc/" + strconv.Itoa(editor) + "/cmdline"); err == nil && bytes.Contains(shown, []byte(canary)) {
				t.Error("the value is an argument")
			}
			if err := cmd.Process.Signal(row.signal); err != nil {
				t.Fatal(err)
			}
			if !row.ends {
				release(t, s.dir)
			}
			err := cmd.Wait()
			if (err != nil) != row.ends || row.ends && cmd.ProcessState.ExitCode() != exitInterrupted {
				t.Errorf("%v: %s", err, said())
			}
			if changed := s.content() != string(s.before); changed == row.ends {
				t.Errorf("the file changed: %v", changed)
			}
			if left := s.left(); len(left) > 0 || strings.Contains(said()+s.content(), canary) {
				t.Errorf("left %q, said %s", left, said())
			}
		})
	}
}

// release lets the editor end.
func release(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What a kill leaves the next run wipes, but for a draft that an editor still
// has open.
func TestKillWhileEditing(t *testing.T) {
	s := newEditSession(t)
	cmd, _ := s.start("./editor")
	editor := s.started()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if len(s.left()) != 1 {
		t.Fatalf("%q is left, want one directory", s.left())
	}
	next := func() string {
		again, said := s.start("true")
		if err := again.Wait(); err != nil {
			t.Fatalf("%v: %s", err, said())
		}
		return said()
	}
	if said := next(); len(s.left()) != 1 || strings.Contains(said, "wiped") {
		t.Errorf("while the editor lives: %q is left, said %s", s.left(), said)
	}
	if err := syscall.Kill(editor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(s.left()) > 0; {
		said := next()
		if len(s.left()) == 0 && !strings.Contains(said, "which a run that was killed had left") {
			t.Errorf("said %s", said)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q is left a minute later", s.left())
		}
	}
	if s.content() != string(s.before) {
		t.Error("the file changed")
	}
}
