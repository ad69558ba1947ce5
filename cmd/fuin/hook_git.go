package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// gitProgram is how Git calls fuin: by name, so that another version takes over
// where it is installed.
const gitProgram = "fuin"

// teachGit has git diff and git merge see SealedSecrets value by value. It is
// said in this clone alone: whoever has no fuin sees what they always saw.
func (h *hook) teachGit(ctx context.Context, u *ui) error {
	attributes, settings := gitSettings(gitProgram)
	for _, s := range settings {
		if _, err := h.tree.git(ctx, "config", "--local", s[0], s[1]); err != nil {
			return fail("can its .git/config be written?", "git config refuses %s", s[0])
		}
	}
	old, err := readHook(h.attributes)
	if err != nil {
		return err
	}
	if err := h.writeAttributes(append(linesWithout(old, attributes), attributes...)); err != nil {
		return err
	}
	u.note("git diff and git merge see SealedSecrets value by value in this clone")
	return nil
}

// unteachGit takes that back.
func (h *hook) unteachGit(ctx context.Context) error {
	attributes, settings := gitSettings(gitProgram)
	for _, s := range settings {
		section := s[0][:strings.LastIndex(s[0], ".")]
		if _, err := h.tree.git(ctx, "config", "--local", "--remove-section", section); err != nil && !errors.Is(err, errNoWorktree) {
			return err // errNoWorktree means here: there is none
		}
	}
	old, err := readHook(h.attributes)
	if err != nil || old == nil {
		return err
	}
	return h.writeAttributes(linesWithout(old, attributes))
}

func linesWithout(text []byte, drop []string) (kept []string) {
	dropped := map[string]bool{}
	for _, line := range drop {
		dropped[line] = true
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); !dropped[line] {
			kept = append(kept, line)
		}
	}
	return kept
}

func (h *hook) writeAttributes(lines []string) error {
	if len(lines) == 0 {
		err := os.Remove(h.attributes)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return fileErrorOrNil(h.attributes, err)
	}
	if err := os.MkdirAll(filepath.Dir(h.attributes), 0o755); err != nil { //nolint:gosec // as git makes it
		return fileError(h.attributes, err)
	}
	return writeFile(h.attributes, []byte(strings.Join(lines, "\n")+"\n"), modePublic)
}
