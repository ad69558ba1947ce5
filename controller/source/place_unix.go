//go:build unix

package source

import (
	"os"
	"syscall"
)

// lockFile makes and locks a file until it is closed, unless another process
// has it. The lock of a process that is killed ends.
func lockFile(path string) (file *os.File, free bool) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a path of our own
	if err != nil {
		return nil, false
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = file.Close()
		return nil, false
	}
	return file, true
}
