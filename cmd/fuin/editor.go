package main

import (
	"cmp"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// editorGrace is how long an editor may take to end when it is told to.
const editorGrace = 2 * time.Second

// runEditor waits for the editor, to which interrupts belong meanwhile. It holds
// the directory's lock, too: a run that is killed leaves nothing to wipe while
// somebody still edits.
func (u *ui) runEditor(ctx context.Context, p *private, file string) error {
	ctx, stop := ending(ctx)
	defer stop()
	u.yields.Store(true)
	defer u.yields.Store(false)
	args := u.editor(file)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = u.stdin, u.stdout, u.stderr
	cmd.ExtraFiles = inherited(p.lock)
	cmd.Cancel = func() error { return cmd.Process.Signal(endSignal) }
	cmd.WaitDelay = editorGrace
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &fault{errors.New("interrupted"), "nothing was written, and what was edited is gone", exitInterrupted}
	case errors.As(err, &exit):
		return fail("nothing was written, and what was edited is gone", "the editor %s failed: %s", args[0], exit)
	}
	return fail("name one in $VISUAL or $EDITOR", "no editor: %w", err)
}

// editor is the command line of the user's editor.
func (u *ui) editor(file string) []string {
	command := cmp.Or(strings.TrimSpace(u.getenv("VISUAL")), strings.TrimSpace(u.getenv("EDITOR")), "vi")
	if strings.ContainsAny(command, "|&;<>()$`\\\"'*?[#~=%\n") {
		return []string{"sh", "-c", command + ` "$@"`, command, file}
	}
	args := strings.Fields(command)
	if slices.Contains([]string{"vim", "nvim"}, filepath.Base(args[0])) {
		args = append(args, "-n", "-i", "NONE", "-c", "set noundofile") // else swapped, yanked and undone text is kept in $HOME
	}
	return append(args, file)
}
