package main

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// keptFiles are files of the memory, named by MACs; whoever reads one finds out
// by another whether it was altered. Those that were wanted last stay. They hold
// sealed values, for runs that write no file in which the next one could find
// them: a function of kustomize, a post-renderer, a pipe; and what is known of
// the kustomizations of repositories.
type keptFiles struct{ dir string }

// Bounds of one of the 256 directories in which they are.
const (
	memoryValues = "values"
	keptFilesIn  = 16
	keptBytesIn  = 512 << 10 // but the newest stays, whatever its size
	maxKept      = 8 << 20
)

func (k keptFiles) path(id tag) string {
	name := hex.EncodeToString(id[:])
	return filepath.Join(k.dir, name[:2], name[2:])
}

// get returns what may be the value with an id; the caller compares.
func (k keptFiles) get(id tag) (string, bool) {
	path := k.path(id)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxKept {
		return "", false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // it was wanted last
	return string(data), true
}

// put writes a value, and removes the oldest ones beside it if there are too
// many. What fails only means sealing again.
func (k keptFiles) put(id tag, sealed string) {
	dir := filepath.Dir(k.path(id))
	if len(sealed) > maxKept || os.MkdirAll(dir, 0o700) != nil {
		return
	}
	temp, err := os.CreateTemp(dir, ".new-*") // which only its owner can read
	if err != nil {
		return
	}
	_, err = temp.WriteString(sealed)
	if errors.Join(err, temp.Close()) != nil || os.Rename(temp.Name(), k.path(id)) != nil {
		_ = os.Remove(temp.Name())
		return
	}
	k.trim(dir)
}

func (k keptFiles) trim(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var size int64
	for i, info := range files {
		if size += info.Size(); i >= keptFilesIn || i > 0 && size > keptBytesIn {
			_ = os.Remove(filepath.Join(dir, info.Name()))
		}
	}
}
