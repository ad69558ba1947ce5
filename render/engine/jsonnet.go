package engine

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"fuin.dev/render/wire"

	gojsonnet "github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
)

// maxCalls is how deep the calls of a Jsonnet program may be, as in the
// jsonnet command.
const maxCalls = 500

// jsonnet evaluates main.jsonnet of a directory, or its only program. The
// objects are the leaves of what it makes, in the order of their fields.
func jsonnet(files fs.FS, d wire.Directory) (rendition, error) {
	file, err := mainProgram(files, d.Path)
	if err != nil {
		return rendition{}, err
	}
	imports, err := newImports(files, d)
	if err != nil {
		return rendition{}, err
	}
	text, err := evaluate(file, imports, d.Jsonnet.ExternalVariables)
	if err != nil {
		return rendition{}, err
	}
	l := &leafFinder{file: file, known: imports.holds}
	err = l.all(text)
	return rendition{objects: l.found}, err
}

// mainProgram is the file of a directory that is evaluated.
func mainProgram(files fs.FS, dir string) (string, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return "", noDirectory(err, dir)
	}
	var programs []string
	for _, e := range entries {
		switch {
		case e.IsDir() || path.Ext(e.Name()) != ".jsonnet":
		case e.Name() == "main.jsonnet":
			return path.Join(dir, e.Name()), nil
		default:
			programs = append(programs, e.Name())
		}
	}
	if len(programs) != 1 {
		return "", blame(wire.NotRenderable, dir, 0, "holds %d files *.jsonnet, and none is main.jsonnet", len(programs)).
			advise("name the one that makes the objects main.jsonnet, and what it imports *.libsonnet")
	}
	return path.Join(dir, programs[0]), nil
}

// evaluate runs a program and returns its JSON.
func evaluate(file string, imports *imports, variables map[string]string) (string, error) {
	vm := gojsonnet.MakeVM()
	vm.MaxStack = maxCalls
	vm.SetTraceOut(io.Discard) // std.trace can print anything
	vm.Importer(imports)
	for _, f := range natives() {
		vm.NativeFunction(f)
	}
	for name, value := range variables {
		vm.ExtVar(name, value)
	}
	program, _, err := vm.ImportAST("", "/"+file)
	if err != nil {
		return "", imports.failure(file, err)
	}
	if wants := parameters(program); len(wants) > 0 {
		return "", blame(wire.NotRenderable, file, 0, "is a function of %s, for which there are no arguments", abridged(wants)).
			advise("give each parameter a default, such as std.extVar(NAME), or call the function")
	}
	text, err := vm.Evaluate(program)
	if err != nil {
		return "", imports.failure(file, err)
	}
	return text, nil
}

// parameters are those that a program demands, if it is a function.
func parameters(program ast.Node) []string {
	switch n := program.(type) {
	case *ast.Local:
		return parameters(n.Body)
	case *ast.Function:
		var names []string
		for _, p := range n.Parameters {
			if p.DefaultArg == nil {
				names = append(names, string(p.Name))
			}
		}
		return names
	}
	return nil
}

// failure reduces an error of Jsonnet, whose text can quote any value, to where
// it happened and words that stand in a file that was read.
func (i *imports) failure(file string, err error) error {
	if i.fault != nil {
		return i.fault
	}
	var static interface{ Loc() ast.LocationRange }
	if errors.As(err, &static) {
		at, line := i.place(static.Loc(), file)
		return blame(wire.Malformed, at, line, "is not Jsonnet%s", i.undefined(err.Error()))
	}
	var run gojsonnet.RuntimeError
	if !errors.As(err, &run) {
		return blame(wire.EngineFailed, file, 0, "ends the evaluation")
	}
	at, line := file, 0
	for _, frame := range run.StackTrace {
		if a, l := i.place(frame.Loc, ""); a != "" {
			at, line = a, l
		}
	}
	return i.runFailure(at, line, run.Msg)
}

func (i *imports) runFailure(at string, line int, said string) error {
	name, ok := strings.CutPrefix(said, "Undefined external variable: ")
	switch {
	case strings.HasPrefix(said, "max stack frames exceeded"):
		return blame(wire.LimitExceeded, at, line, "recurses too deeply: %d calls are the most", maxCalls)
	case ok && i.holds(name):
		return blame(wire.NotFound, at, line, "wants the external variable %s, which is not given", abridge(name)).
			advise("give it: spec.jsonnet.externalVariables, or --ext-str " + abridge(name) + "=VALUE")
	case strings.HasPrefix(said, "Unexpected type null, expected function") && i.holds("std.native("):
		return blame(wire.Unsupported, at, line, "calls a native function that does not exist here").
			advise("here are parseJson, parseYaml, manifestJsonFromJson, manifestYamlFromJson, escapeStringRegex, regexMatch and regexSubst")
	case i.quotes(said):
		return blame(wire.EngineFailed, at, line, "refuses to go on: %s", abridge(said))
	}
	if file, line, rest, ok := i.imported(said); ok {
		return blame(wire.Malformed, file, line, "is not Jsonnet%s", i.undefined(rest))
	}
	return blame(wire.EngineFailed, at, line, "fails%s", i.runReason(said))
}

// reasons are how errors of Jsonnet begin, or go on after a value, and what is
// said instead.
var jsonnetReasons = []struct{ said, reason string }{
	{"Field does not exist", "a field that it reads does not exist"},
	{"Assertion failed", "an assertion does not hold"},
	{"Object assertion failed", "an assertion does not hold"},
	{"couldn't manifest function", "a function stands where a value is wanted"},
	{"Unexpected type", "a value is of another type than it expects"},
	{"Missing argument", "a call lacks an argument"},
	{"function has no parameter", "a call has an argument that the function does not know"},
	{"Index ", "an index is out of bounds"},
	{"division by zero", "it divides by zero"},
}

func (i *imports) runReason(said string) string {
	for _, r := range jsonnetReasons {
		if strings.HasPrefix(strings.ToLower(said), strings.ToLower(r.said)) {
			return ": " + r.reason
		}
	}
	return ""
}

// imported takes apart the error of an imported file that does not parse, which
// begins with the place.
func (i *imports) imported(said string) (file string, line int, rest string, ok bool) {
	m := placed.FindStringSubmatch(said)
	if m == nil {
		return "", 0, "", false
	}
	_, ok = i.read[m[1]]
	line, _ = strconv.Atoi(m[2])
	return m[1], line, m[3], ok
}

var placed = regexp.MustCompile(`^/([^:]+):\(?(\d+):[-()\d:]+ (.*)$`)

// undefined names a variable that a program uses and nobody defines.
func (i *imports) undefined(said string) string {
	if _, name, ok := strings.Cut(said, "Unknown variable: "); ok && i.holds(name) {
		return ": it uses " + abridge(name) + ", which is not defined"
	}
	return ""
}

// place is where something happened, if that is a file that was read.
func (i *imports) place(loc ast.LocationRange, otherwise string) (string, int) {
	file := strings.TrimPrefix(loc.FileName, "/")
	if _, ok := i.read[file]; !ok {
		return otherwise, 0
	}
	return file, loc.Begin.Line
}
