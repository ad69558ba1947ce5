package source

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// node is a file or a directory of a commit.
type node struct {
	name     string
	mode     fs.FileMode
	hash     plumbing.Hash
	size     int64
	children []*node // of a directory, by name; of nothing else
	odd      bool    // a directory with a name in it that is not UTF-8: it cannot be read
}

// The bounds of a tree.
const (
	maxEntries = 100_000
	maxDepth   = 100
	maxPath    = 4096
)

// Modes of Git's trees. Others that old versions wrote are files.
const (
	modeTree    = "40000"
	modeSymlink = "120000"
	modeGitlink = "160000"
	modeExec    = "100755"
)

// isSubmodule tells a directory that lies in another repository.
func (n *node) isSubmodule() bool { return n.mode&fs.ModeIrregular != 0 }

func (n *node) find(name string) *node {
	i, found := slices.BinarySearchFunc(n.children, name, func(c *node, name string) int { return strings.Compare(c.name, name) })
	if !found {
		return nil
	}
	return n.children[i]
}

// walker reads all trees of a commit, and checks that all it names is there.
type walker struct {
	ctx     context.Context
	db      *database
	max     int64 // bytes of all files
	bytes   int64
	entries int
}

// tree reads the tree of a commit. Its errors name the path that is wrong.
func (d *database) tree(ctx context.Context, h plumbing.Hash, limit int64) (*snapshot, error) {
	w := &walker{ctx: ctx, db: d, max: limit}
	root := &node{name: ".", mode: fs.ModeDir | 0o755, hash: h}
	if err := w.fill(root, "", 0); err != nil {
		return nil, err
	}
	return &snapshot{db: d, root: root, size: w.bytes, nodes: w.entries}, nil
}

func (w *walker) fill(dir *node, path string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if depth > maxDepth || len(path) > maxPath {
		return fail(TooLarge, "", "directories of the repository are nested more than %d deep, below %.80q", maxDepth, path)
	}
	raw, err := w.db.read(dir.hash, plumbing.TreeObject)
	if err != nil {
		return fmt.Errorf("directory %q: %w", path, err)
	}
	for len(raw) > 0 {
		var n *node
		if n, raw, err = entryOf(raw, path); err != nil {
			return err
		}
		if w.entries++; w.entries > maxEntries {
			return fail(TooLarge, "", "the repository has more than %d files", maxEntries)
		}
		if !utf8.ValidString(n.name) {
			dir.odd = true
			continue
		}
		if err := w.complete(n, join(path, n.name), depth); err != nil {
			return err
		}
		dir.children = append(dir.children, n)
	}
	return sortUnique(dir.children, path)
}

// complete finds out what a tree does not tell of an entry.
func (w *walker) complete(n *node, path string, depth int) error {
	switch {
	case n.isSubmodule():
		return nil
	case n.mode.IsDir():
		return w.fill(n, path, depth+1)
	}
	at, ok := w.db.find(n.hash)
	if !ok || at.kind != plumbing.BlobObject {
		return fmt.Errorf("file %q: %w", path, errPack)
	}
	n.size = at.size
	if w.bytes += at.size; w.bytes > w.max {
		return fail(TooLarge, "keep large files out of the repository, or raise the limit", "the files of the repository are larger than %d MiB", w.max>>20)
	}
	return nil
}

// entryOf reads MODE SP NAME NUL HASH.
func entryOf(raw []byte, path string) (*node, []byte, error) {
	head, rest, found := bytes.Cut(raw, []byte{0})
	mode, name, spaced := strings.Cut(string(head), " ")
	if !found || !spaced || len(rest) < len(plumbing.ZeroHash) {
		return nil, nil, fmt.Errorf("directory %q: %w", path, errObject)
	}
	if !safe(name) {
		return nil, nil, fail(Unsupported, "rename it", "the repository has a file called %.80q in %.200q, which could be mistaken for another", name, path)
	}
	n := &node{name: name, mode: modeOf(mode)}
	copy(n.hash[:], rest)
	return n, rest[len(n.hash):], nil
}

func modeOf(mode string) fs.FileMode {
	switch strings.TrimPrefix(mode, "0") {
	case modeTree:
		return fs.ModeDir | 0o755
	case modeSymlink:
		return fs.ModeSymlink | 0o777
	case modeGitlink:
		return fs.ModeDir | fs.ModeIrregular | 0o755
	case modeExec:
		return 0o755
	}
	return 0o644
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// sortUnique puts the entries into the order of their names: Git's own is as if
// those of directories ended with a slash.
func sortUnique(entries []*node, path string) error {
	slices.SortFunc(entries, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(entries); i++ {
		if entries[i].name == entries[i-1].name {
			return fail(Unsupported, "", "the repository has two files called %.80q in %.200q", entries[i].name, path)
		}
	}
	return nil
}

// safe refuses names that are no names, and those that some file system takes
// for .git: in another case, with characters it ignores, or its short name.
func safe(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxName || strings.ContainsAny(name, "/\x00") {
		return false
	}
	plain := strings.ToLower(strings.TrimRight(strings.Map(visible, name), ". "))
	plain, _, _ = strings.Cut(plain, ":")
	plain, _, _ = strings.Cut(plain, `\`)
	return plain != ".git" && plain != "git~1"
}

// visible drops what HFS+ ignores in names.
func visible(r rune) rune {
	switch {
	case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
		return -1
	}
	return r
}
