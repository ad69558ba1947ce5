package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"fuin.dev/lazy"
)

// A worktree is a directory of a Git work tree, as git tells of it.
type worktree struct {
	dir     string
	path    string   // of the directory in the repository; "." is its root
	head    string   // the commit
	remotes []string // their URLs
}

// gitTimeout is for one call of git, which reads a few files.
const gitTimeout = 10 * time.Second

// errNoWorktree is for a directory of which git knows no commit.
var errNoWorktree = errors.New("in no git work tree with a commit")

// openWorktree asks git about a directory. The error is errNoWorktree, also
// where there is no git.
func openWorktree(ctx context.Context, dir string) (*worktree, error) {
	w := &worktree{dir: dir}
	out, err := w.git(ctx, "rev-parse", "--show-prefix", "HEAD")
	if err != nil {
		return nil, err
	}
	prefix, head, _ := strings.Cut(out, "\n")
	w.path, w.head = path.Clean(prefix), strings.TrimSpace(head)
	out, err = w.git(ctx, "config", "--get-regexp", `^remote\..*\.url$`)
	if err != nil && !errors.Is(err, errNoWorktree) { // which means here: there is none
		return nil, err
	}
	for line := range strings.Lines(out) {
		if _, address, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			w.remotes = append(w.remotes, address)
		}
	}
	return w, nil
}

// resolve is the commit that a name means in the repository; "" if none.
func (w *worktree) resolve(ctx context.Context, name string) string {
	out, err := w.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// contains reports whether a commit is an ancestor of another, as far as the
// clone knows.
func (w *worktree) contains(ctx context.Context, ancestor, commit string) bool {
	if !isCommit().MatchString(ancestor) || !isCommit().MatchString(commit) {
		return false
	}
	_, err := w.git(ctx, "merge-base", "--is-ancestor", ancestor, commit)
	return err == nil
}

// isCommit matches a commit's hash, or enough of it.
var isCommit = lazy.Regexp(`^[0-9a-f]{7,64}$`)

// git runs git, which asks nothing, fetches nothing and is stopped in time.
func (w *worktree) git(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := w.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fail("is the file system slow? give --revision", "git in %s: no answer in time", w.dir)
		}
		return "", errNoWorktree
	}
	return out.String(), nil
}

// command is a call of git; it ends with the context.
func (w *worktree) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", w.dir}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1")
	cmd.WaitDelay = time.Second
	return cmd
}

// from reports whether a repository is one of the work tree's remotes.
func (w *worktree) from(repository string) bool {
	for _, remote := range w.remotes {
		if place := repositoryPlace(remote); place != "" && place == repositoryPlace(repository) {
			return true
		}
	}
	return false
}

// hasRemote reports whether a remote is known that Environments could name.
func (w *worktree) hasRemote() bool {
	for _, remote := range w.remotes {
		if repositoryPlace(remote) != "" {
			return true
		}
	}
	return false
}

var scpLike = lazy.Regexp(`^(?:[^@/\s]+@)?([^:/\s]{2,}):(.+)$`) // one letter is a drive

// repositoryPlace is HOST/PATH of a repository's URL, which HTTPS and SSH have
// in common; "" for a local one.
func repositoryPlace(address string) string {
	host, at := "", ""
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		host, at = u.Hostname(), u.Path
	} else if m := scpLike().FindStringSubmatch(address); m != nil && !strings.Contains(address, "://") {
		host, at = m[1], m[2]
	}
	if host == "" {
		return ""
	}
	return strings.ToLower(host) + "/" + strings.TrimSuffix(strings.Trim(at, "/"), ".git")
}

// isDirectory reports whether an argument means a directory.
func isDirectory(argument string) bool {
	if argument == "." || argument == ".." || filepath.IsAbs(argument) ||
		strings.HasPrefix(argument, "./") || strings.HasPrefix(argument, "../") {
		return true
	}
	info, err := os.Stat(argument)
	return err == nil && info.IsDir()
}
