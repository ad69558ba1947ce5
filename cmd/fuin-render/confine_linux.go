package main

import (
	"errors"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"fuin.dev/render/wire"
)

// confine gives up, for good, all that a template does not need: files, the
// network, other processes, and a memory image for debuggers and core dumps.
// It does what the kernel allows and tells what that was.
func confine() wire.Hello {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // cores that are piped to a program ignore the limit
	return wire.Hello{
		Protocol: wire.Protocol,
		Landlock: closeFiles(),
		Seccomp:  refuseCalls() == nil,
	}
}

// closeFiles lets Landlock close all files, and what else it knows of. It
// returns the ABI version of the rules in force, 0 if there are none.
func closeFiles() int {
	if landlock.V11.BestEffort().Restrict() != nil {
		return 0
	}
	// A best effort may be none, so the rules are believed when they bite.
	if _, err := os.ReadDir("/"); !errors.Is(err, os.ErrPermission) {
		return 0
	}
	abi, err := llsys.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return abi
}
