package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
)

// TestBinaryValueOnTerminal: a terminal is not fed what could steer it.
func TestBinaryValueOnTerminal(t *testing.T) {
	dir := t.TempDir()
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, value := range map[string]string{"binary": "\x00\xff\x80", "escape": "\x1b[2J", "text": "correct horse\n"} {
		if err := os.WriteFile(in(name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, _, stderr := testUI("")
	if code := u.run(t.Context(), []string{"seal", "-r", in("hybrid.pub"), "-n", "shop", "--name", "tls", "--out", in("sealed.yaml"),
		"--from-file", in("binary"), "--from-file", in("escape"), "--from-file", in("text")}); code != exitOK {
		t.Fatalf("sealing: code %d, %s", code, stderr)
	}
	for key, want := range map[string]int{"binary": exitError, "escape": exitError, "text": exitOK} {
		u, stdout, stderr := testUI("")
		u.isTerminal = func(stream any) bool { return stream == stdout }
		if code := u.run(t.Context(), []string{"open", "-i", in("hybrid.txt"), "--key", key, in("sealed.yaml")}); code != want {
			t.Errorf("%s: code %d, want %d: %s", key, code, want, stderr)
		}
		hinted := strings.Contains(stderr.String(), "fuin: hint: write it to a file: --out FILE, or > FILE\n")
		if refused := want == exitError; hinted != refused || (stdout.Len() == 0) != refused {
			t.Errorf("%s: stdout %q, stderr %q", key, stdout, stderr)
		}
	}
}

// TestNoteBeforeTerminalInput: nobody wonders why nothing happens.
func TestNoteBeforeTerminalInput(t *testing.T) {
	u, _, stderr := testUI("")
	u.isTerminal = func(stream any) bool { return stream == u.stdin }
	u.run(t.Context(), []string{"inspect", "-"})
	if want := "fuin: reading a manifest from standard input; end with ctrl-d\n"; !strings.HasPrefix(stderr.String(), want) {
		t.Errorf("stderr is %q, want %q first", stderr, want)
	}
}

// TestProgress: a bar appears after a second, moves, and is wiped.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, stderr := testUI("")
		u.isTerminal = func(any) bool { return true }
		quick := u.progress("sealing", 4)
		quick.step()
		time.Sleep(barDelay / 2)
		quick.end()
		if stderr.Len() > 0 {
			t.Errorf("a bar for work of half a second: %q", stderr)
		}
		slow := u.progress("sealing", 4)
		slow.step()
		time.Sleep(2 * barDelay)
		slow.end()
		if !strings.Contains(stderr.String(), "\rsealing [=======") || !strings.Contains(stderr.String(), "] 1/4") {
			t.Errorf("no bar: %q", stderr)
		}
		if lines := strings.Split(stderr.String(), "\r"); strings.TrimSpace(lines[len(lines)-2]) != "" || lines[len(lines)-1] != "" {
			t.Errorf("the bar is left behind: %q", stderr)
		}
	})
}

// TestHelp: every command has examples, and fits a terminal of 80 columns.
func TestHelp(t *testing.T) {
	u, _, _ := testUI("")
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		var out bytes.Buffer
		printHelp(&out, cmd)
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); len([]rune(line)) > helpWidth {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), len([]rune(line)), line)
			}
		}
		if !cmd.HasSubCommands() && cmd.Runnable() && strings.Count(cmd.Example, "fuin ") < 2 {
			t.Errorf("%s has fewer than two examples", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(newRoot(u))
}

// TestValueAskedForOnTerminal: twice, unseen, and the same.
func TestValueAskedForOnTerminal(t *testing.T) {
	for name, row := range map[string]struct {
		answers []string
		code    int
		said    string
	}{
		"the same": {[]string{canary, canary}, exitOK, "value of password, not shown: \nagain: \n"},
		"another":  {[]string{canary, "x"}, exitError, "the two values differ; nothing was changed"},
		"nothing":  {[]string{"", ""}, exitError, "the value is empty"},
		"too long": {[]string{strings.Repeat("x", maxLine), ""}, exitError, "longer than a line of a terminal can be"},
	} {
		dir := t.TempDir()
		if err := writeKeys(dir); err != nil {
			t.Fatal(err)
		}
		file, before := filepath.Join(dir, "sealed.yaml"), "apiVersion: bitnami.com/v1\nkind: SealedSecret\nmetadata: {name: db, namespace: shop}\n"
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		u, stdout, stderr := testUI("not to be read")
		u.isTerminal = func(stream any) bool { return stream == u.stdin }
		u.hidden = func(context.Context) ([]byte, error) {
			answer := row.answers[0]
			row.answers = row.answers[1:]
			return []byte(answer), nil
		}
		code := u.run(t.Context(), []string{"set", "-r", filepath.Join(dir, "hybrid.pub"), file, "password"})
		if code != row.code || !strings.Contains(stderr.String(), row.said) || strings.Contains(stderr.String()+stdout.String(), canary) {
			t.Errorf("%s: code %d, stderr %q", name, code, stderr)
		}
		after, err := os.ReadFile(file)
		if changed := string(after) != before; err != nil || changed != (code == exitOK) {
			t.Errorf("%s: the file is now %s, %v", name, after, err)
		}
	}
}
