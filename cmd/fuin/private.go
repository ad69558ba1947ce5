package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fuin.dev/seal"
)

// A private is a directory that only its owner can enter, for a file in plain
// and what an editor writes beside it. It is wiped whole.
type private struct {
	path string
	lock *os.File // held as long as this program, or the editor, lives; nil where there are no locks
}

const (
	privatePrefix = "fuin-edit-"
	lockName      = ".lock"
	lockGrace     = time.Minute // for a run to lock what it just made
)

// newPrivate makes one in memory, where there is a file system of that kind,
// and removes what runs left that were killed.
func (u *ui) newPrivate() (*private, error) {
	base, inMemory := u.privateBase()
	u.sweep(base)
	if !inMemory {
		u.warn("", "neither $XDG_RUNTIME_DIR nor /dev/shm is in memory: the draft is on disk in %s, and wiped at the end", base)
	}
	path, err := os.MkdirTemp(base, privatePrefix+"*")
	if err != nil {
		return nil, fileError(base, err)
	}
	p := &private{path: path}
	if p.lock, err = os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, modePrivate); err == nil {
		err = lockFile(p.lock)
	}
	if err != nil {
		p.wipe()
		return nil, fileError(path, err)
	}
	return p, nil
}

// privateBase is where private directories are made.
func (u *ui) privateBase() (dir string, inMemory bool) {
	for _, dir := range []string{u.getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if filepath.IsAbs(dir) && isInMemory(dir) && isWritable(dir) {
			return dir, true
		}
	}
	return os.TempDir(), isInMemory(os.TempDir())
}

func isWritable(dir string) bool {
	probe, err := os.MkdirTemp(dir, privatePrefix+"probe-*")
	if err != nil {
		return false
	}
	return os.Remove(probe) == nil
}

// sweep wipes the directories of this user whose run, and editor, are gone.
func (u *ui) sweep(base string) {
	left, err := filepath.Glob(filepath.Join(base, privatePrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range left {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || !isOwn(info) {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist) && u.now().Sub(info.ModTime()) < lockGrace:
			continue
		case err == nil && tryLock(lock) != nil:
			lock.Close()
			continue
		}
		(&private{path, lock}).wipe()
		u.note("wiped %s, which a run that was killed had left", path)
	}
}

// wipe overwrites all files and removes the directory.
func (p *private) wipe() {
	_ = filepath.WalkDir(p.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			overwrite(path)
		}
		return nil
	})
	_ = os.RemoveAll(p.path) // what stays the next run wipes
	if p.lock != nil {
		p.lock.Close()
	}
}

// overwrite writes zeros over a file, as far as the file system lets that reach
// the bytes that were there.
func overwrite(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	zeros := make([]byte, 64<<10)
	for left := info.Size(); left > 0; left -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(left, int64(len(zeros)))]); err != nil {
			return
		}
	}
	_ = f.Sync()
}

// edited runs the editor on a text, and returns what it made of it.
func (u *ui) edited(ctx context.Context, p *private, name string, text []byte) ([]byte, error) {
	file := filepath.Join(p.path, strings.TrimLeft(printable(name), "."))
	if err := os.WriteFile(file, text, modePrivate); err != nil {
		return nil, fileError(file, err)
	}
	if err := u.runEditor(ctx, p, file); err != nil {
		return nil, err
	}
	out, err := readFile(ctx, file, seal.MaxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail("save it, next time; nothing was written", "the editor left no file")
	}
	return out, err
}
