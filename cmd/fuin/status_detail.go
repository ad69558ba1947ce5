package main

import (
	"cmp"
	"fmt"
	"strings"
)

// printDetail writes all about one Environment.
func (t *table) printDetail(e environmentShape) {
	t.section(e.title() + ": " + string(e.State))
	t.field("source", cmp.Or(e.Source.URL, e.Source.Directory))
	t.field("ref", e.Source.Ref)
	t.field("path", e.Source.Path)
	t.field("attempted", dash(e.AttemptedRevision))
	applied := dash(e.AppliedRevision)
	if e.AppliedAt != nil {
		applied += " (" + t.ago(e.AppliedAt) + " ago)"
	}
	t.field("applied", applied)
	t.field("objects", fmt.Sprint(e.Objects))
	t.field("secrets", fmt.Sprintf("%d sealed, %d of references, %d failed", e.Secrets.Sealed, e.Secrets.References, e.Secrets.FailedObjects))
	t.printConditions(e.Conditions)
	t.printFailures(e.Secrets.Failed)
	t.printStale(e.Secrets.Stale)
	t.printDrift(e.Drift)
	t.printHistory(e.History)
}

// field writes a name with its value, which may take two lines.
func (t *table) field(name, value string) {
	if value == "" {
		return
	}
	const indent = 14
	for i, line := range first(fold(value, tableWidth-indent)) {
		if i > 0 {
			name = ""
		}
		t.line("  %-11s %s", name, line)
	}
}

func (t *table) printConditions(all []conditionShape) {
	if len(all) == 0 {
		return
	}
	t.section("CONDITION    STATUS   SINCE  REASON")
	for _, c := range first(all) {
		t.line("%-12s %-8s %-6s %s", cut(c.Type, 12), cut(c.Status, 8), t.ago(c.Since), c.Reason)
		if c.Message != "" {
			t.text(4, 8, c.Message)
		}
	}
	t.more(len(all), "-o json has them all")
}

func (t *table) printFailures(all []failureShape) {
	if len(all) == 0 {
		return
	}
	t.section("SECRETS THAT DO NOT OPEN")
	for _, f := range first(all) {
		t.text(0, 2, f.title())
		if f.Message != "" {
			t.text(4, 3, f.Message)
		}
		t.printHeld(f.Holds)
		t.text(4, 2, f.remedy())
	}
	t.more(len(all), "-o json has them all")
}

// remedy is where to look, and with what.
func (f failureShape) remedy() string {
	if f.File == "" {
		return "kubectl describe sealedsecret tells more; seal it again with fuin seal"
	}
	return "in " + f.File + ": fuin inspect tells for which keys it is sealed; fuin set or fuin seal seals it again"
}

func (t *table) printDrift(all []driftShape) {
	if len(all) == 0 {
		return
	}
	t.section("CHANGED IN THE CLUSTER")
	for _, d := range first(all) {
		by := ""
		if len(d.Managers) > 0 {
			by = " by " + strings.Join(d.Managers, ", ")
		}
		t.text(0, 2, fmt.Sprintf("%s: %s%s, %s %s ago", d.Object, d.Change, by, d.Action, t.ago(d.Time)))
		if len(d.Paths) > 0 {
			t.text(4, 3, strings.Join(d.Paths, " "))
		}
	}
	t.more(len(all), "-o json has them all")
}

func (t *table) printHistory(all []revisionShape) {
	if len(all) == 0 {
		return
	}
	const row = "%-10s %4s %-16s %-14s %s"
	t.section(fmt.Sprintf(row, "RESULT", "AGE", "REVISION", "AUTHOR", "SUBJECT"))
	for _, r := range first(all) {
		t.line(row, cut(r.Result, 10), t.ago(r.Time), cut(dash(shortRevision(r.Revision)), 16), cut(dash(r.Author), 14), r.Subject)
		if r.Signer != "" {
			t.text(4, 2, "signed by "+r.Signer)
		}
		if r.Message != "" && r.Result != resultApplied {
			t.text(4, 3, r.Message)
		}
	}
	t.more(len(all), "-o json has them all")
}
