package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"fuin.dev/seal"
)

// A batch does one thing to many inputs, several at a time.
type batch struct {
	verb   string // for the progress bar
	want   string // the kind of object to look for
	inputs []input
	do     func(ctx context.Context, in input, data []byte) (seal.Result, error)
}

// An outcome is what became of one input.
type outcome struct {
	input
	result seal.Result
	err    error
	passed reason
}

// reason is why a file of a directory was passed over.
type reason int

const (
	notPassed  reason = iota
	holdsNone         // none of the objects wanted
	isSealed          // sealed Secrets, where plain ones are wanted
	noManifest        // it cannot be read as manifests, and mentions no object wanted
)

// run returns the outcomes in the order of the inputs, those passed over left
// out. Its error tells of every input that failed; outcomes without one are
// done all the same.
func (b batch) run(ctx context.Context, u *ui) ([]outcome, error) {
	all := make([]outcome, len(b.inputs))
	bar := u.progress(b.verb, len(all))
	defer collectLess(u, len(b.inputs))()
	var next atomic.Int64
	var cut atomic.Bool // some are left
	var g sync.WaitGroup
	for range min(len(all), 2*runtime.GOMAXPROCS(0)) { // while one waits for the disk to sync, another seals
		g.Go(func() { // for many files: each would grow a stack of its own
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				if ctx.Err() != nil {
					cut.Store(true)
					return
				}
				all[i] = b.one(ctx, u, b.inputs[i])
				bar.step()
			}
		})
	}
	g.Wait()
	bar.end()
	if cut.Load() {
		return nil, ctx.Err()
	}
	return b.judge(u, all)
}

// collectLess lets several files' worth of garbage pile up, and returns what
// ends that. The live heap is a few files, so that Go would collect every few
// of them; a single file, which may be large, keeps Go's default.
func collectLess(u *ui, files int) (end func()) {
	if files < 2 || u.getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(400)
	return func() { debug.SetGCPercent(before) }
}

func (b batch) one(ctx context.Context, u *ui, in input) outcome {
	out := outcome{input: in}
	data, err := u.read(ctx, in)
	switch {
	case err != nil:
		out.err = err
		return out
	case in.found && !bytes.Contains(data, []byte(b.want)):
		out.passed = holdsNone
		return out
	}
	if out.result, err = b.do(ctx, in, data); err == nil {
		return out
	}
	switch {
	case in.found && errors.Is(err, seal.ErrNothing):
		out.passed = holdsNone
		if b.want == kindSecret && declares(data, kindSealedSecret) {
			out.passed = isSealed
		}
	case in.found && !declares(data, b.want):
		out.passed = noManifest
	default:
		out.err = err
	}
	return out
}

const (
	kindSecret       = "Secret"
	kindSealedSecret = "SealedSecret"
)

// declares reports whether a file that may not parse has a line kind: KIND, in
// YAML or JSON.
func declares(data []byte, kind string) bool {
	return regexp.MustCompile(`\bkind["']?\s*:\s*["']?` + kind + `\b`).Match(data)
}

// judge prints warnings and gathers errors.
func (b batch) judge(u *ui, all []outcome) ([]outcome, error) {
	var done []outcome
	var failed faults
	var strange []string
	sealed := 0
	for _, out := range all {
		switch {
		case out.err != nil:
			failed = append(failed, nameError(out.name(), out.err))
		case out.passed == noManifest:
			strange = append(strange, out.path)
		case out.passed == isSealed:
			sealed++
		case out.passed == notPassed:
			for _, w := range out.result.Warnings {
				u.warn(out.name(), "%s", w)
			}
			done = append(done, out)
		}
	}
	if len(strange) > 0 {
		u.warn("", "passed over %s that cannot be read as manifests: %s", plural(len(strange), "file"), abridge(strange))
	}
	if len(done)+len(failed) == 0 {
		return nil, b.nothing(u, sealed)
	}
	return done, failed.orNil()
}

// nothing is the error for directories without any of the objects wanted. That
// all is sealed already is none.
func (b batch) nothing(u *ui, sealed int) error {
	if sealed > 0 {
		u.note("nothing to do: %s with Secrets, all sealed already", plural(sealed, "file"))
		return nil
	}
	return fail("manifests are *.yaml, *.yml and *.json; hidden directories are left out",
		"no %s in %s", b.want, plural(len(b.inputs), "manifest file"))
}

// abridge lists the first few names.
func abridge(names []string) string {
	const shown = 5
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// nameError puts the file's name before an error that does not have it yet.
func nameError(name string, err error) error {
	var n *named
	if errors.As(err, &n) {
		return err
	}
	return &named{name, err}
}
