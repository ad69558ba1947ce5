package kubetest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a program has used since it was last started.
type Usage struct {
	CPU        time.Duration // user and system time, in steps of 10 ms
	Memory     int64         // resident now, in bytes
	PeakMemory int64         // the most that was ever resident, in bytes
}

// Usage reads what the program has used of CPU and memory, on Linux only. Those
// that it started in turn are not counted.
func (p *Process) Usage() (Usage, error) {
	pid := p.PID()
	if pid == 0 {
		return Usage{}, fmt.Errorf("usage of %s: it is not running", p.name())
	}
	u, err := usage(pid)
	if err != nil {
		return Usage{}, fmt.Errorf("usage of %s: %w", p.name(), err)
	}
	return u, nil
}

func usage(pid int) (u Usage, err error) {
	if u.CPU, err = cpuTime(pid); err != nil {
		return Usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ":"); name {
		case "VmRSS":
			u.Memory, err = kilobytes(value)
		case "VmHWM":
			u.PeakMemory, err = kilobytes(value)
		}
		if err != nil {
			return Usage{}, err
		}
	}
	return u, lines.Err()
}

// cpuTime adds the fields utime and stime of /proc/PID/stat, see proc(5). They
// count ticks of 10 ms on every architecture Go runs on.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Field 2, the name, is in parentheses and may hold spaces: count after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks int64
	for _, field := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// kilobytes reads a size as /proc/PID/status writes it: "  1234 kB".
func kilobytes(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(s), " kB"), 10, 64)
	return n * 1024, err
}
