package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"fuin.dev/check"
	"fuin.dev/render"
	"fuin.dev/seal"
)

// A fixRun seals what a check found. Nothing is written before what it changes
// was rendered, and makes the same Secrets; see [prover].
type fixRun struct {
	c      *checkRun
	plans  *planner
	prover *prover
	root   *os.Root
	files  *unwritten // as they are once the repairs made so far are written
	proven *unwritten // likewise, of those that are proven

	accepted []*repair
	before   map[string]*check.Rendered // what directories render to by now
	left     map[check.Known]error      // why findings stay
	unproven bool                       // nothing here renders
}

// A job answers findings by a repair.
type job struct {
	findings []check.Finding
	make     func(ctx context.Context, r *repair) error
}

// A repair is a change of files that is made as a whole, or not at all.
type repair struct {
	findings  []check.Finding
	field     string            // of a value that is no object's
	what      string            // became of each finding
	changed   map[string][]byte // files, by their names from the root
	made      string            // a new file among them
	touched   []string          // files by which the directories are found that show the change
	mustProve bool
	isProven  bool
	warnings  []string
	stay      []check.Finding // of files that hold in plain still what was sealed
}

// errRepaired is for a job that another one has done, too.
var errRepaired = errors.New("repaired already")

func newFix(ctx context.Context, c *checkRun) (*fixRun, error) {
	plans, err := (&recipientFlags{}).planner(ctx, c.u)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(c.root)
	if err != nil {
		return nil, fileError(c.root, err)
	}
	tree := &unwritten{root.FS(), map[string][]byte{}}
	f := &fixRun{
		c: c, plans: plans, root: root, files: tree, proven: tree,
		before: map[string]*check.Rendered{}, left: map[check.Known]error{},
	}
	f.prover = &prover{c: c, sandbox: render.NewPool(render.Config{}), ledger: newLedger(c.u), lost: map[string]bool{}, renamed: map[string]bool{}}
	return f, nil
}

func (f *fixRun) close() {
	f.prover.sandbox.Close()
	_ = f.root.Close()
}

// seal seals the findings that a rule of .fuin.yaml tells how to seal, writes
// the files, and reports whether it changed any.
func (f *fixRun) seal(ctx context.Context, findings []check.Finding) (changed bool, err error) {
	jobs := f.jobs(ctx, findings)
	if len(jobs) == 0 {
		return false, nil
	}
	if err = f.repair(ctx, jobs); err == nil {
		err = f.write(ctx)
	}
	return len(f.accepted) > 0, err
}

// repair makes all repairs and proves them at once, which most often is all that
// is to do; else those of each half by themselves, so that what is at fault is
// found.
func (f *fixRun) repair(ctx context.Context, jobs []job) error {
	made := f.makeAll(ctx, jobs)
	err := ctx.Err()
	if len(made) == 0 || err != nil {
		return err
	}
	if err = f.prove(ctx, made...); err == nil {
		f.accept(made)
		return nil
	}
	f.files = f.proven
	switch half := len(jobs) / 2; {
	case ctx.Err() != nil:
		return ctx.Err()
	case half == 0:
		f.leave(jobs[0].findings, err)
		return nil
	default:
		if err := f.repair(ctx, jobs[:half]); err != nil {
			return err
		}
		return f.repair(ctx, jobs[half:])
	}
}

// makeAll makes the repairs that can be made, each on top of those before it.
func (f *fixRun) makeAll(ctx context.Context, jobs []job) []*repair {
	var made []*repair
	for _, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		r, err := f.attempt(ctx, j)
		switch {
		case err == nil:
			f.files = f.files.with(r.changed)
			made = append(made, r)
		case errors.Is(err, errRepaired):
			repairedBy(j.findings, slices.Concat(made, f.accepted))
		}
	}
	return made
}

// repairedBy adds findings to the repair that changed their file.
func repairedBy(findings []check.Finding, all []*repair) {
	for _, r := range all {
		if _, ok := r.changed[findings[0].File]; !ok {
			continue
		}
		isThere := func(known check.Finding) bool {
			return known.File == findings[0].File && known.Line == findings[0].Line
		}
		if !slices.ContainsFunc(r.findings, isThere) {
			r.findings = slices.Concat(r.findings, findings)
		}
		return
	}
}

func (f *fixRun) accept(made []*repair) {
	f.accepted = append(f.accepted, made...)
	for _, r := range made {
		for _, found := range r.findings {
			delete(f.left, knownAs(found))
		}
	}
}

// attempt makes the repair of a job, or notes why it cannot be made.
func (f *fixRun) attempt(ctx context.Context, j job) (*repair, error) {
	r := &repair{findings: j.findings, changed: map[string][]byte{}}
	f.prover.ledger.forgetFilled()
	err := j.make(ctx, r)
	if keys := f.prover.ledger.filled; err == nil && len(keys) > 0 {
		err = fail("see what does; fuin seal seals the text as it is", "key %q: a value that something else seems to fill in, and could not any more", keys[0])
	}
	if err != nil && !errors.Is(err, errRepaired) {
		f.leave(j.findings, err)
	}
	return r, err
}

func (f *fixRun) leave(findings []check.Finding, err error) {
	for _, found := range findings {
		f.left[knownAs(found)] = err
	}
}

// knownAs names a finding, whatever its line.
func knownAs(f check.Finding) check.Known {
	return check.Known{Path: f.File, Object: f.Object, Key: f.Key, Rule: f.Rule}
}

// pathOf is a file to open, by its name from the root.
func (f *fixRun) pathOf(name string) string {
	if i := slices.IndexFunc(f.c.files, func(file checkedFile) bool { return file.name == name && file.path != "" }); i >= 0 {
		return f.c.files[i].path
	}
	return filepath.Join(f.c.root, filepath.FromSlash(name))
}

// read is a file as it will be.
func (f *fixRun) read(ctx context.Context, r *repair, name string) ([]byte, error) {
	if data, ok := r.changed[name]; ok {
		return data, nil
	}
	if data, ok := f.files.changed[name]; ok {
		return data, nil
	}
	return readFile(ctx, f.pathOf(name), seal.MaxManifest)
}

// exists reports whether there is or will be a file.
func (f *fixRun) exists(name string) bool {
	_, err := fs.Stat(f.files, name)
	return err == nil
}

// plan is how to seal what stands at a name. Its sealer tells the prover.
func (f *fixRun) plan(name string) (*plan, error) {
	plan, err := f.plans.at(f.pathOf(name))
	if err != nil {
		return nil, err
	}
	plan.sealer = plan.sealer.Remembering(f.prover.ledger)
	return plan, nil
}

// planned is how to seal what stands in a file, and the file as it will be.
func (f *fixRun) planned(ctx context.Context, r *repair, name string) (*plan, []byte, error) {
	plan, err := f.plan(name)
	if err != nil {
		return nil, nil, err
	}
	data, err := f.read(ctx, r, name)
	return plan, data, err
}

// write writes what was accepted: new files first, so that nothing names what
// is not there.
func (f *fixRun) write(ctx context.Context) error {
	names := slices.Sorted(maps.Keys(f.files.changed))
	slices.SortStableFunc(names, func(a, b string) int { return f.isNew(b) - f.isNew(a) })
	for _, name := range names {
		var err error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case f.isNew(name) == 1:
			err = writeFile(f.pathOf(name), f.files.changed[name], modePublic)
		default:
			err = rewriteFile(f.pathOf(name), f.files.changed[name])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isNew is 1 for a file that is not there yet, else 0.
func (f *fixRun) isNew(name string) int {
	if _, err := os.Lstat(f.pathOf(name)); err == nil {
		return 0
	}
	return 1
}
