package main

import (
	"fmt"
	"strings"
)

// printList writes Environments a line each, what is wrong below it, and the
// cluster's keys.
func (t *table) printList(all []environmentShape, keys []listedKey) {
	width := len("ENVIRONMENT")
	for _, e := range all {
		width = min(max(width, len(e.title())), 27)
	}
	const row = "%-*s %-11s %-16s %7s %7s %s"
	t.line(row, width, "ENVIRONMENT", "STATE", "REVISION", "APPLIED", "OBJECTS", "SECRETS")
	for _, e := range all {
		t.line(row, width, cut(e.title(), width), e.State, cut(dash(shortRevision(e.AppliedRevision)), 16),
			t.ago(e.AppliedAt), fmt.Sprint(e.Objects), e.Secrets.opened())
		if e.State != stateReady && e.Message != "" {
			t.text(4, 3, e.Message)
		}
	}
	t.printAllFailures(all)
	t.printRing(keys)
}

func (e environmentShape) title() string { return e.Namespace + "/" + e.Name }

// opened is how many of the secrets there are open, as kubectl counts
// containers.
func (s secretsShape) opened() string {
	total := s.Sealed + s.References
	return fmt.Sprintf("%d/%d", max(total-s.FailedObjects, 0), total)
}

func (t *table) printAllFailures(all []environmentShape) {
	total := 0
	for _, e := range all {
		for _, f := range e.Secrets.Failed {
			if total == 0 {
				t.section("SECRETS THAT DO NOT OPEN")
			}
			if total++; total <= tableRows {
				t.text(0, 2, e.title()+": "+f.title())
				t.printHeld(f.Holds)
			}
		}
	}
	t.more(total, "fuin status -o json has them all")
}

// title names the value that failed, and why.
func (f failureShape) title() string {
	object := f.Object
	if f.Key != "" {
		object += " key " + f.Key
	}
	return object + ": " + f.Reason
}

func (t *table) printHeld(holds []string) {
	if len(holds) > 0 {
		t.text(4, 3, "holds back "+strings.Join(holds, ", "))
	}
}

// printRing writes what seals in the cluster.
func (t *table) printRing(all []listedKey) {
	if len(all) == 0 {
		return
	}
	const row = "%-7s %-17s %s"
	t.section(fmt.Sprintf(row, "KEY", "SEALS WITH", "AGE"))
	others := 0
	for _, k := range all {
		if k.recipient == nil {
			others++
			continue
		}
		t.line(row, k.Kind, cut(k.Fingerprint, len("SHA256:")+9), t.ago(k.Created))
	}
	if others > 0 {
		t.line("and %d older, see fuin keys list cluster", others)
	}
}
