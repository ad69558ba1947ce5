package kubetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asParent makes the test program start a child and then wait to be killed.
const asParent = "KUBETEST_AS_PARENT"

func TestProcessThatEndsSaysWhy(t *testing.T) {
	never := func(context.Context) error { return errors.New("not yet") }
	p := shell(t, "echo the disk is full; exit 3", never)
	err := p.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("got %v", err)
	}
	if p.PID() != 0 {
		t.Error("an ended process has a PID")
	}
}

func TestProcessThatCrashedStartsAgain(t *testing.T) {
	p := shell(t, "exec sleep 100", nil)
	for range 2 {
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		life := p.running
		if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-life.done
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); !errors.Is(err, errStopped) {
		t.Errorf("start after the cluster's end: %v", err)
	}
}

func TestProcessDiesWithItsParent(t *testing.T) {
	if os.Getenv(asParent) != "" {
		p := shell(t, "exec sleep 100", nil)
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Println("child:", p.PID())
		<-p.running.done
		return
	}
	parent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), asParent+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	child := readPID(t, bufio.NewScanner(out))
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(time.Minute); alive(child); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlived its parent")
		}
	}
}

func readPID(t *testing.T, lines *bufio.Scanner) int {
	t.Helper()
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "child: "); ok {
			pid, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("the parent started no child")
	return 0
}

// alive tells whether a process runs; one that nobody waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func shell(t *testing.T, script string, ready func(context.Context) error) *Process {
	t.Helper()
	p := &Process{Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log"), Ready: ready}
	t.Cleanup(func() { _ = p.Stop() })
	return p
}
