package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"fuin.dev/seal"
)

// A fileChange is a regular file that differs between two states of a
// repository, as git diff --raw tells it.
type fileChange struct {
	path          string // from the root of the work tree
	before, after string // the blobs; "" if there is none
	inWorktree    bool   // after stands in the work tree, and has no blob yet
	unmerged      bool
}

// changes lists what git diff finds with these arguments: revisions or
// --cached, then -- and paths.
func (w *worktree) changes(ctx context.Context, args ...string) ([]fileChange, error) {
	raw := []string{"diff", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules"}
	out, err := w.output(ctx, append(raw, args...)...)
	if err != nil {
		return nil, err
	}
	return changesIn(out)
}

// output is what git prints.
func (w *worktree) output(ctx context.Context, args ...string) ([]byte, error) {
	out, err := w.command(ctx, args...).Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exit):
		return nil, fail("is this a git work tree, and is that what its revisions and paths are called?",
			"git %s: %s", args[0], firstLine(exit.Stderr))
	}
	return nil, fail("install git, or put it into $PATH", "git: %w", err)
}

// root is the top directory of the work tree.
func (w *worktree) root(ctx context.Context) (string, error) {
	out, err := w.output(ctx, "rev-parse", "--show-toplevel")
	return strings.TrimSuffix(string(out), "\n"), err
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimPrefix(string(text), "fatal: "), "\n")
	return line
}

// changesIn are those in what git diff --raw -z prints. None of a merge is: on
// which side it differs cannot be told.
func changesIn(raw []byte) ([]fileChange, error) {
	var out []fileChange
	isMerge := false
	err := eachChange(raw, func(found gitChange) {
		c := fileChange{path: found.name, unmerged: found.status == "U"}
		if isRegular(found.was) {
			c.before = found.before
		}
		if isRegular(found.mode) {
			c.after, c.inWorktree = found.blob, found.blob == ""
		}
		isMerge = isMerge || found.was == ""
		out = append(out, c)
	})
	if err == nil && isMerge {
		err = errRaw
	}
	return out, err
}

// blobs reads objects, bounded, one at a time and in order. Of one that is too
// large to be a manifest data is nil.
func (w *worktree) blobs(ctx context.Context, ids []string, each func(i int, data []byte) error) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := w.command(ctx, "cat-file", "--batch")
	cmd.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fail("install git, or put it into $PATH", "git: %w", err)
	}
	r := bufio.NewReaderSize(pipe, 64<<10)
	for i, id := range ids {
		data, failed := readBlob(r, id)
		if failed == nil {
			failed = each(i, data)
		}
		if failed != nil {
			cancel()
			_ = cmd.Wait() // it was stopped
			return failed
		}
	}
	return cmd.Wait()
}

// readBlob reads "ID blob SIZE\n", as many bytes, and a line end.
func readBlob(r *bufio.Reader, id string) ([]byte, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(head)
	if len(fields) != 3 || fields[1] != "blob" {
		return nil, fail("fetch it: a partial or shallow clone lacks it", "git has no blob %.12s", id)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	if size > seal.MaxManifest {
		_, err = io.CopyN(io.Discard, r, size+1)
		return nil, err
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	return data[:size:size], nil
}
