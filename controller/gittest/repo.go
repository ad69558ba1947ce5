package gittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Repo is a bare repository on the server.
type Repo struct {
	// Dir is where it lies, for Git commands of the caller's own.
	Dir string

	server   *Server
	name     string
	listings atomic.Int64
	fetches  atomic.Int64

	mu     sync.Mutex
	access []Access
	closed bool
}

// Repo returns the repository of that name, which it makes, empty and with
// main as its default branch, if there is none. A name may have slashes.
func (s *Server) Repo(name string) (*Repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[name]; r != nil {
		return r, nil
	}
	r := &Repo{Dir: filepath.Join(s.dir, filepath.FromSlash(name)+".git"), server: s, name: name}
	if _, err := os.Stat(r.Dir); errors.Is(err, os.ErrNotExist) {
		if _, err := run(context.Background(), s.dir, nil, "init", "--quiet", "--bare", "--initial-branch=main", r.Dir); err != nil {
			return nil, err
		}
	}
	s.repos[name] = r
	return r, nil
}

func (s *Server) find(name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[name]
}

// URL is the repository's over HTTP.
func (r *Repo) URL() string { return "http://" + r.server.addresses[0] + "/" + r.name + ".git" }

// HTTPS is the repository's URL over HTTPS; the server's CA vouches for it.
func (r *Repo) HTTPS() string { return "https://" + r.server.addresses[1] + "/" + r.name + ".git" }

// SSH is the repository's URL over SSH.
func (r *Repo) SSH() string { return "ssh://git@" + r.server.addresses[2] + "/" + r.name + ".git" }

// Listings counts how often its references were asked for, with success.
func (r *Repo) Listings() int { return int(r.listings.Load()) }

// Fetches counts how often objects were asked for.
func (r *Repo) Fetches() int { return int(r.fetches.Load()) }

// Commit is what changes with a commit. The zero value is an empty one on main.
type Commit struct {
	Branch  string            // default: main
	Files   map[string]string // by path, whole
	Links   map[string]string // symbolic links
	Modules map[string]string // submodules: commits by path
	Remove  []string
	Replace bool   // remove everything else
	Message string // default: change
	Author  string // NAME <EMAIL>; default: Dev <dev@example.com>
	Amend   bool   // take the place of the branch's last commit: a rewritten history
	Signing *Signing
}

// Signing is how git signs: Format as in gpg.format, Key as in user.signingKey.
type Signing struct {
	Format string
	Key    string
	Env    []string // such as GNUPGHOME
}

// Commit adds a commit to a branch and returns its hash.
func (r *Repo) Commit(ctx context.Context, c Commit) (string, error) {
	c.Branch, c.Message, c.Author = or(c.Branch, "main"), or(c.Message, "change"), or(c.Author, "Dev <dev@example.com>")
	ref := "refs/heads/" + c.Branch
	parent, _ := r.Git(ctx, "rev-parse", "--verify", "--quiet", ref)
	var stream bytes.Buffer
	fmt.Fprintf(&stream, "feature done\ncommit %s\ncommitter %s %d +0000\ndata %d\n%s\n", ref, c.Author, time.Now().Unix(), len(c.Message), c.Message)
	if parent != "" {
		base := parent
		if c.Amend {
			base += "^0"
		}
		fmt.Fprintf(&stream, "from %s\n", base)
	}
	c.write(&stream)
	stream.WriteString("done\n")
	if _, err := run(ctx, r.Dir, &stream, "fast-import", "--quiet", "--force", "--done"); err != nil {
		return "", err
	}
	if c.Signing != nil || c.Amend {
		return r.redo(ctx, c, ref, parent)
	}
	return r.Git(ctx, "rev-parse", ref)
}

func (c Commit) write(stream *bytes.Buffer) {
	if c.Replace {
		stream.WriteString("deleteall\n")
	}
	for _, path := range c.Remove {
		fmt.Fprintf(stream, "D %s\n", quote(path))
	}
	for _, set := range []struct {
		mode  string
		files map[string]string
	}{{"100644", c.Files}, {"120000", c.Links}} {
		for _, path := range slices.Sorted(maps.Keys(set.files)) {
			fmt.Fprintf(stream, "M %s inline %s\ndata %d\n%s\n", set.mode, quote(path), len(set.files[path]), set.files[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(c.Modules)) {
		fmt.Fprintf(stream, "M 160000 %s %s\n", c.Modules[path], quote(path))
	}
}

// redo makes the branch's last commit again: signed, or in place of its parent.
func (r *Repo) redo(ctx context.Context, c Commit, ref, parent string) (string, error) {
	args := []string{"commit-tree", ref + "^{tree}", "-m", c.Message}
	if c.Amend && parent != "" {
		grand, _ := r.Git(ctx, "rev-parse", "--verify", "--quiet", parent+"^")
		parent = grand
	}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	name, mail, _ := strings.Cut(strings.TrimSuffix(c.Author, ">"), " <")
	env := []string{"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + mail, "GIT_COMMITTER_NAME=" + name, "GIT_COMMITTER_EMAIL=" + mail}
	if c.Signing != nil {
		args = append([]string{"-c", "gpg.format=" + c.Signing.Format, "-c", "user.signingKey=" + c.Signing.Key}, args...)
		args, env = append(args, "-S"), append(env, c.Signing.Env...)
	}
	hash, err := runEnv(ctx, r.Dir, nil, env, args...)
	if err != nil {
		return "", err
	}
	_, err = r.Git(ctx, "update-ref", ref, hash)
	return hash, err
}

// Tag makes or moves a tag; a message makes it an annotated one, and signing a
// signed one.
func (r *Repo) Tag(ctx context.Context, name, commit, message string, signing *Signing) error {
	args := []string{"tag", "--force"}
	var env []string
	if signing != nil {
		args = append([]string{"-c", "gpg.format=" + signing.Format, "-c", "user.signingKey=" + signing.Key}, append(args, "--sign")...)
		env = signing.Env
	} else if message != "" {
		args = append(args, "--annotate")
	}
	if message != "" {
		args = append(args, "--message="+message)
	}
	_, err := runEnv(ctx, r.Dir, nil, env, append(args, name, commit)...)
	return err
}

// Reset moves a branch to another commit, as a force push does; without a
// commit it is deleted.
func (r *Repo) Reset(ctx context.Context, branch, commit string) error {
	args := []string{"update-ref", "-d", "refs/heads/" + branch}
	if commit != "" {
		args = []string{"update-ref", "refs/heads/" + branch, commit}
	}
	_, err := r.Git(ctx, args...)
	return err
}

// Git runs a command in the repository and returns what it prints, trimmed.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	return run(ctx, r.Dir, nil, args...)
}

func run(ctx context.Context, dir string, stdin *bytes.Buffer, args ...string) (string, error) {
	return runEnv(ctx, dir, stdin, nil, args...)
}

// runEnv runs git without the configuration of whoever runs the tests.
func runEnv(ctx context.Context, dir string, stdin *bytes.Buffer, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Dev", "GIT_AUTHOR_EMAIL=dev@example.com", "GIT_COMMITTER_NAME=Dev", "GIT_COMMITTER_EMAIL=dev@example.com",
	}, env...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// Object writes an object of any content, well-formed or not, and returns its
// hash. The kind is blob, tree, commit or tag.
func (r *Repo) Object(ctx context.Context, kind string, content []byte) (string, error) {
	return run(ctx, r.Dir, bytes.NewBuffer(content), "hash-object", "-t", kind, "-w", "--stdin", "--literally")
}
