package main

import (
	"errors"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// confine gives up all that a template does not need: files, the network,
// signals to others, and a memory image for debuggers and core dumps. It
// returns the ABI version of the Landlock rules in force, 0 where the kernel
// has none.
func confine() int {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // cores that are piped to a program ignore the limit
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
