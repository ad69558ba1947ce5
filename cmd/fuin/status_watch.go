package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// follow shows Environments until it is interrupted.
func (f *statusFlags) follow(ctx context.Context, u *ui, c *cluster, s scope) error {
	follower := &follower{u: u, cluster: c, scope: s, show: lines(u)}
	if u.isTerminal(u.stdout) {
		follower.show = func(all []environment) (bool, error) {
			t := &table{now: u.now()}
			t.printStatus(s, statusShape{Environments: shapes(all, environment.shape)})
			_, err := fmt.Fprint(u.stdout, "\x1b[H\x1b[2J"+t.String())
			return false, err
		}
	}
	return follower.run(ctx)
}

// lines prints a line for each Environment, and another whenever it changes.
func lines(u *ui) func([]environment) (bool, error) {
	shown := map[string]string{}
	return func(all []environment) (bool, error) {
		now := map[string]string{}
		for _, e := range all {
			s := e.shape()
			now[s.title()] = oneLine(s)
		}
		for title := range shown {
			if now[title] == "" {
				now[title] = title + " was deleted"
			}
		}
		for _, title := range slices.Sorted(maps.Keys(now)) {
			if now[title] == shown[title] {
				continue
			}
			if _, err := fmt.Fprintf(u.stdout, "%s %s\n", u.now().UTC().Format(time.TimeOnly), now[title]); err != nil {
				return false, err
			}
		}
		shown = now
		return false, nil
	}
}

// oneLine is all of an Environment that changes, on a line.
func oneLine(e environmentShape) string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s %s", e.title(), e.State, revisions(e), cut(e.Message, 160)), " ")
}

// revisions shows both revisions where the applied one is not the attempted.
func revisions(e environmentShape) string {
	applied := dash(shortRevision(e.AppliedRevision))
	if e.AttemptedRevision == "" || e.AttemptedRevision == e.AppliedRevision {
		return applied
	}
	return applied + " (" + shortRevision(e.AttemptedRevision) + " attempted)"
}
