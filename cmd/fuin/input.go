package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/seal"
)

// stdinName is how messages name the file "-".
const stdinName = "standard input"

// An input is a manifest to read: a file that was named, one that was found in
// a directory, or "-".
type input struct {
	path  string
	found bool
}

func (in input) name() string {
	if in.path == "-" {
		return stdinName
	}
	return in.path
}

// inputs lists the files that the arguments mean, each once, directories in
// the order of their paths.
func (u *ui) inputs(args []string) ([]input, error) {
	var out []input
	seen, dirs := map[string]bool{}, map[string]string{}
	add := func(in input) {
		if real := realInput(in, dirs); !seen[real] {
			seen[real] = true
			out = append(out, in)
		}
	}
	for _, arg := range args {
		info, err := statArgument(arg)
		switch {
		case err != nil:
			return nil, err
		case info == nil || !info.IsDir():
			add(input{path: arg})
		default:
			if err := u.walk(arg, add); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// realInput is an input's path without symbolic links; dirs are directories
// without, which files that were found share.
func realInput(in input, dirs map[string]string) string {
	real, err := in.path, error(nil)
	switch dir, base := filepath.Split(in.path); {
	case in.path == "-":
	case !in.found:
		real, err = filepath.EvalSymlinks(in.path)
	default: // no link
		if dirs[dir] == "" {
			dirs[dir], err = filepath.EvalSymlinks(dir)
		}
		real = filepath.Join(dirs[dir], base)
	}
	if err != nil {
		return in.path
	}
	return real
}

// statArgument returns nil for standard input.
func statArgument(arg string) (fs.FileInfo, error) {
	if arg == "-" {
		return nil, nil
	}
	if err := refusePrivate(arg); err != nil {
		return nil, err
	}
	info, err := os.Stat(arg)
	if err != nil {
		return nil, fileError(arg, err)
	}
	return info, nil
}

// refusePrivate keeps a private key that stands where a path belongs out of
// messages; as an argument every process of the machine could read it.
func refusePrivate(path string) error {
	if strings.Contains(strings.ToUpper(path), "AGE-SECRET-KEY-") || strings.Contains(path, "-----BEGIN") {
		return misuse("put it into a file and name that; this one is in your shell's history now",
			"a key's text, where the path of a file belongs")
	}
	return nil
}

// walk adds the manifests below a directory. It leaves out what is hidden, as
// .git is, and does not follow symbolic links: they may lead out of the tree.
func (u *ui) walk(dir string, add func(input)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fileError(path, err)
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case !d.IsDir() && !isManifestName(path):
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			u.warnOfLink(dir, path)
		case d.Type().IsRegular():
			add(input{path: path, found: true})
		}
		return nil
	})
}

func isManifestName(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path)))
}

// warnOfLink tells of links that lead out of the directory; the others' targets
// are met by themselves.
func (u *ui) warnOfLink(dir, link string) {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		return
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return
	}
	if rel, err := filepath.Rel(root, target); err != nil || !filepath.IsLocal(rel) {
		u.warn(link, "passed over: a symbolic link that leads out of %s; name it to have it sealed", dir)
	}
}

// read returns the content of an input, bounded.
func (u *ui) read(ctx context.Context, in input) ([]byte, error) {
	if in.path == "-" {
		return u.readStdin(ctx, "a manifest", seal.MaxManifest)
	}
	return readFile(ctx, in.path, seal.MaxManifest)
}

// readFile reads at most one byte more than limit, so that what is too large
// is seen to be. A pipe that nobody writes to can be interrupted.
func readFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	if err := refusePrivate(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if info.IsDir() {
		return nil, failAt(path, "name a file", "a directory")
	}
	open := func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f, info.Size(), limit)
	}
	var data []byte
	if info.Mode().IsRegular() {
		data, err = open()
	} else {
		data, err = interruptible(ctx, open)
	}
	if err != nil {
		return nil, fileError(path, err)
	}
	return data, nil
}

// oneStdin refuses to read standard input for two things.
func oneStdin(names ...string) error {
	count := 0
	for _, name := range names {
		if name == "-" {
			count++
		}
	}
	if count > 1 {
		return misuse("give all but one of them as files", "standard input is named twice")
	}
	return nil
}

// readStdin reads all of standard input, once; what says what is expected.
func (u *ui) readStdin(ctx context.Context, what string, limit int64) ([]byte, error) {
	if u.isTerminal(u.stdin) {
		u.note("reading %s from standard input; end with ctrl-d", what)
	}
	data, err := interruptible(ctx, func() ([]byte, error) { return readAll(u.stdin, 0, limit) })
	if err != nil {
		return nil, fileError(stdinName, err)
	}
	return data, nil
}

func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(size, limit)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, limit+1))
	return b.Bytes(), err
}

// interruptible gives up on a read that may block for ever. Its goroutine ends
// with the read, or with the program, which follows at once.
func interruptible(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fileError names the file once, and says what to do.
func fileError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	hint := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = "check the path; - is standard input"
	case errors.Is(err, fs.ErrPermission):
		hint = "run it as a user who has access, or change the permissions"
	}
	return &fault{err: &named{path, err}, hint: hint, code: codeOfFile(err)}
}

// failAt is an error about a file that is none of the system's.
func failAt(path, hint, format string, args ...any) error {
	return &fault{err: &named{path, fmt.Errorf(format, args...)}, hint: hint, code: exitError}
}

// codeOfFile leaves the exit code of an interrupted read to the interruption.
func codeOfFile(err error) int {
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitError
}

// named is an error about a file or a flag.
type named struct {
	what string
	err  error
}

func (n *named) Error() string { return n.what + ": " + n.err.Error() }
func (n *named) Unwrap() error { return n.err }
