package main

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"fuin.dev/render/listing"
)

// unwritten are files as they will be once changes are written: a tree with
// some files in memory. Its renderings show what the changes do before anything
// is touched.
type unwritten struct {
	fs.FS
	changed map[string][]byte
}

// with is the tree with more changes.
func (t *unwritten) with(changed map[string][]byte) *unwritten {
	all := maps.Clone(t.changed)
	maps.Copy(all, changed)
	return &unwritten{t.FS, all}
}

// Open implements [fs.FS].
func (t *unwritten) Open(name string) (fs.File, error) {
	if data, ok := t.changed[name]; ok {
		return &unwrittenFile{unwrittenInfo{path.Base(name), int64(len(data))}, bytes.NewReader(data)}, nil
	}
	f, err := t.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return f, err
	}
	entries, err := t.ReadDir(name)
	return &unwrittenDir{f, entries}, err
}

// Stat implements [fs.StatFS].
func (t *unwritten) Stat(name string) (fs.FileInfo, error) {
	if data, ok := t.changed[name]; ok {
		return unwrittenInfo{path.Base(name), int64(len(data))}, nil
	}
	return fs.Stat(t.FS, name)
}

// Lstat implements [fs.ReadLinkFS].
func (t *unwritten) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := t.changed[name]; ok {
		return t.Stat(name)
	}
	return fs.Lstat(t.FS, name)
}

// ReadLink implements [fs.ReadLinkFS].
func (t *unwritten) ReadLink(name string) (string, error) { return fs.ReadLink(t.FS, name) }

// ReadDir implements [fs.ReadDirFS]; it lists new files, too.
func (t *unwritten) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(t.FS, name)
	if err != nil {
		return nil, err
	}
	for file, data := range t.changed {
		if path.Dir(file) == name {
			entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(file) })
			entries = append(entries, fs.FileInfoToDirEntry(unwrittenInfo{path.Base(file), int64(len(data))}))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// unwrittenFile is a file in memory that is read.
type unwrittenFile struct {
	unwrittenInfo
	io.Reader
}

// Stat implements [fs.File].
func (f *unwrittenFile) Stat() (fs.FileInfo, error) { return f.unwrittenInfo, nil }

// Close implements [fs.File].
func (f *unwrittenFile) Close() error { return nil }

// unwrittenDir is a directory, with its new files.
type unwrittenDir struct {
	fs.File
	listing.Unread
}

// unwrittenInfo is what is known of a file in memory.
type unwrittenInfo struct {
	name string
	size int64
}

func (i unwrittenInfo) Name() string       { return i.name }
func (i unwrittenInfo) Size() int64        { return i.size }
func (i unwrittenInfo) Mode() fs.FileMode  { return modePublic }
func (i unwrittenInfo) ModTime() time.Time { return time.Time{} }
func (i unwrittenInfo) IsDir() bool        { return false }
func (i unwrittenInfo) Sys() any           { return nil }
