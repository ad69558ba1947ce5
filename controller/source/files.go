package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"fuin.dev/render/listing"
	"github.com/go-git/go-git/v5/plumbing"
)

// snapshot is a commit's tree, read from a database. It is an fs.ReadDirFS,
// fs.ReadFileFS, fs.StatFS and fs.ReadLinkFS, for any number of readers.
type snapshot struct {
	db     *database
	root   *node
	hash   plumbing.Hash
	info   Commit
	size   int64                // of all files together
	nodes  int                  // how many files and directories there are
	mounts map[string]*snapshot // submodules and theirs, by path
}

// What can be wrong with a file, beside what io/fs knows.
var (
	errEscapes   = errors.New("the symbolic link leads out of the repository")
	errLoop      = errors.New("too many symbolic links")
	errSubmodule = errors.New("it lies in a submodule, which was not fetched: set submodules: true")
	errOddName   = errors.New("a name in this directory is not UTF-8: rename the file")
)

const maxLinks = 40

// spot is where a path leads: a node, in the snapshot that has it.
type spot struct {
	in   *snapshot
	node *node
	path string
}

// Open opens a file, or a directory for reading its entries.
func (s *snapshot) Open(name string) (fs.File, error) {
	at, err := s.locate("open", name, true)
	if err != nil {
		return nil, err
	}
	if at.node.mode.IsDir() {
		entries, err := at.entries()
		return &openDir{at.info(), name, entries, err}, nil
	}
	content, err := at.content("open", name)
	if err != nil {
		return nil, err
	}
	return &openFile{info: at.info(), Reader: bytes.NewReader(content)}, nil
}

// ReadFile returns a file's content, which is the caller's.
func (s *snapshot) ReadFile(name string) ([]byte, error) {
	at, err := s.locate("open", name, true)
	if err != nil {
		return nil, err
	}
	return at.content("read", name)
}

// ReadDir lists a directory by name. Symbolic links are listed as such.
func (s *snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := s.locate("open", name, true)
	if err != nil {
		return nil, err
	}
	entries, err := at.entries()
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return entries, nil
}

// Stat describes what a path leads to.
func (s *snapshot) Stat(name string) (fs.FileInfo, error) { return s.stat("stat", name, true) }

// Lstat describes what a path names, be it a symbolic link.
func (s *snapshot) Lstat(name string) (fs.FileInfo, error) { return s.stat("lstat", name, false) }

func (s *snapshot) stat(op, name string, follow bool) (fs.FileInfo, error) {
	at, err := s.locate(op, name, follow)
	if err != nil {
		return nil, err
	}
	return at.info(), nil
}

// ReadLink returns the text of a symbolic link, wherever that leads.
func (s *snapshot) ReadLink(name string) (string, error) {
	at, err := s.locate("readlink", name, false)
	if err != nil {
		return "", err
	}
	if at.node.mode.Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	content, err := at.blob()
	return string(content), err
}

// locate finds a path; follow tells whether to follow the last of it, too. Its
// error names the path that was asked for, and the link that is to blame.
func (s *snapshot) locate(op, name string, follow bool) (spot, error) {
	if !fs.ValidPath(name) {
		return spot{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, err := s.resolve(name, follow)
	if err != nil {
		return spot{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return at, nil
}

func (s *snapshot) resolve(name string, follow bool) (spot, error) {
	at, rest, links := s.top(), name, 0
	for rest != "" && rest != "." {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		next, err := s.step(at, part)
		if err != nil {
			return spot{}, err
		}
		if next.node.mode.Type() != fs.ModeSymlink || rest == "" && !follow {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return spot{}, fmt.Errorf("%w at %q", errLoop, next.path)
		}
		target, err := next.leads()
		if err != nil {
			return spot{}, err
		}
		at, rest = s.top(), path.Join(target, rest)
	}
	return at, nil
}

func (s *snapshot) top() spot { return spot{s, s.root, "."} }

// step goes from a directory to one of its entries, into a submodule if it is one.
func (s *snapshot) step(at spot, part string) (spot, error) {
	if at.node.isSubmodule() {
		return spot{}, fmt.Errorf("%q: %w", at.path, errSubmodule)
	}
	n := at.node.find(part)
	if !at.node.mode.IsDir() || n == nil {
		return spot{}, fs.ErrNotExist
	}
	next := spot{at.in, n, path.Join(at.path, part)}
	if mounted := s.mounts[next.path]; mounted != nil && n.isSubmodule() {
		next = spot{mounted, mounted.root, next.path}
	}
	return next, nil
}

// leads returns the path that a symbolic link stands for.
func (at spot) leads() (string, error) {
	if at.node.size > maxPath {
		return "", fmt.Errorf("%w: %q", errEscapes, at.path)
	}
	content, err := at.blob()
	if err != nil {
		return "", err
	}
	target := path.Join(path.Dir(at.path), string(content))
	if strings.HasPrefix(string(content), "/") || !fs.ValidPath(target) {
		return "", fmt.Errorf("%w: %q", errEscapes, at.path)
	}
	return target, nil
}

func (at spot) blob() ([]byte, error) { return at.in.db.read(at.node.hash, plumbing.BlobObject) }

func (at spot) content(op, name string) ([]byte, error) {
	if at.node.mode.IsDir() {
		return nil, &fs.PathError{Op: op, Path: name, Err: syscall.EISDIR}
	}
	content, err := at.blob()
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return content, nil
}

func (at spot) entries() ([]fs.DirEntry, error) {
	switch {
	case at.node.isSubmodule():
		return nil, errSubmodule
	case at.node.odd:
		return nil, errOddName
	case !at.node.mode.IsDir():
		return nil, syscall.ENOTDIR
	}
	out := make([]fs.DirEntry, len(at.node.children))
	for i, n := range at.node.children {
		out[i] = fs.FileInfoToDirEntry(spot{at.in, n, ""}.info())
	}
	return out, nil
}

func (at spot) info() info { return info{at.node, at.in.info.Time} }

// info describes a file. All were changed when the commit was made.
type info struct {
	node *node
	time time.Time
}

func (i info) Name() string       { return i.node.name }
func (i info) Size() int64        { return i.node.size }
func (i info) Mode() fs.FileMode  { return i.node.mode &^ fs.ModeIrregular }
func (i info) ModTime() time.Time { return i.time }
func (i info) IsDir() bool        { return i.node.mode.IsDir() }
func (i info) Sys() any           { return nil }

type openFile struct {
	info
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Size() int64                { return f.info.Size() }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	info
	path string
	listing.Unread
	err error // of listing it
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: syscall.EISDIR}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: d.path, Err: d.err}
	}
	return d.Unread.ReadDir(n)
}
