package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// footprint is what a controller holds: what leaks shows here. Files, children
// and memory are read from /proc, and 0 where there is none.
type footprint struct{ goroutines, files, children int }

func (p *process) footprint() footprint {
	files, _ := filepath.Glob(p.proc("fd/*"))
	return footprint{int(p.metric("go_goroutines")), len(files), len(p.children())}
}

// within reports whether no more is held than before, but for what a few
// connections that are kept and idle children of the sandbox need.
func (f footprint) within(before footprint) bool {
	const kept = 20
	return f.goroutines <= before.goroutines+kept && f.files <= before.files+kept && f.children <= poolSize()
}

// poolSize is how many children the sandbox of the controller has at most.
func poolSize() int { return min(runtime.GOMAXPROCS(0), 4) }

func (p *process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}

// children are those of all threads: any of them may have started one.
func (p *process) children() (pids []string) {
	files, _ := filepath.Glob(p.proc("task/*/children"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// memory is a field of a process' status in /proc, in bytes; 0 if it is gone.
func memory(pid, field string) int64 {
	status, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
	_, rest, _ := strings.Cut(string(status), "\n"+field+":")
	size, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
	return n << 10
}

// cpu is the processor time that the controller and its ended children used.
func (p *process) cpu() time.Duration {
	stat, _ := os.ReadFile(p.proc("stat"))
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold spaces
	fields := strings.Fields(rest)                // from field 3 on, see proc(5)
	var ticks int64
	for field := 14; field <= 17 && field-3 < len(fields); field++ {
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// peak follows the memory of a controller and of its children together.
type peak struct{ memory, children int64 }

// follow looks until ctx ends; the channel then has the most that it saw.
func (p *process) follow(ctx context.Context) <-chan peak {
	out := make(chan peak, 1)
	go func() {
		var most peak
		for tick := time.Tick(25 * time.Millisecond); ctx.Err() == nil; {
			all, children := memory(strconv.Itoa(p.cmd.Process.Pid), "VmRSS"), p.children()
			for _, child := range children {
				all += memory(child, "VmRSS")
			}
			most = peak{max(most.memory, all), max(most.children, int64(len(children)))}
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
		out <- most
	}()
	return out
}
