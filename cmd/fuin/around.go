package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"fuin.dev/config"
)

// A surrounding is what lies around the paths of a directory. It is looked for
// once a directory: a look-up asks for two files in every directory upwards.
type surrounding struct {
	dir  string // without symbolic links
	root string // that of the nearest .fuin.yaml; empty if there is none
	tree *tree  // nil outside of any
}

// around looks a path up, which need not exist yet; "-" is the working
// directory. real is the path without symbolic links.
func (u *ui) around(path string) (real string, s *surrounding, err error) {
	dir, base, err := unlinked(path)
	if err != nil {
		return "", nil, err
	}
	u.repositories.Lock()
	defer u.repositories.Unlock()
	s = u.repositories.around[dir]
	if s == nil {
		if s, err = u.lookAround(path, dir); err != nil {
			return "", nil, err
		}
		if u.repositories.around == nil {
			u.repositories.around = map[string]*surrounding{}
		}
		u.repositories.around[dir] = s
	}
	return filepath.Join(s.dir, base), s, nil
}

// unlinked tells a path's directory, as it was named, from the last part, which
// is no link; of a directory the last part is empty.
func unlinked(path string) (dir, base string, err error) {
	if path == "-" {
		path = "."
	}
	if err := refusePrivate(path); err != nil {
		return "", "", err
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		switch real, linkErr := realPath(path); {
		case linkErr == nil:
			path = real
			info, err = os.Lstat(path)
		case !errors.Is(linkErr, fs.ErrNotExist): // where it leads to may be made yet
			return "", "", fileError(path, linkErr)
		}
	}
	if err == nil && info.IsDir() {
		return path, "", nil
	}
	return filepath.Dir(path), filepath.Base(path), nil
}

// lookAround needs the lock on repositories.
func (u *ui) lookAround(path, dir string) (*surrounding, error) {
	real, err := realPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		real, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, fileError(path, err)
	}
	s := &surrounding{dir: real}
	s.root, err = config.Find(filepath.Join(real, config.File))
	if errors.Is(err, fs.ErrNotExist) {
		s.tree = u.tree(real)
		return s, nil
	}
	if err != nil {
		return nil, fileError(path, err)
	}
	s.tree = u.tree(s.root)
	return s, nil
}
