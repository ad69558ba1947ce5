package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fuin.dev/check"
)

// gitCommand is git, which here asks nothing and fetches nothing. It runs where
// fuin runs: hooks are told of their index by paths relative to that.
func gitCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "GIT_LITERAL_PATHSPECS=1")
	return cmd
}

// gitOutput runs git. What it says on standard error is about names alone.
func gitOutput(ctx context.Context, args ...string) ([]byte, error) {
	cmd := gitCommand(ctx, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, gitError(args[0], said.Bytes(), err)
	}
	return out.Bytes(), nil
}

func gitError(verb string, said []byte, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fail("install git", "there is no program git")
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	return fail("", "git %s: %w: %.200s", verb, err, strings.TrimPrefix(first, "fatal: "))
}

// gitFiles lists the files below a directory, relative to it: those in the
// index, and those that could be added to it.
func gitFiles(ctx context.Context, dir string) ([]string, error) {
	out, err := gitOutput(ctx, "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	return fieldsOf(out), nil
}

// fieldsOf are those of a list that git ends with NUL bytes.
func fieldsOf(out []byte) []string {
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// isTracked reports whether a file is in the index or could be added.
func isTracked(root, name string) bool {
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
		return false
	}
	cmd := gitCommand(context.Background(), "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "--error-unmatch", "--", name)
	return cmd.Run() == nil
}

// history finds what the commits of a range added, each version once. Of a
// merge that is what it has of none of its parents.
func (c *checkRun) history(ctx context.Context, commits string, paths []string) error {
	if strings.HasPrefix(commits, "-") {
		return misuse("as in main..HEAD", "--history %q: not a range of commits", commits)
	}
	args := []string{
		"log", "--raw", "-z", "-c", "--root", "--no-renames", "--no-abbrev", "--ignore-submodules", "--diff-filter=AMT",
		"--format=commit %H", "--end-of-options", commits, "--",
	}
	out, err := gitOutput(ctx, append(args, paths...)...)
	if err != nil {
		return err
	}
	seen := map[[2]string]bool{}
	err = eachChange(out, func(change gitChange) {
		if version := [2]string{change.name, change.blob}; change.isFile() && !seen[version] {
			seen[version] = true
			c.add(checkedFile{name: change.name, blob: change.blob, before: change.before, commit: change.commit})
		}
	})
	if err == nil && len(c.files) > 0 {
		c.blobs, err = openBlobs(ctx)
	}
	return err
}

// A gitChange is a path that differs; blob and before are "" for none. Of a
// merge neither before nor was, the mode of that, is known.
type gitChange struct{ name, mode, blob, was, before, status, commit string }

// isFile reports whether it is a file now: no link, no submodule, not deleted.
func (c gitChange) isFile() bool { return isRegular(c.mode) && c.blob != "" }

// isRegular leaves out links and submodules.
func isRegular(mode string) bool { return strings.HasPrefix(mode, "100") }

var errRaw = errors.New("git diff --raw: its answer is not of the form that is known")

// eachChange reads what git diff --raw -z prints, between lines that name
// commits: modes, hashes and a status, of a merge a column for each parent.
func eachChange(out []byte, visit func(gitChange)) error {
	commit := ""
	fields := fieldsOf(out)
	for i := 0; i < len(fields); i++ {
		field := strings.TrimLeft(fields[i], "\n")
		if hash, ok := strings.CutPrefix(field, "commit "); ok {
			commit, field, _ = strings.Cut(hash, "\n")
			if field = strings.TrimLeft(field, "\n"); field == "" {
				continue
			}
		}
		if field == "" {
			continue
		}
		parents := len(field) - len(strings.TrimLeft(field, ":"))
		columns := strings.Fields(field[parents:])
		if parents == 0 || len(columns) != 2*parents+3 || i+1 >= len(fields) {
			return errRaw
		}
		i++
		change := gitChange{name: fields[i], mode: columns[parents], blob: hashOf(columns[2*parents+1]), status: columns[2*parents+2], commit: commit}
		if parents == 1 {
			change.was, change.before = columns[0], hashOf(columns[2])
		}
		visit(change)
	}
	return nil
}

// hashOf is "" for the zeros that stand for no blob, or for one that git has not
// looked at.
func hashOf(column string) string {
	if strings.Trim(column, "0") == "" {
		return ""
	}
	return column
}

// gitBlobs reads blobs by their hash from one git process.
type gitBlobs struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	names  map[string]bool // that exists was asked for
	failed error
}

func openBlobs(ctx context.Context) (*gitBlobs, error) {
	b := &gitBlobs{cmd: gitCommand(ctx, "cat-file", "--batch"), names: map[string]bool{}}
	var err error
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.out = bufio.NewReaderSize(out, 64<<10)
	return b, gitStartError(b.cmd.Start())
}

func (b *gitBlobs) close() {
	_ = b.in.Close()
	_ = b.cmd.Wait()
}

// gitStartError is that of a program that does not start.
func gitStartError(err error) error {
	if err == nil {
		return nil
	}
	return gitError("cat-file", nil, err)
}

// pair reads a blob and the one it replaces.
func (b *gitBlobs) pair(blob, before string) (data, old []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok, err := b.get(blob, check.MaxFile)
	if err == nil && !ok {
		err = fail("is the clone partial, or damaged? git fsck tells", "git has no object %.12s", blob)
	}
	if err != nil {
		return nil, nil, err
	}
	if before != "" {
		if old, _, err = b.get(before, check.MaxFile); err != nil {
			return nil, nil, err
		}
	}
	return data, old, nil
}

// exists asks for a file of a commit.
func (b *gitBlobs) exists(commit, name string) bool {
	if strings.ContainsAny(name, "\n\x00") {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	spec := commit + ":" + name
	known, asked := b.names[spec]
	if !asked {
		_, known, _ = b.get(spec, 0)
		b.names[spec] = known
	}
	return known
}

// get reads an object, one byte more than limit at most; ok is false if git
// has none, or it is no file.
func (b *gitBlobs) get(spec string, limit int) (data []byte, ok bool, err error) {
	o, err := b.object(spec, limit)
	return o.data, o.kind == "blob", err
}

// A gitObject is one that git keeps, or the beginning of it; its kind is "" if
// there is none.
type gitObject struct {
	id, kind string
	data     []byte
}

func (b *gitBlobs) object(spec string, limit int) (o gitObject, err error) {
	if b.failed != nil {
		return o, b.failed
	}
	defer func() { b.failed = err }() // what follows cannot be told from the rest of this
	if _, err = fmt.Fprintln(b.in, spec); err != nil {
		return o, fmt.Errorf("git cat-file: %w", err)
	}
	head, err := b.out.ReadString('\n')
	if err != nil {
		return o, fmt.Errorf("git cat-file: %w", err)
	}
	fields := strings.Fields(head)
	if len(fields) > 0 && slices.Contains([]string{"missing", "ambiguous"}, fields[len(fields)-1]) {
		return o, nil
	}
	if len(fields) != 3 {
		return o, errors.New("git cat-file: its answer is not of the form that is known")
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return o, errors.New("git cat-file: its answer is not of the form that is known")
	}
	o = gitObject{fields[0], fields[1], make([]byte, min(size, int64(limit)+1))}
	if _, err = io.ReadFull(b.out, o.data); err == nil {
		_, err = io.CopyN(io.Discard, b.out, size-int64(len(o.data))+1) // a line end follows
	}
	if err != nil {
		return gitObject{}, fmt.Errorf("git cat-file: %w", err)
	}
	return o, nil
}

// find reads an object by a name or hash.
func (b *gitBlobs) find(spec string, limit int) (gitObject, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.object(spec, limit)
}
