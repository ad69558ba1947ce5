package render

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"fuin.dev/render/wire"
)

// DirectoryReason is why a directory does not render, in the form of a
// condition's reason.
type DirectoryReason string

// The reasons. But for SourceFailed, each will hold until the directory
// changes.
const (
	Malformed      = DirectoryReason(wire.Malformed)      // no YAML, JSON, Jsonnet or template
	NotAnObject    = DirectoryReason(wire.NotAnObject)    // half of an object of Kubernetes
	NotFound       = DirectoryReason(wire.NotFound)       // a file that something names
	NotRenderable  = DirectoryReason(wire.NotRenderable)  // not what the renderer takes
	Conflict       = DirectoryReason(wire.Conflict)       // patches or names that exclude each other
	Duplicate      = DirectoryReason(wire.Duplicate)      // an object that is there twice
	RemoteRefused  = DirectoryReason(wire.RemoteRefused)  // what lies elsewhere, or could not be fetched
	OutsideRefused = DirectoryReason(wire.OutsideRefused) // a path or link out of the checkout
	Cycle          = DirectoryReason(wire.Cycle)          // what includes itself
	Unsupported    = DirectoryReason(wire.Unsupported)    // a field or a plugin that is not run
	LimitExceeded  = DirectoryReason(wire.LimitExceeded)  // too large, deep, many, or slow
	SourceFailed   = DirectoryReason(wire.SourceFailed)   // a file could not be read
	EngineFailed   = DirectoryReason(wire.EngineFailed)   // whatever else
)

// A DirectoryError says why a directory does not render, and where. It holds
// names of files, kinds and objects, and no content. Its Hint tells what to do,
// if that is known.
type DirectoryError struct {
	File    string // in the checkout, or what is at fault elsewhere, by its URL
	Line    int    // of File, from 1; 0 is unknown
	Reason  DirectoryReason
	Message string // goes on where the position ends

	hint string
	err  error
}

func (e *DirectoryError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.File, e.Message)
}

// Hint tells what to do; "" if that is not known.
func (e *DirectoryError) Hint() string { return e.hint }

// Unwrap returns why something could not be fetched or read, if that is why.
func (e *DirectoryError) Unwrap() error { return e.err }

// directoryError makes a fault an error, if it can be believed. It is held to
// its promise as far as that can be seen: known causes, paths, one line.
func directoryError(f *wire.Fault, err error) error {
	if !causes[f.Cause] || f.File != "" && !fs.ValidPath(f.File) || f.Line < 0 || !believableText(f.Message) || !believableText(f.Hint) {
		return fmt.Errorf("%w: rendering a directory: %s", ErrUnavailable, garbled)
	}
	return &DirectoryError{f.File, f.Line, DirectoryReason(f.Cause), f.Message, f.Hint, err}
}

var causes = map[wire.Cause]bool{
	wire.Malformed: true, wire.NotAnObject: true, wire.NotFound: true, wire.NotRenderable: true, wire.Conflict: true,
	wire.Duplicate: true, wire.RemoteRefused: true, wire.OutsideRefused: true, wire.Cycle: true, wire.Unsupported: true,
	wire.LimitExceeded: true, wire.SourceFailed: true, wire.EngineFailed: true,
}

func believableText(s string) bool {
	strange := func(r rune) bool { return !unicode.IsPrint(r) }
	return len(s) <= wire.MaxMessage && !strings.ContainsFunc(s, strange)
}

// died is the error of a directory at which a child ended, if that is why.
func (j *directoryJob) died(err error) (*DirectoryError, bool) {
	var e *ended
	if !errors.As(err, &e) {
		return nil, false
	}
	d := &DirectoryError{File: j.request.Path, Reason: LimitExceeded, hint: "render a smaller directory; look for what repeats or includes itself"}
	switch e.cause {
	case timedOut:
		d.Message = fmt.Sprintf("did not render within %s", j.deadline)
	case tooLarge:
		d.Message = fmt.Sprintf("used more than %d MiB while it rendered", j.memory>>20)
	case tooDeep:
		d.Message = "recursed too deeply"
	case crashed:
		d.Reason, d.Message = EngineFailed, "ended the sandbox"
	}
	return d, d.Message != ""
}
