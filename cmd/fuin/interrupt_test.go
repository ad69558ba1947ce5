//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestInterrupt: a run that is interrupted says so, and leaves every file
// either as it was or sealed.
func TestInterrupt(t *testing.T) {
	const files = 3000
	dir := t.TempDir()
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	plain := func(i int) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: s%d, namespace: shop}\nstringData: {password: value %d}\n", i, i)
	}
	path := func(i int) string { return filepath.Join(tree, fmt.Sprintf("%04d.yaml", i)) }
	for i := range files {
		if err := os.WriteFile(path(i), []byte(plain(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	var stderr bytes.Buffer
	cmd := exec.Command("fuin", "seal", "-r", filepath.Join(dir, "hybrid.pub"), "--in-place", tree)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	isSealed := func(i int) bool {
		data, err := os.ReadFile(path(i))
		if err != nil {
			t.Fatal(err)
		}
		return string(data) != plain(i)
	}
	for deadline := time.Now().Add(time.Minute); !isSealed(0); {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sealed within a minute")
		}
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("ended with %v, want code %d: %s", err, exitInterrupted, &stderr)
	}
	if !strings.Contains(stderr.String(), "fuin: error: interrupted\nfuin: hint: ") {
		t.Errorf("stderr is %q", &stderr)
	}
	checkInterrupted(t, tree, files, isSealed)
}

func checkInterrupted(t *testing.T, tree string, files int, isSealed func(int) bool) {
	t.Helper()
	entries, err := os.ReadDir(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != files {
		t.Errorf("%d files, want %d: something is left over", len(entries), files)
	}
	sealed := 0
	for i := range files {
		if isSealed(i) {
			sealed++
		}
	}
	if sealed == 0 || sealed == files {
		t.Errorf("%d of %d files are sealed; the run was not interrupted in its midst", sealed, files)
	}
	u, _, stderr := testUI("")
	keys := filepath.Join(filepath.Dir(tree), "hybrid.txt")
	if code := u.run(t.Context(), []string{"open", "-i", keys, "--out", os.DevNull, tree}); code != exitOK {
		t.Errorf("what was sealed does not open: code %d, %s", code, stderr)
	}
}

// TestInterruptWhileReading: a run that waits for input ends, too.
func TestInterruptWhileReading(t *testing.T) {
	cmd := exec.Command("fuin", "inspect", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	// The command has begun to read once the pipe is drained.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write(bytes.Repeat([]byte("#\n"), 1<<17)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want code %d", err, exitInterrupted)
	}
}
