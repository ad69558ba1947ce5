package seal

import (
	"slices"
	"strings"

	"fuin.dev/lazy"
	"go.yaml.in/yaml/v3"
)

// TemplateAt finds the SealedSecret and the key under spec.template.data whose
// text stands at a line of a file. It is false where none does.
func TemplateAt(data []byte, line int) (Target, bool) {
	docs, err := documents(data)
	if err != nil {
		return Target{}, false
	}
	all, err := allFound(data)
	if err != nil {
		return Target{}, false
	}
	for _, f := range all {
		i := slices.IndexFunc(docs, func(d *document) bool { return d.offset == f.offset })
		if key := f.templateAt(docs[i], line-docs[i].line+1); key != "" {
			return Target{Key: key, Namespace: f.Namespace, Name: f.Name}, true
		}
	}
	return Target{}, false
}

// templateAt takes a line of the document.
func (f *found) templateAt(d *document, line int) string {
	e := newEditor(d, "")
	e.items, _ = itemsTo(f.root, f.node)
	object, err := e.object(d)
	if err != nil {
		return ""
	}
	texts := get(object, "spec", "template", "data")
	if texts == nil || texts.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(texts.Content); i += 2 {
		k, v := texts.Content[i], texts.Content[i+1]
		end := e.end(v)
		if end != unknown && k.Line <= line && line <= e.row(end) {
			return k.Value
		}
	}
	return ""
}

// row is the line in which an offset lies, from 1.
func (s spans) row(at int) int {
	i, exact := slices.BinarySearch(s.rows, at)
	if exact {
		return i + 1
	}
	return i
}

// Enclose seals the literal text that a SealedSecret's template holds under a
// key, and takes it out of the template: the Secret stays the same. Every other
// byte stays, but for the hint [AnnotationKey]. What is no literal text is
// refused, and so is a key that holds a sealed value beside it.
func (s *Sealer) Enclose(data []byte, t Target) (Result, error) {
	f, err := t.find(data)
	if err != nil {
		return Result{}, err
	}
	text, err := f.literal(t.Key)
	if err != nil {
		return Result{}, err
	}
	sealed, err := f.seal(s, t, []byte(text))
	if err != nil {
		return Result{}, err
	}
	changes := []change{{way: encryptedData(t.Key), value: sealed}, {way: []string{"spec", "template", "data", t.Key}, remove: true}}
	if hint, changed := f.hintWith(s.Fingerprints()); changed {
		changes = slices.Insert(changes, 0, change{way: hintWay(), value: hint})
	}
	r, err := f.result(data, changes)
	if err != nil {
		return Result{}, err
	}
	return r, r.warnOfCopies(item{key: t.Key, value: []byte(text)})
}

// literal is the text of a template that no template engine changes.
func (f *found) literal(key string) (string, error) {
	text, ok := f.Templates[key]
	_, isSealed := f.Values[key]
	const byHand = "seal the value under a key of its own (fuin set FILE KEY), and write {{ .KEY }} in its place"
	switch {
	case !ok:
		return "", f.refuse(f.line, "check its name", "its template has no key %.80q", key)
	case isTemplate(text):
		return "", f.refuse(f.line, byHand, "key %.80q: a template that holds a value in plain, and more", key)
	case refersToVault([]byte(text)):
		return "", f.refuse(f.line, byHand, "key %.80q: it refers to Vault, which a sealed value does not", key)
	case isSealed || slices.Contains(f.Inputs(), key):
		return "", f.refuse(f.line, "see which of them counts, and remove the other: fuin unset", "key %.80q: a sealed value of that name feeds its templates", key)
	}
	for other, template := range f.Templates {
		if other != key && isTemplate(template) && (strings.Contains(template, key) || wholeInput().MatchString(template)) {
			return "", f.refuse(f.line, byHand, "key %.80q: sealed, another template would see it", key)
		}
	}
	return text, nil
}

// wholeInput is where a template takes all values at once.
var wholeInput = lazy.Regexp(`[\s({][.$][\s)}|]`)
