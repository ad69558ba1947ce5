package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"fuin.dev/check"
	"fuin.dev/render"
	"fuin.dev/seal"
)

// A prover renders directories before and after a repair and compares the
// Secrets: what was sealed must say the same, and open where it stands.
type prover struct {
	c       *checkRun
	sandbox *render.Pool
	ledger  *ledger
	lost    map[string]bool // Secrets that lose labels of a kustomization
	renamed map[string]bool // those that are renamed, and named by others
}

// A proof is about directories that a repair changes. Before holds what they
// rendered to; nil for one that did not render.
type proof struct {
	directories []render.Directory
	before      []*check.Rendered
}

// see renders directories; those that fail are nil, and failed is the first
// error.
func (p *prover) see(ctx context.Context, files fs.FS, directories []render.Directory) (seen []*check.Rendered, failed, err error) {
	for _, d := range directories {
		d.Files = files
		one, err := p.c.renderedFor(d.Path)
		if err != nil {
			return nil, nil, err
		}
		one.Namespace = cmp.Or(d.Helm.Namespace, one.Namespace) // by the rule for a file of values
		set, err := p.sandbox.Directory(ctx, d)
		var e *render.DirectoryError
		switch {
		case errors.As(err, &e):
			failed = cmp.Or(failed, err)
			seen = append(seen, nil)
			continue
		case err != nil:
			return nil, nil, err
		}
		one.Set = set
		seen = append(seen, &one)
	}
	return seen, failed, nil
}

// compare is nil if the directories make of the new files what they made of the
// old ones. A directory that did not render before has at least to render now.
func (p *prover) compare(ctx context.Context, pr proof, files fs.FS) (after []*check.Rendered, err error) {
	after, failed, err := p.see(ctx, files, pr.directories)
	if err != nil {
		return nil, err
	}
	for i, was := range pr.before {
		switch {
		case after[i] == nil && was != nil:
			return nil, fail(hintOf(failed), "%s would not render: %w", pr.directories[i].Path, failed)
		case after[i] == nil:
			continue
		}
		if err := p.sameSecrets(ctx, was, *after[i]); err != nil {
			return nil, err
		}
	}
	for _, now := range after {
		if err := p.sameScopes(now, files); err != nil {
			return nil, err
		}
	}
	return after, p.newFindings(pr.before, after, files)
}

// sameScopes refuses a patch that gives a SealedSecret another scope: what it
// held would not open any more.
func (p *prover) sameScopes(seen *check.Rendered, files fs.FS) error {
	if seen == nil {
		return nil
	}
	for _, o := range seen.Set.Objects {
		if o.Kind() != kindSealedSecret || o.File == "" {
			continue
		}
		data, err := fs.ReadFile(files, o.File)
		if err != nil || len(data) > check.MaxFile {
			continue
		}
		states, err := seal.States(data)
		if err != nil {
			continue // a chart's template, say
		}
		i := slices.IndexFunc(states, func(s seal.State) bool { return s.Name == o.WasName })
		if is := scopeOf(o); i >= 0 && states[i].Scope() != is {
			return fail("give both paths the same scope", "SealedSecret %s/%s: it is sealed in scope %s in %s, and would be %s", o.Namespace(), o.Name(), states[i].Scope(), o.File, is)
		}
	}
	return nil
}

func scopeOf(o render.Object) seal.Scope {
	metadata, _ := o.Content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	texts := map[string]string{}
	for name, value := range annotations {
		texts[name], _ = value.(string)
	}
	return seal.ScopeOf(texts)
}

// newFindings refuses what a check of what is rendered finds now and did not
// find before: a SealedSecret that is moved, a Secret that is named and gone.
func (p *prover) newFindings(before, after []*check.Rendered, files fs.FS) error {
	known := map[string]bool{}
	for _, f := range findingsIn(before, files) {
		known[f.File+f.Rule+f.Message] = true
	}
	for _, f := range findingsIn(after, files) {
		if f.Severity == check.Error && !known[f.File+f.Rule+f.Message] {
			return fail(f.Hint, "rendered, %s: %s", f.Object, f.Message)
		}
	}
	return nil
}

func findingsIn(seen []*check.Rendered, files fs.FS) []check.Finding {
	var all []check.Rendered
	for _, one := range seen {
		if one != nil {
			all = append(all, *one)
		}
	}
	return check.Directories(all, func(file, kind, namespace, name string) check.Located {
		data, err := fs.ReadFile(files, file)
		if err != nil || len(data) > check.MaxFile {
			return check.Located{}
		}
		return check.Locate(data, kind, namespace, name)
	})
}

// prove compares what directories render to with what they did before the
// repairs.
func (f *fixRun) prove(ctx context.Context, all ...*repair) error {
	var touched []string
	for _, r := range all {
		touched = append(touched, r.touched...)
	}
	directories, err := f.directories(touched)
	if err != nil {
		return err
	}
	p := proof{directories: directories}
	for _, d := range directories {
		seen, err := f.seen(ctx, d)
		if err != nil {
			return f.passUnproven(err, all)
		}
		p.before = append(p.before, seen)
	}
	lost, renamed := maps.Clone(f.prover.lost), maps.Clone(f.prover.renamed)
	now, err := f.prover.compare(ctx, p, f.files)
	if err != nil {
		f.prover.lost, f.prover.renamed = lost, renamed
		return f.passUnproven(err, all)
	}
	rendered := map[string]*check.Rendered{}
	for i, d := range directories {
		rendered[directoryKey(d)] = now[i]
	}
	for _, r := range all {
		if err := f.judge(r, rendered); err != nil {
			return err
		}
	}
	maps.Copy(f.before, rendered)
	f.proven = f.files
	return nil
}

// judge asks for each repair whether anything shows what comes of it.
func (f *fixRun) judge(r *repair, rendered map[string]*check.Rendered) error {
	directories, err := f.directories(r.touched)
	if err != nil {
		return err
	}
	r.isProven = slices.ContainsFunc(directories, func(d render.Directory) bool { return rendered[directoryKey(d)] != nil })
	if r.mustProve && !r.isProven {
		return fail("see what fuin render says of its directory", "what would come of it cannot be told: nothing renders it here")
	}
	return nil
}

// passUnproven lets pass, where nothing here can render, what need not be
// proven.
func (f *fixRun) passUnproven(err error, all []*repair) error {
	mustProve := slices.ContainsFunc(all, func(r *repair) bool { return r.mustProve })
	if !errors.Is(err, render.ErrUnavailable) || mustProve {
		return err
	}
	f.unproven, f.proven = true, f.files
	return nil
}

// seen is what a directory renders to by now; nil if it does not.
func (f *fixRun) seen(ctx context.Context, d render.Directory) (*check.Rendered, error) {
	key := directoryKey(d)
	if known, ok := f.before[key]; ok {
		return known, nil
	}
	seen, _, err := f.prover.see(ctx, f.proven, []render.Directory{d})
	if err != nil {
		return nil, err
	}
	f.before[key] = seen[0]
	return seen[0], nil
}
