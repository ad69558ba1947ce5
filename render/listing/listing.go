// Package listing owns how an open directory is read in parts, as
// [fs.ReadDirFile] wants it, for whatever lists files that stand on no disk.
package listing

import (
	"io"
	"io/fs"
)

// Unread are the entries of an open directory that were not read yet. Embedded
// beside an [fs.File], they make it an [fs.ReadDirFile].
type Unread []fs.DirEntry

// ReadDir implements [fs.ReadDirFile].
func (u *Unread) ReadDir(n int) ([]fs.DirEntry, error) {
	all := *u
	if n > 0 && len(all) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(all) {
		n = len(all)
	}
	*u = all[n:]
	return all[:n], nil
}
