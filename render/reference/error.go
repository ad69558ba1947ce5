package reference

import "fmt"

// An Error refuses a text, at a place in it. Neither Message nor Hint quotes
// the text.
type Error struct {
	Offset  int // in bytes from the start of the text
	Message string

	hint string
}

func (e *Error) Error() string { return e.Message }

// Hint is one sentence on what to write; it may be empty.
func (e *Error) Hint() string { return e.hint }

func refuse(offset int, hint, format string, args ...any) *Error {
	return &Error{offset, fmt.Sprintf(format, args...), hint}
}
