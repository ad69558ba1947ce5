package engine

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/render/wire"
)

var lineOf = regexp.MustCompile(`\bline (\d+): `)

// keyTwice finds in the error of a strict parser that a key is there twice, and
// where.
func keyTwice(err error) (line int, ok bool) {
	if err == nil || !strings.Contains(err.Error(), "already set in map") {
		return 0, false
	}
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	return max(line, 1), true
}

// problems are what the parser says of a text without quoting it.
var problems = []string{
	"mapping values are not allowed in this context",
	"did not find expected key",
	"did not find expected '-' indicator",
	"did not find expected <document start>",
	"did not find expected node content",
	"did not find expected ',' or ']'",
	"did not find expected ',' or '}'",
	"did not find expected alphabetic or numeric character",
	"could not find expected ':'",
	"found unexpected end of stream",
	"found a tab character that violates indentation",
	"found character that cannot start any token",
	"found unknown escape character",
	"found unexpected document indicator",
	"block sequence entries are not allowed in this context",
	"found undefined tag handle",
	"control characters are not allowed",
	"exceeded max depth",
	"document contains excessive aliasing",
}

// yamlFault is the fault of a document that does not parse. The parser's error
// can quote it, so only known words and the line are taken from it.
func yamlFault(file string, d document, err error) *fault {
	if errors.Is(err, errAliases) || strings.Contains(err.Error(), "excessive aliasing") {
		return blame(wire.LimitExceeded, file, d.line, "has aliases that, written out, are too many or too large").
			advise("write out what the aliases stand for, once")
	}
	if strings.Contains(err.Error(), "exceeded max depth") {
		return blame(wire.LimitExceeded, file, d.line, "nests fields too deeply")
	}
	f := blame(wire.Malformed, file, 0, "is no YAML")
	for _, p := range problems {
		if strings.Contains(err.Error(), p) {
			f.message += ": " + p
			break
		}
	}
	line := 0
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	remedy(f, d, line)
	return f
}

// remedy sets the line of a fault, and a hint if what stands there is known
// not to be YAML. The parser's line can be one beside the truth.
func remedy(f *fault, d document, line int) {
	lines := bytes.Split(bytes.TrimRight(d.text, "\n"), []byte("\n"))
	line = min(line, len(lines)) // the end is behind the last
	near := func(mark func([]byte) bool) int {
		for _, i := range []int{line - 1, line, line - 2} {
			if line > 0 && i >= 0 && i < len(lines) && mark(lines[i]) {
				return i + 1
			}
		}
		return 0
	}
	f.line = d.line + max(line, 1) - 1
	if at := near(placeholder.Match); at > 0 {
		f.line = d.line + at - 1
		f.message += "; a placeholder stands there"
		f.hint = "write a value that is YAML, and set an image's tag by images or imagesFrom"
	} else if at := 1 + slices.IndexFunc(lines, templated.Match); at > 0 {
		f.line = d.line + at - 1
		f.message += "; a template stands there"
		f.hint = "a Helm template belongs into a chart; else quote the value"
	} else if at := near(tabbed.Match); at > 0 {
		f.line = d.line + at - 1
		f.hint = "indent with spaces, not with tabs"
	} else if strings.Contains(f.message, "mapping values") {
		f.hint = "check the indentation, and quote a value that holds a colon"
	}
}

var (
	// placeholder is a value that YAML reserves, or one that is to be replaced.
	placeholder = regexp.MustCompile("(^|[\\s:\\[,{-])(@@?[A-Za-z0-9_.-]+@?@?|%[A-Za-z0-9_.-]+%?|`[^`]*`)")
	templated   = regexp.MustCompile(`(^\s*|[:-]\s+)\{\{`)
	tabbed      = regexp.MustCompile(`^ *\t`)
)
