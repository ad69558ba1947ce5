package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
)

// lookEvery is how often a controller's children are looked at.
const lookEvery = 50 * time.Millisecond

// tree is what a process and the children it has now have used. Children that
// have ended count to the CPU of their parent.
type tree struct {
	cpu      time.Duration
	peak     int64 // of the process, in bytes
	children int64 // the sum of their peaks
	resting  int64 // of all together, now
}

func treeOf(pid int) tree {
	t := tree{cpu: ticks(pid, 14, 17), peak: memoryOf(pid, "VmHWM"), resting: memoryOf(pid, "VmRSS")}
	for _, child := range childrenOf(pid) {
		t.cpu += ticks(child, 14, 17)
		t.children += memoryOf(child, "VmHWM")
		t.resting += memoryOf(child, "VmRSS")
	}
	return t
}

// ticks adds the fields from utime to cstime of /proc/PID/stat, see proc(5),
// which count hundredths of a second. A process that is gone has none.
func ticks(pid, from, to int) time.Duration {
	stat, _ := os.ReadFile(proc(pid, "stat"))
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold spaces
	fields := strings.Fields(rest)                // from field 3 on
	var sum int64
	for field := from; field <= to && field-3 < len(fields); field++ {
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// memoryOf reads a field of /proc/PID/status, in bytes.
func memoryOf(pid int, field string) int64 {
	status, _ := os.ReadFile(proc(pid, "status"))
	_, rest, _ := strings.Cut(string(status), "\n"+field+":")
	size, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
	return n << 10
}

// childrenOf asks every thread, since any of them may have started a child.
func childrenOf(pid int) []int {
	files, _ := filepath.Glob(proc(pid, "task/*/children"))
	var pids []int
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func proc(pid int, file string) string { return "/proc/" + strconv.Itoa(pid) + "/" + file }

// restsFor is how long a program must do next to nothing to be at rest, and
// restWithin is how long that is waited for.
const (
	restsFor   = 600 * time.Millisecond
	restWithin = 20 * time.Second
)

// untilRest waits until processes and their children use less than a fifteenth
// of a core each, on average. Servers without work use up to half of that.
func untilRest(ctx context.Context, pids ...int) error {
	used := func() (sum time.Duration) {
		for _, pid := range pids {
			sum += treeOf(pid).cpu
		}
		return sum
	}
	last := used()
	for end := time.Now().Add(restWithin); time.Now().Before(end); {
		if err := sleep(ctx, restsFor); err != nil {
			return err
		}
		now := used()
		if now-last < restsFor*time.Duration(len(pids))/15 {
			return nil
		}
		last = now
	}
	return nil // a busy machine never rests; the figures say so
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follower notes the most memory that a controller's children had: they may
// end before it does.
type follower struct {
	pid     int
	sandbox int64
	cancel  context.CancelFunc
	done    chan struct{}
}

func follow(ctx context.Context, ctl *controller) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{pid: ctl.PID(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		if !ctl.sandboxed {
			return
		}
		for tick := time.Tick(lookEvery); ctx.Err() == nil; {
			f.sandbox = max(f.sandbox, treeOf(f.pid).children)
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
	}()
	return f
}

// end stops following and returns what the controller has used in all.
func (f *follower) end() tree {
	f.cancel()
	<-f.done
	t := treeOf(f.pid)
	t.children = f.sandbox
	return t
}

// servers is the CPU time that the servers have used so far.
type servers struct{ apiServer, etcd time.Duration }

func serversOf(c *kubetest.Cluster) (servers, error) {
	api, err := c.APIServer.Usage()
	if err != nil {
		return servers{}, err
	}
	etcd, err := c.Etcd.Usage()
	return servers{api.CPU, etcd.CPU}, err
}

func (s servers) since(before servers) servers {
	return servers{s.apiServer - before.apiServer, s.etcd - before.etcd}
}
