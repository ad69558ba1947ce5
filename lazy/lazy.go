// Package lazy owns regular expressions that are compiled when they are first
// needed: there are many, and most runs of a program that links them need few.
package lazy

import (
	"regexp"
	"sync"
)

// A Pattern is such an expression. It may be called at any time.
type Pattern func() *regexp.Regexp

// Regexp panics with the first call if the text is none.
func Regexp(text string) Pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
