package engine

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"fuin.dev/render/wire"
)

// parseFailure reduces the error of a template that does not parse. The text
// is not secret, but may hold a literal that should have been, and errors go
// where the text does not. What stands where a function should can be such a
// literal, without its quotes: it is named only if it is one of foreign.
func parseFailure(t wire.Template, err error) *wire.Failure {
	line, rest := position(t, err)
	if m := undefined.FindStringSubmatch(rest); m != nil {
		f := &wire.Failure{Class: wire.Undefined, Line: line}
		if foreign[m[1]] {
			f.Function = m[1]
		}
		return f
	}
	return &wire.Failure{Class: wire.Parse, Line: line}
}

// foreign are functions that authors know from elsewhere and try: those that
// are removed, and Helm's.
var foreign = set(
	"env", "expandenv", "getHostByName",
	"fromJsonArray", "fromToml", "fromYaml", "fromYamlArray", "include", "lookup", "mustToToml", "mustToYaml",
	"required", "toToml", "toYaml", "toYamlPretty", "tpl",
)

// executeFailure reduces the error of a template that failed while it ran, of
// which only the line is safe: the rest comes from values.
func executeFailure(t wire.Template, err error) *wire.Failure {
	if errors.Is(err, errFull) {
		return &wire.Failure{Class: wire.Output}
	}
	line, _ := position(t, err)
	return &wire.Failure{Class: wire.Execute, Line: line}
}

var undefined = regexp.MustCompile(`^function "([^"]*)" not defined$`)

// position takes apart an error of text/template, "template: KEY:LINE: rest"
// or "template: KEY:LINE:COLUMN: rest". A line that the text does not have is
// none: then something else was mistaken for it.
func position(t wire.Template, err error) (line int, rest string) {
	at, ok := strings.CutPrefix(err.Error(), "template: "+t.Key+":")
	if !ok {
		return 0, ""
	}
	number, rest, _ := strings.Cut(at, ":")
	line, err = strconv.Atoi(number)
	if err != nil || line < 1 || line > 1+bytes.Count(t.Text, []byte("\n")) {
		return 0, ""
	}
	return line, strings.TrimPrefix(rest, " ")
}
