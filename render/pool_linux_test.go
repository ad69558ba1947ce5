package render_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fuin.dev/render"

	"golang.org/x/sys/unix"
)

// childrenOf returns the processes that pid started.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range all {
		stat, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(stat), ") ") // PID (name) state parent …
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			id, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			found = append(found, id)
		}
	}
	return found
}

// only returns the one child of this process.
func only(t *testing.T) int {
	t.Helper()
	pids := childrenOf(t, os.Getpid())
	if len(pids) != 1 {
		t.Fatalf("the children are %v", pids)
	}
	return pids[0]
}

func TestMemoryIsMeasured(t *testing.T) {
	pool := open(t, renderConfig)
	works(t, pool)
	if rss := pool.Stats().Resident; rss < 1<<20 || rss > 64<<20 {
		t.Errorf("an idle child has %d bytes", rss)
	}
}

// A child that had no chance to work proves nothing about the template.
func TestAStarvedChildIsNotTheTemplatesFault(t *testing.T) {
	pool := open(t, render.Config{Deadline: 2 * time.Second, Size: 1})
	works(t, pool)
	_ = syscall.Kill(only(t), syscall.SIGSTOP)
	_, err := pool.Templates(t.Context(), texts{"k": "x"}, nil)
	if !errors.Is(err, render.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	works(t, pool)
}

// Whoever kills a child, the kernel for one, does not fail the next call, nor
// the one that runs.
func TestAChildKilledByOthersIsReplaced(t *testing.T) {
	pool := open(t, render.Config{Size: 1, Deadline: time.Minute})
	works(t, pool)
	_ = syscall.Kill(only(t), syscall.SIGKILL)
	works(t, pool)

	busy := make(chan error)
	go func() {
		_, err := pool.Templates(t.Context(), texts{"k": `{{ range 2000000 }}{{ end }}`}, nil)
		busy <- err
	}()
	eventually(t, func() bool { return pool.Stats().Idle == 0 })
	_ = syscall.Kill(only(t), syscall.SIGKILL)
	if err := <-busy; err != nil {
		t.Error(err)
	}
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), orphanMaker+"="+child)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the parent says %q", line)
	}
	pids := childrenOf(t, parent.Process.Pid)
	if len(pids) != 1 {
		t.Fatalf("its children are %v", pids)
	}
	fd, err := unix.PidfdOpen(pids[0], 0)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(fd)
	_ = parent.Process.Kill()
	_ = parent.Wait()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000); n != 1 {
		t.Errorf("the child lives on: %v", err)
	}
}
