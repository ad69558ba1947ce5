package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// waitFlags are those of fuin wait.
type waitFlags struct {
	at       environmentFlags
	until    choice
	revision string
	timeout  time.Duration
}

// What fuin wait waits for.
const (
	untilReady   = "ready"
	untilApplied = "applied"
)

// waitEvery is how often fuin wait looks though nothing seems to change.
const waitEvery = 5 * time.Second

func newWait(u *ui) *cobra.Command {
	var f waitFlags
	cmd := &cobra.Command{
		Use:   "wait ENVIRONMENT|PATH",
		Short: "Wait until an environment applied a revision and is Ready",
		Long: `Wait until an environment applied a revision and is Ready, for pipelines that
push. ENVIRONMENT is NAME or NAMESPACE/NAME. PATH is a directory of a git work
tree and means the environments that apply this directory of this repository.

The revision is the commit that is checked out (HEAD): of PATH's work tree, or
of the one that the command runs in if the environment's source is one of its
remotes. Else it is whatever the environment's spec asks for now.

A failure counts once it outlasted a retry, and Stalled at once. A revision that
a newer one replaced before it was applied, or since, counts as done, with a
note. What goes on is told on standard error. The exit codes are:

    0  applied and Ready; with --for applied: applied
    3  the environment failed, is stalled, suspended or deleted
    4  not within --timeout, or the cluster is silent`,
		Example: `  git push && fuin wait overlays/production
  fuin wait production/shop --timeout 10m
  fuin wait shop -n staging --revision v1.2.3 --for applied`,
		Args: needArgs("an Environment or a directory", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.timeout < 0 {
				return misuse("0 looks once", "--timeout is negative")
			}
			return f.run(cmd.Context(), u, args[0])
		},
	}
	addChoice(cmd, &f.until, "for", "", "`RESULT` to wait for: ready or applied; the default is ready", untilReady, untilReady, untilApplied)
	cmd.Flags().StringVar(&f.revision, "revision", "", "`REVISION` to wait for: a commit, or a name for one in the work tree")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 5*time.Minute, "`TIME` to wait; the default is 5m, and 0 looks once")
	f.at.add(cmd)
	f.at.cluster.addKubeconfig(cmd)
	return cmd
}

func (f *waitFlags) run(ctx context.Context, u *ui, argument string) error {
	limited := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	c, s, waits, err := f.targets(limited, u, argument)
	if err != nil {
		return err
	}
	follower := &follower{u: u, cluster: c, scope: s, every: waitEvery, show: func(all []environment) (bool, error) {
		done := true
		for _, w := range waits {
			w.look(limited, u, all)
			done = done && w.done
		}
		return done || f.timeout == 0, nil
	}}
	if err := follower.run(limited); err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return err
	}
	return f.report(u, waits)
}

// report prints what came of each Environment.
func (f *waitFlags) report(u *ui, waits []*waiting) error {
	var failed faults
	for _, w := range waits {
		switch {
		case !w.done:
			failed = append(failed, w.timedOut(f.timeout))
		case w.err != nil:
			failed = append(failed, w.err)
		default:
			if _, err := fmt.Fprintln(u.stdout, w.result); err != nil {
				return err
			}
		}
	}
	return failed.orNil()
}

// timedOut says how far it came.
func (w *waiting) timedOut(timeout time.Duration) error {
	hint := "fuin status " + w.title + " tells more"
	if w.unseen {
		hint = "was " + shortCommit(w.commit) + " pushed to what the environment applies, and not replaced before it was seen? " + hint
	}
	return &fault{fmt.Errorf("%s: not %s within %s: %s", w.title, w.until, timeout, strings.TrimSuffix(w.last, ": ")), hint, exitUnreachable}
}
