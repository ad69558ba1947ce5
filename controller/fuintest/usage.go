package fuintest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Footprint is what a controller holds: what leaks shows here. Files and
// children are read from /proc, and 0 where there is none.
type Footprint struct{ Goroutines, Files, Children int }

// Footprint is what the controller holds now.
func (p *Process) Footprint() Footprint {
	files, _ := filepath.Glob(p.proc("fd/*"))
	return Footprint{int(p.Metric("go_goroutines")), len(files), len(p.children())}
}

// Within reports whether no more is held than before, but for what a few
// connections that are kept and idle children of the sandbox need.
func (f Footprint) Within(before Footprint) bool {
	const kept = 20
	return f.Goroutines <= before.Goroutines+kept && f.Files <= before.Files+kept && f.Children <= PoolSize()
}

// PoolSize is how many children the sandbox of a controller has at most.
func PoolSize() int { return min(runtime.GOMAXPROCS(0), 4) }

func (p *Process) proc(file string) string {
	return filepath.Join("/proc", p.pid(), file)
}

func (p *Process) pid() string { return strconv.Itoa(p.Cmd.Process.Pid) }

// children are those of all threads: any of them may have started one.
func (p *Process) children() (pids []string) {
	files, _ := filepath.Glob(p.proc("task/*/children"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// PeakMemory is the most bytes that the controller itself had; 0 if it is gone.
func (p *Process) PeakMemory() int64 { return memory(p.pid(), "VmHWM") }

// memory is a field of a process' status in /proc, in bytes; 0 if it is gone.
func memory(pid, field string) int64 {
	status, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
	_, rest, _ := strings.Cut(string(status), "\n"+field+":")
	size, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
	return n << 10
}

// CPU is the processor time that the controller and its ended children used.
func (p *Process) CPU() time.Duration {
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

// A Peak is the most that a controller and its children had together.
type Peak struct{ Memory, Children int64 }

// Follow looks until ctx ends; the channel then has the most that it saw.
func (p *Process) Follow(ctx context.Context) <-chan Peak {
	out := make(chan Peak, 1)
	go func() {
		var most Peak
		for tick := time.Tick(25 * time.Millisecond); ctx.Err() == nil; {
			all, children := memory(p.pid(), "VmRSS"), p.children()
			for _, child := range children {
				all += memory(child, "VmRSS")
			}
			most = Peak{max(most.Memory, all), max(most.Children, int64(len(children)))}
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
		out <- most
	}()
	return out
}
