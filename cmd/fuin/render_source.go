package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"fuin.dev/config"
	"fuin.dev/render"
)

// A renderSource is a directory to render, with the repository that it is in.
type renderSource struct {
	directory        render.Directory
	root             string // of the repository, absolute, without symbolic links
	inRepository     bool   // and not only a directory
	allowRemote      bool
	defaultNamespace string // of objects that name none; may be empty
	files            *os.Root
}

func (s *renderSource) close() { _ = s.files.Close() }

// source finds out what the argument means.
func (f *renderFlags) source(ctx context.Context, u *ui, argument string) (*renderSource, error) {
	info, err := statArgument(argument)
	if err != nil {
		return nil, err
	}
	if info != nil && info.IsDir() {
		return openSource(argument, argument, "")
	}
	in := input{path: argument}
	data, err := u.read(ctx, in)
	if err != nil {
		return nil, err
	}
	env, err := parseEnvironment(in.name(), data)
	if err != nil {
		return nil, err
	}
	at := "."
	if info != nil {
		at = filepath.Dir(argument)
	}
	s, err := openSource(at, ".", env.path())
	if err != nil {
		return nil, err
	}
	env.into(s)
	return s, nil
}

// openSource opens the repository of a directory, or else another directory.
// The path is that of what is rendered, in the repository; "" is the directory
// itself.
func openSource(dir, otherwise, inside string) (*renderSource, error) {
	abs, err := realPath(dir)
	if err != nil {
		return nil, fileError(dir, err)
	}
	s := &renderSource{}
	if s.root, s.inRepository = repositoryOf(abs); !s.inRepository {
		if s.root, err = realPath(otherwise); err != nil {
			return nil, fileError(otherwise, err)
		}
	}
	if inside == "" {
		if inside, err = filepath.Rel(s.root, abs); err != nil {
			return nil, fileError(dir, err)
		}
		inside = filepath.ToSlash(inside)
	}
	s.directory.Path = inside
	if s.files, err = os.OpenRoot(s.root); err != nil {
		return nil, fileError(s.root, err)
	}
	s.directory.Files = s.files.FS()
	return s, nil
}

// realPath is an absolute path without symbolic links.
func realPath(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// repositoryOf is the nearest directory upwards that holds .git, or else
// .fuin.yaml.
func repositoryOf(dir string) (root string, found bool) {
	for _, marker := range []string{".git", config.File} {
		for at := dir; ; at = filepath.Dir(at) {
			if _, err := os.Lstat(filepath.Join(at, marker)); err == nil {
				return at, true
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return "", false
}

// valuesFile is a file of the command line, relative to the chart.
func (s *renderSource) valuesFile(file string) (string, error) {
	chart := filepath.Join(s.root, filepath.FromSlash(s.directory.Path))
	abs, err := realPath(file)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(file) {
		if _, beside := os.Stat(filepath.Join(chart, file)); beside == nil {
			return "", failAt(file, "it is relative to the working directory; the chart has one of that name", "no such file or directory")
		}
	}
	if err != nil {
		return "", fileError(file, err)
	}
	if rel, err := filepath.Rel(s.root, abs); err != nil || !filepath.IsLocal(rel) {
		return "", failAt(file, "copy it there: an Environment could not name it either", "outside of the repository %s", s.root)
	}
	rel, err := filepath.Rel(chart, abs)
	if err != nil {
		return "", fileError(file, err)
	}
	return filepath.ToSlash(rel), nil
}

// within is the path of a directory of this machine in the repository, if it
// is there.
func (s *renderSource) within(dir string) (string, bool) {
	abs, err := filepath.Abs(dir)
	if real, err := realPath(dir); err == nil {
		abs = real
	}
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(s.root, abs)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// holds reports whether a path of the repository is in the directory that is
// rendered.
func (s *renderSource) holds(name string) bool {
	dir := path.Clean(s.directory.Path)
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}
