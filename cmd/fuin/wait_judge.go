package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
)

// A waiting is the wait for one Environment.
type waiting struct {
	title  string // NAMESPACE/NAME
	commit string // or "" for what the spec asks for
	until  string
	tree   *worktree // nil if there is none

	last   string          // how it stands
	told   map[string]bool // of that: a failure comes again with every try
	unseen bool            // the controller did not try the commit yet

	failing string    // the failure that was seen first
	since   time.Time // when

	done   bool
	result string // for people, if it went well
	err    error  // if not
}

// look judges an Environment once more and tells what changed.
func (w *waiting) look(ctx context.Context, u *ui, all []environment) {
	if w.done {
		return
	}
	for _, e := range all {
		if e.String() == w.title {
			w.judge(ctx, u, &e)
			return
		}
	}
	w.fail("fuin status -A lists those that there are", "it was deleted")
}

func (w *waiting) judge(ctx context.Context, u *ui, e *environment) {
	at, message := e.state()
	w.unseen = w.commit != "" && !w.is(e.Status.LastAttemptedRevision)
	w.progress(u, e)
	applied := w.applied(e)
	newer := !applied && w.superseded(ctx, e)
	switch {
	case applied && (at == stateReady || w.until == untilApplied || at == stateSuspended && e.condition("Ready").Status == "True"):
		w.succeed(e)
	case newer:
		u.note("%s: %s was superseded by %s, which is applied", w.title, shortCommit(w.commit), clean(shortRevision(e.Status.LastAppliedRevision)))
		w.succeed(e)
	case at == stateSuspended:
		w.fail("unset spec.suspend", "it is suspended, so nothing is applied")
	case at == stateDeleting:
		w.fail("", "it is being deleted")
	case !e.observed() || at != stateStalled && at != stateFailed:
		// at work
	case w.unseen && e.failedRevision():
		// that is about another revision
	case at == stateStalled && !w.unseen, w.lasts(e, u.now()):
		w.fail("fuin status "+w.title+" tells more", "%s: %s", clean(cmp.Or(e.reason(), string(at))), clean(message))
	}
}

// progress tells what was not told yet.
func (w *waiting) progress(u *ui, e *environment) {
	s := e.shape()
	said := strings.TrimSuffix(fmt.Sprintf("%s %s: %s", s.State, revisions(s), cut(s.Message, 300)), ": ")
	w.last = said
	if w.told[said] {
		return
	}
	if w.told == nil {
		w.told = map[string]bool{}
	}
	w.told[said] = true
	u.note("%s: %s", w.title, said)
}

// applied reports whether what is waited for is applied.
func (w *waiting) applied(e *environment) bool {
	last := e.Status.LastAppliedRevision
	switch {
	case !e.observed() || last == "":
		return false
	case w.commit != "":
		return w.is(last)
	}
	return last == e.Status.LastAttemptedRevision && e.condition("Reconciling").Status != "True"
}

// is reports whether a revision is of the commit, which may be shortened.
func (w *waiting) is(revision string) bool {
	commit := commitOf(revision)
	return commit == w.commit || isCommit().MatchString(w.commit) && strings.HasPrefix(commit, w.commit)
}

// superseded reports whether a revision that came after the commit is applied:
// by the history, or as far as the work tree knows.
func (w *waiting) superseded(ctx context.Context, e *environment) bool {
	if w.commit == "" {
		return false
	}
	newer := false
	for _, r := range e.Status.History {
		if w.is(r.Revision) {
			return newer
		}
		newer = newer || r.Result == resultApplied
	}
	return w.tree != nil && w.tree.contains(ctx, w.commit, commitOf(e.Status.LastAppliedRevision))
}

// reasonWaits is one that others decide: it is no failure of the revision.
const reasonWaits = "DependencyNotReady"

// lasts reports whether a failure outlasted a retry.
func (w *waiting) lasts(e *environment, now time.Time) bool {
	reason := e.reason()
	if reason == reasonWaits {
		return false
	}
	if failing := e.Status.LastAttemptedRevision + " " + reason; failing != w.failing {
		w.failing, w.since = failing, now
	}
	wait := patience(e.Spec.RetryInterval, 20*time.Second)
	if w.unseen {
		wait += patience(e.Spec.Interval, time.Minute) // until the source is looked at again
	}
	return now.Sub(w.since) >= wait
}

// patience is how long something takes at the most that the controller does at
// an interval, or at the default one.
func patience(interval string, otherwise time.Duration) time.Duration {
	d, err := time.ParseDuration(interval)
	if err != nil || d <= 0 {
		d = otherwise
	}
	return min(d+d/2, 10*time.Minute)
}

// failedRevision reports whether the failure is one of the revision that was
// attempted last, and not that no revision is to be had.
func (e *environment) failedRevision() bool {
	if len(e.Status.History) == 0 {
		return false
	}
	newest := e.Status.History[0]
	return newest.Revision == e.Status.LastAttemptedRevision && newest.Result != resultApplied &&
		strings.Contains(newest.Message, e.condition("Ready").Message)
}

func (w *waiting) succeed(e *environment) {
	at, _ := e.state()
	w.done, w.result = true, fmt.Sprintf("%s %s %s", w.title, at, clean(e.Status.LastAppliedRevision))
}

func (w *waiting) fail(hint, format string, args ...any) {
	w.done = true
	w.err = &fault{&named{w.title, fmt.Errorf(format, args...)}, hint, exitFindings}
}
