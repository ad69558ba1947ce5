package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is one that a program runs in, with a person before it.
type terminal struct {
	t      *testing.T
	person *os.File

	mu     sync.Mutex
	screen strings.Builder
	closed chan struct{}
}

// runIn starts a program in a terminal of its own.
func runIn(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, person: person, closed: make(chan struct{})}
	go term.watch()
	return term
}

// watch reads the screen until the last program has left the terminal.
func (x *terminal) watch() {
	defer close(x.closed)
	for buf := make([]byte, 4096); ; {
		n, err := x.person.Read(buf)
		x.mu.Lock()
		x.screen.Write(buf[:n])
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.screen.String(), "\r\n", "\n")
}

// answer waits until so many texts are shown, and types.
func (x *terminal) answer(count int, text, keys string) {
	x.t.Helper()
	for deadline := time.Now().Add(time.Minute); strings.Count(x.shown(), text) < count; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("%q is not shown %d times within a minute, but\n%s", text, count, x.shown())
		}
	}
	if _, err := x.person.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// end waits for the program, and returns its exit code and the whole screen.
func (x *terminal) end(cmd *exec.Cmd) (code int, shown string) {
	x.t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	select {
	case <-x.closed:
	case <-time.After(time.Minute):
		x.t.Fatal("something stays in the terminal")
	}
	return cmd.ProcessState.ExitCode(), x.shown()
}

// TestEditAgain: what cannot be sealed is not lost: whoever sits at a terminal
// is asked, edits the same text again, or gives it up.
func TestEditAgain(t *testing.T) {
	const question = "edit it again? else what was edited is gone [yes/no] "
	for name, row := range map[string]struct {
		answers []string
		code    int
		said    string
	}{
		"until it is right":    {[]string{"yes\n", "y\n"}, exitOK, "sealed 1 key of shop/db: password"},
		"given up at once":     {[]string{"no\n"}, exitError, "nothing was written, and what was edited is gone"},
		"given up later":       {[]string{"yes\n", "\n"}, exitError, "nothing was written, and what was edited is gone"},
		"the input has an end": {[]string{"\x04"}, exitError, "nothing was written, and what was edited is gone"},
		"interrupted":          {[]string{"\x03"}, exitInterrupted, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEditSession(t)
			// The first two times it writes no YAML, and the third time it mends that.
			editor := "#!/bin/sh\necho x >> runs\ncase $(wc -l < runs) in\n" +
				"1) sed -i 's/password:.*/password: [" + canary + "/' \"$1\" ;;\n" +
				"2) grep -q '" + canary + "' \"$1\" || exit 9 ;;\n" +
				"*) sed -i 's/\\[//' \"$1\" ;;\nesac\n"
			writeProgram(t, filepath.Join(s.dir, "editor"), editor)
			cmd := exec.Command("fuin", "edit", "-r", "hybrid.pub", "db.yaml")
			cmd.Dir = s.dir
			cmd.Env = append(os.Environ(), "VISUAL=", "EDITOR=./editor", "XDG_RUNTIME_DIR="+s.private, "TMPDIR="+s.private, "HOME="+s.dir)
			x := runIn(t, cmd)
			for i, keys := range row.answers {
				x.answer(i+1, question, keys)
			}
			code, shown := x.end(cmd)
			if code != row.code || !strings.Contains(shown, row.said) || strings.Contains(shown, canary) || !strings.Contains(shown, "db.yaml: line ") {
				t.Errorf("code %d, shown\n%s", code, shown)
			}
			if changed := s.content() != string(s.before); changed != (row.code == exitOK) || strings.Contains(s.content(), canary) {
				t.Errorf("the file is now\n%s", s.content())
			}
			if left := s.left(); len(left) > 0 {
				t.Errorf("%q is left", left)
			}
		})
	}
}

// TestValueTypedAtTerminal: what is typed is not shown, and the terminal shows
// what is typed again afterwards, also after ctrl-c.
func TestValueTypedAtTerminal(t *testing.T) {
	for name, row := range map[string]struct {
		first, second string
		code          int
	}{
		"typed twice":    {canary + "\n", canary + "\n", exitOK},
		"typed in error": {canary + "\n", canary + "x\n", exitError},
		"interrupted":    {canary + "\n", "\x03", exitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEditSession(t)
			cmd := exec.Command("sh", "-c", `trap : INT; fuin set -r hybrid.pub db.yaml password; code=$?; echo done; read line; exit $code`)
			cmd.Dir = s.dir
			cmd.Env = append(os.Environ(), "HOME="+s.dir)
			x := runIn(t, cmd)
			x.answer(1, "not shown: ", row.first)
			x.answer(1, "again: ", row.second)
			x.answer(1, "done\n", "visible\n")
			code, shown := x.end(cmd)
			if code != row.code || strings.Contains(shown, canary) || !strings.Contains(shown, "done\nvisible\n") {
				t.Errorf("code %d, shown\n%s", code, shown)
			}
			if changed := s.content() != string(s.before); changed != (row.code == exitOK) {
				t.Errorf("the file is now\n%s", s.content())
			}
		})
	}
}
