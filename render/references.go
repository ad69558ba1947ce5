package render

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"fuin.dev/render/reference"
)

// Referring is a value of a Secret, or a template of a SealedSecret, that
// refers to Vault.
type Referring struct {
	Field string // stringData, data or spec.template.data
	Key   string
	Text  string // of data, decoded
	Parts []reference.Part
}

// References lists the values of an object that refer to Vault, by field and
// key: of a Secret in stringData and data, in the literal text of a
// SealedSecret's templates. What stringData has too is left out of data.
//
// The error is a [ReferenceErrors] that lists every reference which does not
// parse or stands where none is resolved, and those of other tools. It does not
// judge values without references.
func References(o Object) ([]Referring, error) {
	r := &referring{object: o}
	switch o.Group() + "/" + o.Kind() {
	case "/Secret":
		r.secret()
	case ofSealed:
		r.templates()
	}
	r.elsewhere()
	slices.SortStableFunc(r.faults, func(a, b *ReferenceError) int { return strings.Compare(a.Field, b.Field) })
	if len(r.faults) > 0 {
		return r.found, r.faults
	}
	return r.found, nil
}

const ofSealed = "bitnami.com/SealedSecret"

// maxReferenceErrors bounds the faults that are told of one object.
const maxReferenceErrors = 100

type referring struct {
	object Object
	found  []Referring
	faults ReferenceErrors
}

// secret reads the values of a Secret.
func (r *referring) secret() {
	with := placeholdersOf(r.object)
	plain := mapping(r.object.Content, "stringData")
	encoded := mapping(r.object.Content, "data")
	for _, key := range slices.Sorted(maps.Keys(encoded)) {
		text, ok := encoded[key].(string)
		if _, hidden := plain[key]; !ok || hidden {
			continue
		}
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			r.unencoded(key, text, with)
			continue
		}
		r.value("data", key, string(value), reference.Parse, with)
	}
	for _, key := range slices.Sorted(maps.Keys(plain)) {
		if text, ok := plain[key].(string); ok {
			r.value("stringData", key, text, reference.Parse, with)
		}
	}
}

// unencoded looks at a value of data that is no base64.
func (r *referring) unencoded(key, text string, with reference.Placeholders) {
	switch {
	case reference.Contains(text):
		r.fault(within("data", key), text, strings.Index(text, "ref+"), "move it to stringData", "a reference stands in data as it is, where values are base64")
	case len(reference.FindForeign(text, with)) > 0:
		r.foreign(within("data", key), text, reference.FindForeign(text, with))
	}
}

func (r *referring) templates() {
	templates, with := mapping(r.object.Content, "spec", "template", "data"), placeholdersOf(r.object)
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		if text, ok := templates[key].(string); ok {
			r.value("spec.template.data", key, text, reference.ParseTemplate, with)
		}
	}
}

// value reads one value, which may refer.
func (r *referring) value(field, key, text string, parse func(string) ([]reference.Part, error), with reference.Placeholders) {
	at := within(field, key)
	if foreign := reference.FindForeign(text, with); len(foreign) > 0 {
		r.foreign(at, text, foreign)
		return
	}
	if !reference.Contains(text) {
		return
	}
	if !utf8.ValidString(text) {
		r.fault(at, text, -1, "give the other bytes a key of their own", "a reference stands in what is no text in UTF-8")
		return
	}
	parts, err := parse(text)
	if err != nil {
		r.unparsed(at, text, err)
		return
	}
	if len(reference.Of(parts)) > 0 {
		r.found = append(r.found, Referring{field, key, text, parts})
	}
}

func (r *referring) unparsed(at, text string, err error) {
	if e, ok := err.(*reference.Error); ok { //nolint:errorlint // it is returned as it is
		r.fault(at, text, e.Offset, e.Hint(), "%s", e.Message)
	}
}

func (r *referring) foreign(at, text string, found []reference.Foreign) {
	const hint = "fuin migrate vault-refs rewrites it"
	for _, f := range found {
		if f.Err != nil {
			r.fault(at, text, f.Offset, f.Err.Hint(), "a reference of another tool, which is not resolved: %s", f.Err.Message)
			continue
		}
		r.fault(at, text, f.Offset, hint, "a reference of another tool, which is not resolved")
	}
}

// fault notes what is wrong at an offset of a value; -1 is nowhere in particular.
func (r *referring) fault(field, text string, offset int, hint, format string, args ...any) {
	if len(r.faults) >= maxReferenceErrors {
		return
	}
	e := &ReferenceError{File: r.object.File, Line: r.object.Line, Object: r.object.title(), Field: field, Message: fmt.Sprintf(format, args...), hint: hint}
	if offset >= 0 {
		before := text[:min(offset, len(text))]
		e.TextLine = strings.Count(before, "\n") + 1
		e.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		e.oneLine = !strings.Contains(strings.TrimRight(text, "\n"), "\n")
	}
	r.faults = append(r.faults, e)
}

// title is KIND NAMESPACE/NAME.
func (o Object) title() string {
	name := clip(o.Name())
	if ns := o.Namespace(); ns != "" {
		name = clip(ns) + "/" + name
	}
	return clip(o.Kind()) + " " + name
}

// placeholdersOf is what annotations of argocd-vault-plugin say.
func placeholdersOf(o Object) reference.Placeholders {
	annotations := mapping(o.metadata(), "annotations")
	return reference.PlaceholdersOf(func(name string) string { return field(annotations, name) })
}

// A ReferenceError says which reference of an object cannot be resolved, and
// why. It holds names of files, objects and fields, and nothing of values.
type ReferenceError struct {
	File   string // "" if the object was generated
	Line   int    // of File, where the object begins; 0 is unknown
	Object string // KIND NAMESPACE/NAME
	Field  string // as spec.template.data.url; a name that has dots is in brackets
	// TextLine and Column tell where in the value, decoded, it stands, in
	// lines and characters from 1. They are 0 where nothing is at fault but
	// the place.
	TextLine, Column int
	Message          string

	hint    string
	oneLine bool
}

// Error names file, line, object and field.
func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%s: %s: %s", position(cmp.Or(e.File, "generated"), e.Line), e.Object, e.Where())
}

// Where is the error without file and object.
func (e *ReferenceError) Where() string {
	switch {
	case e.Column == 0:
		return fmt.Sprintf("%s: %s", e.Field, e.Message)
	case e.oneLine:
		return fmt.Sprintf("%s, character %d: %s", e.Field, e.Column, e.Message)
	}
	return fmt.Sprintf("%s, line %d, character %d: %s", e.Field, e.TextLine, e.Column, e.Message)
}

// Hint tells what to do.
func (e *ReferenceError) Hint() string { return e.hint }

// ReferenceErrors are those of one object, in the order of their fields, at
// least one and at most a hundred.
type ReferenceErrors []*ReferenceError

// Error is all of them, one behind the other.
func (e ReferenceErrors) Error() string { return joined(e) }

// Unwrap lets errors.As find the first ReferenceError.
func (e ReferenceErrors) Unwrap() []error { return each(e) }
