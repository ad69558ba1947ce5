package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// The permissions of new files.
const (
	modePublic  fs.FileMode = 0o644
	modePrivate fs.FileMode = 0o600
)

// outputFlags say where a verb writes manifests, and how.
type outputFlags struct {
	format choice
	file   string
}

func (f *outputFlags) add(cmd *cobra.Command) {
	addChoice(cmd, &f.format, "output", "o",
		"`FORMAT`: yaml or json; the default is that of the input, and yaml where several inputs are written to one output",
		"", "yaml", "json")
	cmd.Flags().StringVar(&f.file, "out", "", "write to `FILE` instead of standard output, atomically")
}

// write puts data where the flags say. mode is that of a new file.
func (f *outputFlags) write(u *ui, data []byte, mode fs.FileMode) error {
	if f.file == "" {
		_, err := u.stdout.Write(data)
		return err
	}
	return writeFile(f.file, data, mode)
}

// writeFile makes or replaces a file: never half-written, never with another
// mode or owner than it had. A private file is never readable by others.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	target, info, err := resolve(path)
	if err != nil {
		return err
	}
	if info != nil && info.IsDir() {
		return failAt(path, "name a file", "a directory")
	}
	if info != nil && !info.Mode().IsRegular() {
		return fileErrorOrNil(path, os.WriteFile(target, data, mode))
	}
	if info != nil && mode != modePrivate {
		mode = info.Mode().Perm()
	}
	return replace(path, target, info, data, mode)
}

// rewriteFile replaces the content of an existing file in place.
func rewriteFile(path string, data []byte) error {
	target, info, err := resolve(path)
	if err != nil {
		return err
	}
	if info == nil || !info.Mode().IsRegular() {
		return failAt(path, "write to --out FILE instead", "no regular file, which writing in place needs")
	}
	return replace(path, target, info, data, info.Mode().Perm())
}

// resolve follows symbolic links, so that the file is replaced and not the
// link. info is nil if there is no file yet.
func resolve(path string) (target string, info fs.FileInfo, err error) {
	if err := refusePrivate(path); err != nil {
		return "", nil, err
	}
	if info, err = os.Lstat(path); err == nil && info.Mode().IsRegular() {
		return path, info, nil // where links lead to its directory, they do for the new file, too
	}
	info, err = os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return "", nil, failAt(path, "remove the link", "a symbolic link to nothing")
		}
		return path, nil, nil
	case err != nil:
		return "", nil, fileError(path, err)
	case !info.Mode().IsRegular():
		return path, info, nil // such as /dev/stdout, whose target may have no name
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, fileError(path, err)
	}
	return target, info, nil
}

// replace writes a temporary file beside the target and renames it.
func replace(path, target string, old fs.FileInfo, data []byte, mode fs.FileMode) error {
	if err := checkWritable(path, target, old); err != nil {
		return err
	}
	temp, err := writeTemp(path, target, old, data, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, target); err != nil {
		os.Remove(temp)
		return fileError(path, err)
	}
	return nil
}

// checkWritable respects a read-only file, which a rename would not.
func checkWritable(path, target string, old fs.FileInfo) error {
	if old == nil {
		return nil
	}
	err := writable(target)
	if errors.Is(err, fs.ErrPermission) || err == nil && old.Mode().Perm()&0o222 == 0 {
		return failAt(path, "make it writable (chmod u+w), or write to another file with --out", "read-only")
	}
	return fileErrorOrNil(path, err)
}

// writeTemp returns the path of a complete file on disk, or leaves none.
func writeTemp(path, target string, old fs.FileInfo, data []byte, mode fs.FileMode) (string, error) {
	dir := filepath.Dir(target)
	f, err := os.CreateTemp(dir, "."+filepath.Base(target)+".fuin-*")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", failAt(path, "a new file is written beside the old one; write elsewhere with --out FILE, or to standard output",
			"its directory %s is not writable", dir)
	case errors.Is(err, fs.ErrNotExist):
		return "", failAt(path, "make the directory first", "there is no directory %s", dir)
	case err != nil:
		return "", fileError(path, err)
	}
	err = errors.Join(fill(f, old, data, mode), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return "", fileError(path, err)
	}
	return f.Name(), nil
}

func fill(f *os.File, old fs.FileInfo, data []byte, mode fs.FileMode) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	if old != nil {
		if err := keepOwner(f, old); err != nil {
			return err
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Sync()
}

// createPrivate writes a new file that only its owner can read, and refuses to
// touch one that is there.
func createPrivate(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return existing(path)
	}
	temp, err := writeTemp(path, path, nil, data, modePrivate)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); errors.Is(err, fs.ErrExist) {
		return existing(path)
	} else if err != nil { // a file system without links
		return fileErrorOrNil(path, os.Rename(temp, path))
	}
	return nil
}

func existing(path string) error {
	return failAt(path, "choose another name: a lost private key cannot be made again", "exists already")
}

func fileErrorOrNil(path string, err error) error {
	if err == nil {
		return nil
	}
	return fileError(path, err)
}

// formatFor is the format to write that many inputs in: one output cannot mix
// YAML and JSON.
func (f *outputFlags) formatFor(inputs int) seal.Format {
	if f.format.value == "" && inputs > 1 {
		return seal.YAML
	}
	return seal.Format(f.format.value)
}

// joinOutcomes puts files of manifests behind each other.
func joinOutcomes(done []outcome) []byte {
	var b bytes.Buffer
	for _, one := range done {
		out := one.result.Out
		if b.Len() > 0 && len(out) > 0 {
			if b.Bytes()[b.Len()-1] != '\n' {
				b.WriteByte('\n')
			}
			if out[0] != '{' && !bytes.HasPrefix(out, []byte("---")) {
				b.WriteString("---\n")
			}
		}
		b.Write(out)
	}
	return b.Bytes()
}
