package main

import (
	"cmp"
	"net/url"
	"time"
)

// What fuin status knows, in the shape of -o json and -o yaml, which
// docs/operations.md documents: names stay, arrays are never null. Every text
// has been through clean, since others wrote it.

type statusShape struct {
	Environments []environmentShape `json:"environments"`
	Keys         []listedKey        `json:"keys"`
	Notes        []string           `json:"notes"`
}

type environmentShape struct {
	Namespace         string           `json:"namespace"`
	Name              string           `json:"name"`
	State             state            `json:"state"`
	Reason            string           `json:"reason"`
	Message           string           `json:"message"`
	Source            sourceShape      `json:"source"`
	AttemptedRevision string           `json:"attemptedRevision"`
	AppliedRevision   string           `json:"appliedRevision"`
	AppliedAt         *time.Time       `json:"appliedAt"`
	Objects           int              `json:"objects"`
	Secrets           secretsShape     `json:"secrets"`
	Conditions        []conditionShape `json:"conditions"`
	Drift             []driftShape     `json:"drift"`
	Images            []string         `json:"images"`
	History           []revisionShape  `json:"history"`
}

type sourceShape struct {
	URL       string `json:"url"`
	Ref       string `json:"ref"`
	Directory string `json:"directory"`
	Path      string `json:"path"`
}

type secretsShape struct {
	Sealed        int            `json:"sealed"`
	References    int            `json:"references"`
	FailedObjects int            `json:"failedObjects"`
	Failed        []failureShape `json:"failed"`
	Stale         []staleShape   `json:"stale"` // of a named Environment
}

type failureShape struct {
	Object  string   `json:"object"`
	Key     string   `json:"key"`
	Reason  string   `json:"reason"`
	Message string   `json:"message"`
	File    string   `json:"file"`
	Holds   []string `json:"holds"`
}

type conditionShape struct {
	Type    string     `json:"type"`
	Status  string     `json:"status"`
	Reason  string     `json:"reason"`
	Message string     `json:"message"`
	Since   *time.Time `json:"since"`
}

type driftShape struct {
	Object   string     `json:"object"`
	Change   string     `json:"change"`
	Managers []string   `json:"managers"`
	Paths    []string   `json:"paths"`
	Action   string     `json:"action"`
	Time     *time.Time `json:"time"`
}

type revisionShape struct {
	Revision string     `json:"revision"`
	Author   string     `json:"author"`
	Subject  string     `json:"subject"`
	Signer   string     `json:"signer"`
	Result   string     `json:"result"`
	Message  string     `json:"message"`
	Objects  int        `json:"objects"`
	Time     *time.Time `json:"time"`
}

// maxText is how many characters of a text that others wrote are kept.
const maxText = 2048

// clean makes a text of others fit for a terminal.
func clean(s string) string { return printable(cut(s, maxText)) }

// cut shortens a text to so many characters.
func cut(s string, most int) string {
	n := 0
	end := 0 // of what is kept before the mark
	for i := range s {
		if n++; n == most {
			end = i
		}
		if n > most {
			return s[:end] + "…"
		}
	}
	return s
}

func cleanAll(all []string) []string { return shapes(all, clean) }

// shapes is never nil.
func shapes[T, S any](all []T, shape func(T) S) []S {
	out := make([]S, 0, len(all))
	for _, one := range all {
		out = append(out, shape(one))
	}
	return out
}

func (e environment) shape() environmentShape {
	at, message := e.state()
	return environmentShape{
		Namespace: clean(e.Metadata.Namespace), Name: clean(e.Metadata.Name),
		State: at, Reason: clean(e.reason()), Message: clean(message), Source: e.Spec.source(),
		AttemptedRevision: clean(e.Status.LastAttemptedRevision), AppliedRevision: clean(e.Status.LastAppliedRevision),
		AppliedAt: known(e.appliedAt()), Objects: len(e.Status.Inventory),
		Secrets: secretsShape{
			Sealed: e.Status.Secrets.Sealed, References: e.Status.Secrets.References, FailedObjects: e.failedObjects(),
			Failed: shapes(e.Status.Secrets.Failed, secretFailure.shape),
			Stale:  []staleShape{},
		},
		Conditions: shapes(e.Status.Conditions, condition.shape), Drift: shapes(e.Status.Drift, driftEntry.shape),
		Images: cleanAll(e.Status.Images), History: shapes(e.Status.History, revision.shape),
	}
}

// source leaves out what a URL may have beside the place: a user's password.
func (s environmentSpec) source() sourceShape {
	out := sourceShape{Directory: clean(s.Source.Directory), Path: clean(cmp.Or(s.Path, "."))}
	if git := s.Source.Git; git != nil {
		out.Ref = clean(cmp.Or(git.Ref.Commit, git.Ref.Semver, git.Ref.Tag, git.Ref.Branch, "HEAD"))
		out.URL = "(no URL)"
		if u, err := url.Parse(git.URL); err == nil {
			out.URL = clean((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
		}
	}
	return out
}

func (f secretFailure) shape() failureShape {
	return failureShape{clean(f.Object), clean(f.Key), clean(f.Reason), clean(f.Message), clean(f.File), cleanAll(f.Holds)}
}

func (c condition) shape() conditionShape {
	return conditionShape{clean(c.Type), clean(c.Status), clean(c.Reason), clean(c.Message), known(c.LastTransitionTime)}
}

func (d driftEntry) shape() driftShape {
	return driftShape{clean(d.Object), clean(d.Change), cleanAll(d.Managers), cleanAll(d.Paths), clean(d.Action), known(d.Time)}
}

func (r revision) shape() revisionShape {
	return revisionShape{
		Revision: clean(r.Revision), Author: clean(r.Author), Subject: clean(r.Subject), Signer: clean(r.Signer),
		Result: clean(r.Result), Message: clean(r.Message), Objects: r.Objects, Time: known(r.Time),
	}
}
