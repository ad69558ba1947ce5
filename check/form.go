package check

import (
	"regexp"
	"sync"
)

// A form is a regular expression that is compiled when it is first needed:
// there are many, and most runs of the program that links them need none.
type form func() *regexp.Regexp

func newForm(text string) form {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
