package main

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused are the system calls that make a socket, start a program or reach
// into another process. Landlock alone leaves open UDP and Multipath TCP.
var refused = []uint32{
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR,
	unix.SYS_IO_URING_SETUP, // its queue makes sockets without system calls
	unix.SYS_EXECVE, unix.SYS_EXECVEAT,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
}

// architectures are where the numbers of refused are the only ones that the
// kernel knows these calls by, with what seccomp calls the architecture.
var architectures = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64,
	"arm64": unix.AUDIT_ARCH_AARCH64,
}

// foreign is the first number of the x32 calls of amd64. Elsewhere no call
// has so high a number.
const foreign = 0x4000_0000

// refuseCalls makes the calls of refused fail with EPERM in all threads, by
// the filter that seccomp(2) describes.
func refuseCalls() error {
	architecture, ok := architectures[runtime.GOARCH]
	if !ok {
		return errors.ErrUnsupported
	}
	filter := program(architecture)
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // the flag is this thread's, the filter brings it to the others
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	stuck, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog))) //nolint:gosec // the kernel takes an address
	if errno != 0 {
		return errno
	}
	if stuck != 0 {
		return errors.New("a thread has another filter")
	}
	return nil
}

// program returns the filter in BPF. Its input is struct seccomp_data, which
// begins with the number of the call and the architecture.
func program(architecture uint32) []unix.SockFilter {
	const (
		load         = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		ifEqual      = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ifAtLeast    = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		end          = unix.BPF_RET | unix.BPF_K
		refuse       = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		number, arch = 0, 4
	)
	p := []unix.SockFilter{
		{Code: load, K: arch},
		{Code: ifEqual, K: architecture, Jt: 1}, // skips the next
		{Code: end, K: refuse},
		{Code: load, K: number},
		{Code: ifAtLeast, K: foreign, Jf: 1},
		{Code: end, K: refuse},
	}
	for _, call := range refused {
		p = append(p,
			unix.SockFilter{Code: ifEqual, K: call, Jf: 1},
			unix.SockFilter{Code: end, K: refuse})
	}
	return append(p, unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW})
}
