//go:build unix

package main

import (
	"context"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

// endSignal asks an editor to end.
const endSignal = syscall.SIGTERM

// lockFile locks a file, which closing it, in all who inherited it, undoes.
func lockFile(f *os.File) error { return tryLock(f) }

func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// inherited is what an editor gets of a lock, to hold it as long as it lives.
func inherited(lock *os.File) []*os.File { return []*os.File{lock} }

// isOwn reports whether a file belongs to the user.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}

// ending ends also with the signals that would else end the program at once.
func ending(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
}
