package render

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that say nothing about what was rendered. The same call may succeed
// later, or elsewhere.
var (
	// ErrUnavailable is wrapped by every error that is the sandbox's own: its
	// binary is missing or of another release, it cannot start, something
	// else ended it, or the machine was too busy to judge.
	ErrUnavailable = errors.New("the sandbox is unavailable")
	// ErrClosed is returned by calls on a closed Pool.
	ErrClosed = errors.New("the sandbox is closed")
)

// unavailable makes the end of a child the sandbox's own, for good: what
// wraps ErrUnavailable is no template's fault. The caller's context and Close
// stay what they are.
func unavailable(doing string, err error) error {
	var e *ended
	if errors.As(err, &e) {
		return fmt.Errorf("%w: %s: %s", ErrUnavailable, doing, e.Error())
	}
	return err
}

// Reason is why a template is at fault, in words that end a sentence.
type Reason string

// The reasons. Each will hold until the template or its inputs change.
const (
	DoesNotParse   Reason = "does not parse"
	NoFunction     Reason = "calls a function that does not exist here"
	Failed         Reason = "failed"
	OutputTooLarge Reason = "wrote more than a Secret may hold, 1 MiB"
	InputTooLarge  Reason = "and inputs are too many or too large for one call" // of no single key
	TimedOut       Reason = "did not finish in time"
	OutOfMemory    Reason = "used too much memory"
	TooDeep        Reason = "recursed too deeply"
	Died           Reason = "ended the sandbox"
)

// A TemplateError says which template is at fault and why. It holds nothing
// of values and of the text, but for well-known names of functions.
type TemplateError struct {
	Key    string // of the template; "" for InputTooLarge
	Reason Reason
	Line   int // of its text, from 1; 0 is unknown
	// Function is the name for NoFunction, if it exists elsewhere: sprig's env,
	// Helm's include. Another name may be a literal without its quotes.
	Function string
}

// Error names the key, the reason and the line, and nothing of the template.
func (e *TemplateError) Error() string {
	var b strings.Builder
	if e.Key == "" {
		return "templates " + string(e.Reason)
	}
	fmt.Fprintf(&b, "template %q %s", e.Key, e.Reason)
	if e.Line > 0 {
		fmt.Fprintf(&b, " at line %d", e.Line)
	}
	if e.Function != "" {
		fmt.Fprintf(&b, ": %s", e.Function)
	}
	return b.String()
}

// TemplateErrors are the faults of one call, in the order of their keys, at
// least one. Calling again with the same templates and inputs is no use.
type TemplateErrors []*TemplateError

// Error is all of them, one behind the other.
func (e TemplateErrors) Error() string { return joined(e) }

// Unwrap lets errors.As find the first TemplateError.
func (e TemplateErrors) Unwrap() []error { return each(e) }

// joined says all errors of a list, in its order.
func joined[E error](list []E) string {
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = one.Error()
	}
	return strings.Join(all, "; ")
}

// each is a list of errors as [errors.As] unwraps it.
func each[E error](list []E) []error {
	all := make([]error, len(list))
	for i, one := range list {
		all[i] = one
	}
	return all
}
