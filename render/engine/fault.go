package engine

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"fuin.dev/render/wire"
)

// rendition is what an engine makes of a directory.
type rendition struct {
	objects []wire.Object
	notes   []wire.Note
}

func (r *rendition) note(file string, line int, format string, args ...any) { //nolint:unparam // others give arguments
	if len(r.notes) < wire.MaxNotes {
		r.notes = append(r.notes, wire.Note{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
	}
}

// fault is why a directory does not render, the error of an engine. It leaves
// the sandbox: message and hint are words of this package, with names of
// files, kinds and objects at most, and nothing that a library said.
type fault struct {
	file    string // in the checkout
	line    int    // from 1; 0 is unknown
	cause   wire.Cause
	message string
	hint    string
}

func (f *fault) Error() string { return string(f.cause) + ": " + f.message }

// blame makes a fault; its message is formatted.
func blame(cause wire.Cause, file string, line int, format string, args ...any) *fault {
	return &fault{file: file, line: line, cause: cause, message: fmt.Sprintf(format, args...)}
}

// advise gives a fault its hint.
func (f *fault) advise(hint string) *fault {
	f.hint = hint
	return f
}

// faultOf returns the fault that err is or wraps, else one that says only
// which engine failed on which file.
func faultOf(err error, kind, file string) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return blame(wire.EngineFailed, file, 0, "%s failed", kind)
}

func (f *fault) wire() *wire.Fault {
	return &wire.Fault{Cause: f.cause, File: f.file, Line: f.line, Message: f.message, Hint: f.hint}
}

// clip bounds a name that is told, and keeps it in one line.
func clip(name string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if len(clean) > 120 {
		return strings.ToValidUTF8(clean[:120], "") + "…"
	}
	return clean
}
