package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newHook(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hook",
		Short: "Check every commit before it is made",
		Long: `Check every commit before it is made. The hook runs fuin check --staged, which
refuses a commit that holds a plaintext secret.`,
	}
	cmd.AddCommand(newHookInstall(u), newHookUninstall(u))
	needVerb(cmd)
	return cmd
}

func newHookInstall(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Install the hook in this repository",
		Long: `Install the hook in the Git repository of the current directory. A hook that is
there already keeps what it does; the check comes first.

Where pre-commit, lefthook or husky write the hooks, the lines to add to their
configuration are printed instead.

Git is set up as well, in this clone, to show and merge SealedSecrets value by
value.`,
		Example: `  fuin hook install
  cd other-clone && fuin hook install`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return installHook(cmd.Context(), u, ".") },
	}
}

func newHookUninstall(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the hook from this repository",
		Long: `Remove the hook from the Git repository of the current directory, and what Git
was told about SealedSecrets. What others wrote stays.`,
		Example: `  fuin hook uninstall
  cd other-clone && fuin hook uninstall`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return uninstallHook(cmd.Context(), u, ".") },
	}
}

// installHook makes the hook of the repository that a directory is in, or
// prints what its hook manager needs.
func installHook(ctx context.Context, u *ui, dir string) error {
	h, err := findHook(ctx, dir)
	if err != nil {
		return err
	}
	if err := h.teachGit(ctx, u); err != nil {
		return err
	}
	if m := hookManagerOf(h.root); m != nil {
		u.note("the hooks of this repository are written by %s; add these lines to %s", m.name, m.into)
		_, err := u.stdout.Write([]byte(m.lines))
		return err
	}
	if err := h.own(); err != nil {
		return err
	}
	old, err := readHook(h.path)
	if err != nil {
		return err
	}
	text, ok := withHook(old)
	if !ok {
		return failAt(h.path, "add a line to it that runs "+hookLine, "a hook that no shell reads")
	}
	if err := writeHook(h.path, text); err != nil {
		return err
	}
	u.note("%s runs %s before each commit", h.path, hookLine)
	return nil
}

func uninstallHook(ctx context.Context, u *ui, dir string) error {
	h, err := findHook(ctx, dir)
	if err != nil {
		return err
	}
	if err := h.unteachGit(ctx); err != nil {
		return err
	}
	old, err := readHook(h.path)
	if err != nil {
		return err
	}
	text, found := withoutHook(old)
	switch {
	case !found:
		u.note("%s runs no check of fuin", h.path)
		return nil
	case isEmptyHook(text):
		err = fileErrorOrNil(h.path, os.Remove(h.path))
	default:
		err = writeHook(h.path, text)
	}
	if err == nil {
		u.note("%s runs no check of fuin any more", h.path)
	}
	return err
}

// hook is where git looks for the hook of a repository.
type hook struct {
	tree         *worktree
	root, gitDir string
	path         string
	attributes   string // those of this clone alone
}

func findHook(ctx context.Context, dir string) (*hook, error) {
	w := &worktree{dir: dir}
	out, err := w.git(ctx, "rev-parse", "--show-toplevel", "--git-common-dir", "--git-path", "hooks", "--git-path", "info/attributes")
	if errors.Is(err, errNoWorktree) {
		return nil, fail("git init makes one", "this directory is in no Git work tree")
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if err != nil || len(lines) != 4 {
		return nil, errors.Join(err, errNoWorktree)
	}
	hooks, gitDir, attributes := lines[2], lines[1], lines[3]
	for _, p := range []*string{&hooks, &gitDir, &attributes} {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return &hook{tree: w, root: lines[0], gitDir: gitDir, path: filepath.Join(hooks, "pre-commit"), attributes: attributes}, nil
}

// own refuses a place that is not this repository's: core.hooksPath may lead to
// the hooks of all repositories of a user.
func (h *hook) own() error {
	at, err := filepath.Abs(h.path)
	if err != nil {
		return err
	}
	for _, dir := range []string{h.root, h.gitDir} {
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		if strings.HasPrefix(at, dir+string(filepath.Separator)) {
			return nil
		}
	}
	return failAt(h.path, "add a line to it that runs "+hookLine+", or unset core.hooksPath here",
		"core.hooksPath leads to hooks that other repositories may share")
}

// maxHook bounds a hook that is read, in bytes.
const maxHook = 1 << 20

func readHook(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fileError(path, err)
	case !info.Mode().IsRegular() || info.Size() > maxHook:
		return nil, failAt(path, "move it away", "no hook that could be changed")
	}
	text, err := os.ReadFile(path)
	return text, fileErrorOrNil(path, err)
}

// writeHook writes a hook that git runs.
func writeHook(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as git makes it
		return fileError(path, err)
	}
	if err := writeFile(path, text, 0o755); err != nil {
		return err
	}
	return fileErrorOrNil(path, os.Chmod(path, 0o755)) //nolint:gosec // git runs it
}
