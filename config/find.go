package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Find looks for the nearest .fuin.yaml from a file or directory upwards, and
// returns the directory that holds it. It goes no further than the root of the
// repository, where .git is. Outside of a repository it passes over files that
// belong to somebody else, but for one beside the path: what others left in /tmp
// says for nobody whom to seal for. The error is fs.ErrNotExist if there is none.
func Find(from string) (dir string, err error) {
	start, err := startOf(from)
	if err != nil {
		return "", err
	}
	root, isRepository := repository(start)
	for dir = start; ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(filepath.Join(dir, File))
		switch {
		case err == nil && (isRepository || dir == start || isOwn(info)):
			return dir, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("looking for %s: %w", File, err)
		case dir == root:
			return "", fmt.Errorf("looking for %s from %s up to %s: %w", File, start, root, fs.ErrNotExist)
		}
	}
}

// startOf is the directory of a path, which need not exist yet.
func startOf(from string) (string, error) {
	abs, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		return abs, nil
	}
	return filepath.Dir(abs), nil
}

// repository is the nearest directory upwards with .git, which is a file in a
// worktree; or else the root of the file system.
func repository(start string) (root string, found bool) {
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			return dir, false
		}
	}
}
