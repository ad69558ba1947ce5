package main

import (
	"cmp"
	"context"
	"errors"
	"time"
)

const (
	followPause = 500 * time.Millisecond // between two watches
	followPoll  = 2 * time.Second        // between looks, where nothing may be watched or nobody answers
)

// A follower looks at Environments again and again. It outlives the API
// server: only the first look may fail.
type follower struct {
	u       *ui
	cluster *cluster
	scope   scope
	// show is called with what there is, first and after every change, until it
	// is done or fails. An Environment that is gone is not in the list.
	show func([]environment) (done bool, err error)

	// every is how often it reads anew though nothing seems to change; default:
	// watchTime.
	every time.Duration

	reached bool // at least once
	lost    bool // and not since
	polls   bool // since it may not watch
}

// errDone ends a watch.
var errDone = errors.New("done")

// run ends with show, or with ctx and its error.
func (f *follower) run(ctx context.Context) error {
	for {
		pause, err := f.look(ctx)
		if errors.Is(err, errDone) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// look reads and then watches, and tells how soon to look again.
func (f *follower) look(ctx context.Context) (time.Duration, error) {
	all, version, err := f.cluster.environments(ctx, f.scope)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case f.reached && errors.Is(err, errAbsent):
		all = nil
	case f.reached:
		f.miss(err)
		return followPoll, nil
	default:
		return 0, err
	}
	f.reach()
	if err := f.showAll(all); err != nil || f.polls {
		return followPoll, err
	}
	return f.await(ctx, all, version)
}

// await watches until the stream ends, for whatever reason but one of show's.
func (f *follower) await(ctx context.Context, all []environment, version string) (time.Duration, error) {
	watching, cancel := context.WithTimeout(ctx, cmp.Or(f.every, watchTime))
	defer cancel()
	var shown error
	err := f.cluster.watchEnvironments(watching, f.scope, all, version, func(all []environment) error {
		shown = f.showAll(all)
		return shown
	})
	switch {
	case shown != nil:
		return 0, shown
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case refused(err):
		f.polls = true
		f.u.note("%s; looking every %s", err, followPoll)
		return followPoll, nil
	case err == nil, watching.Err() != nil, errors.Is(err, errExpired):
		return followPause, nil
	}
	return followPoll, nil
}

// refused tells a right that is missing from a server that is away.
func refused(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

func (f *follower) showAll(all []environment) error {
	done, err := f.show(all)
	if err == nil && done {
		return errDone
	}
	return err
}

func (f *follower) miss(err error) {
	if !f.lost {
		f.u.note("%s; trying again", err)
	}
	f.lost = true
}

func (f *follower) reach() {
	if f.lost {
		f.u.note("%s answers again", f.cluster)
	}
	f.reached, f.lost = true, false
}
