package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"fuin.dev/check"
)

// tell says what was done: a line for each finding, and what is left to do by
// hand.
func (f *fixRun) tell(ctx context.Context) {
	u, values := f.c.u, 0
	for _, r := range f.accepted {
		for _, found := range r.findings {
			u.note("%s:%d: %s → %s", f.c.shown(found.File), found.Line, cmp.Or(r.field, found.Object+": "+found.Key), r.what)
		}
		f.tellMore(r)
		values += len(r.findings)
	}
	f.tellLeft()
	if len(f.accepted) == 0 {
		return
	}
	if f.unproven {
		u.warn("", "nothing was rendered to prove that the Secrets stay the same: install fuin-render beside fuin")
	}
	if lost := slices.Sorted(maps.Keys(f.prover.lost)); len(lost) > 0 {
		u.warn("", "labels that a kustomization adds stand at the SealedSecret now, and not at the Secret: %s", abridge(lost))
	}
	if renamed := slices.Sorted(maps.Keys(f.prover.renamed)); len(renamed) > 0 {
		u.warn("", "what names these follows them in fuin render and Environments; with kustomize build itself, add the nameReference of docs/sealed-values.md: %s", abridge(renamed))
	}
	u.note("sealed %s in %s", plural(values, "value"), plural(len(f.files.changed), "file"))
	f.tellGit(ctx)
}

// tellMore tells of a repair what the lines of its findings do not.
func (f *fixRun) tellMore(r *repair) {
	for _, name := range slices.Sorted(maps.Keys(r.changed)) {
		isFound := slices.ContainsFunc(r.findings, func(found check.Finding) bool { return found.File == name })
		if !isFound && name != r.made {
			f.c.u.note("%s → sealed with it", f.c.shown(name))
		}
	}
	if r.field != "" && !r.isProven && !f.unproven {
		r.warnings = append(r.warnings, f.c.shown(r.findings[0].File)+": nothing here renders it; see that the chart makes Secrets of its tokens: helm template … | fuin filter")
	}
	for _, w := range r.warnings {
		f.c.u.warn("", "%s", w)
	}
}

// tellLeft names what could not be sealed, each reason once for a file.
func (f *fixRun) tellLeft() {
	said := map[string]bool{}
	keys := slices.SortedFunc(maps.Keys(f.left), func(a, b check.Known) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Key, b.Key))
	})
	for _, known := range keys {
		text := nameError(f.c.shown(known.Path), f.left[known]).Error()
		if !said[text] {
			said[text] = true
			f.c.u.warn("", "not sealed: %s", text)
		}
	}
}

// tellGit says where the values still are: in the index, if they were staged,
// and in the history.
func (f *fixRun) tellGit(ctx context.Context) {
	if !f.c.git {
		return
	}
	names := slices.Sorted(maps.Keys(f.files.changed))
	staged, err := gitOutput(ctx, append([]string{"-C", f.c.root, "diff", "--cached", "--name-only", "-z", "--"}, names...)...)
	if list := fieldsOf(staged); err == nil && len(list) > 0 {
		f.c.u.warn("", "Git's index holds %s as before, in plain: git add %s", plural(len(list), "file"), f.shownAll(list))
	}
	committed, err := gitOutput(ctx, append([]string{"-C", f.c.root, "ls-tree", "-r", "--name-only", "-z", "HEAD", "--"}, names...)...)
	if err == nil && len(fieldsOf(committed)) > 0 {
		f.c.u.warn("", "the history keeps what was committed in plain: replace the values where they are used")
	}
}

func (f *fixRun) shownAll(names []string) string {
	shown := make([]string, 0, len(names))
	for _, name := range names {
		shown = append(shown, f.c.shown(name))
	}
	return abridge(shown)
}

// explained gives the findings that are left the hint why they are, and adds
// the files that hold in plain what is sealed elsewhere now.
func (f *fixRun) explained(findings []check.Finding) []check.Finding {
	for i, found := range findings {
		if err := f.left[knownAs(found)]; err != nil {
			findings[i].Hint = strings.TrimSuffix("not sealed: "+err.Error()+"; "+hintOf(err), "; ")
		}
	}
	for _, r := range f.accepted {
		for _, found := range r.stay {
			findings = withStay(findings, found)
		}
	}
	slices.SortStableFunc(findings, func(a, b check.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line)
	})
	return findings
}

// withStay adds a file that is to be deleted, unless it is found anyway.
func withStay(findings []check.Finding, stay check.Finding) []check.Finding {
	isFound := false
	for i, found := range findings {
		if found.File == stay.File {
			findings[i].Hint, isFound = stay.Hint, true
		}
	}
	if isFound {
		return findings
	}
	return append(findings, stay)
}

// quoteForShell is a word as a shell takes it.
func quoteForShell(word string) string {
	if strings.ContainsAny(word, " []\\'\"$*?") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
