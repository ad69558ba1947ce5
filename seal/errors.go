package seal

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNoKey is wrapped by errors of values that no identity opens: sealed with
// another key, or (RSA tells no difference) for another place, or altered.
var ErrNoKey = errors.New("no key opens it")

// An Error refuses input. Reason never quotes a value; Hint tells the way out.
type Error struct {
	Line   int // in the file, from 1; 0 if it concerns no line
	Reason string
	hint   string
	err    error
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return e.Reason
}

// Hint is one sentence on what to do next; it may be empty.
func (e *Error) Hint() string { return e.hint }

func (e *Error) Unwrap() error { return e.err }

func refuse(hint, format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), hint: hint}
}

func refuseAt(line int, hint, format string, args ...any) error {
	return &Error{Line: line, Reason: fmt.Sprintf(format, args...), hint: hint}
}

// about adds the line and the object to an error that names none.
func about(line int, object string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.Line == 0 {
		full := *e
		full.Line, full.Reason = line, object+e.Reason
		return &full
	}
	return err
}

// refusal puts the line and the object before an error of others, whose hint
// stays.
func refusal(line int, object string, err error) error {
	var h interface{ Hint() string }
	hint := ""
	if errors.As(err, &h) {
		hint = h.Hint()
	}
	return &Error{Line: line, Reason: object + err.Error(), hint: hint, err: err}
}

// An ObjectError tells which keys of a SealedSecret did not open, and why.
type ObjectError struct {
	Namespace, Name string
	Keys            []KeyError // in the order of their names
	doing           string     // empty means opening
}

// A KeyError is one key's failure. Err never holds content.
type KeyError struct {
	Key string
	Err error
}

// maxKeysShown bounds the message; an object can have thousands of keys.
const maxKeysShown = 5

// Error names each reason once, with the keys that it concerns.
func (e *ObjectError) Error() string {
	var reasons []string
	keys := map[string][]string{}
	for i, k := range e.Keys {
		if i == maxKeysShown {
			break
		}
		reason := k.Err.Error()
		if keys[reason] == nil {
			reasons = append(reasons, reason)
		}
		keys[reason] = append(keys[reason], strconv.Quote(k.Key))
	}
	parts := make([]string, 0, len(reasons)+1)
	for _, reason := range reasons {
		name := "key "
		if len(keys[reason]) > 1 {
			name = "keys "
		}
		parts = append(parts, name+strings.Join(keys[reason], ", ")+": "+reason)
	}
	if more := len(e.Keys) - maxKeysShown; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more keys", more))
	}
	return fmt.Sprintf("%s %s/%s: %s", cmp.Or(e.doing, "opening"), e.Namespace, e.Name, strings.Join(parts, "; "))
}

// Unwrap gives the keys' errors to errors.Is and errors.As.
func (e *ObjectError) Unwrap() []error {
	out := make([]error, 0, len(e.Keys))
	for _, k := range e.Keys {
		out = append(out, k.Err)
	}
	return out
}
