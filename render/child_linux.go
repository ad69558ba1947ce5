package render

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// confined makes the child die with us, and a ^C in a terminal reach only us.
func confined() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// capMemory bounds what the child can have written to, also between two looks
// at its resident memory: a single allocation can be larger than all that is
// allowed. The address space of a Go program cannot be bounded, its data can.
func (c *child) capMemory(size int64) {
	limit := &unix.Rlimit{Cur: uint64(size), Max: uint64(size)}
	_ = unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_DATA, limit, nil) // a second line of defence
}

// resident returns the child's resident memory in bytes, 0 when it is gone.
func (c *child) resident() int64 {
	if !c.running() {
		return 0
	}
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm) // in pages: size, resident, …
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// cpu returns the processor time that the child has used; ok is false where
// the kernel does not tell.
func (c *child) cpu() (used time.Duration, ok bool) {
	// The clock of another process, as clock_getcpuclockid(3) makes it.
	clock := (^int32(c.cmd.Process.Pid) << 3) | 2
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}
