package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrNothing is wrapped when a file holds none of the objects asked for.
var ErrNothing = errors.New("nothing to do")

// Options say how manifests are sealed. The zero value takes all from them.
type Options struct {
	Namespace  string // of Secrets that name none; others must agree
	Name       string // likewise
	Scope      Scope  // empty: as the Secret's annotations say
	Format     Format
	AllowEmpty bool // seal Secrets without any value
	Patch      bool // they are patches of Secrets: what they patch names the place

	DefaultNamespace string // that Secrets get which name none, and are not asked to
	Final            Final  // where the Secrets will stand
}

// Result is a file of manifests with its objects sealed or opened.
type Result struct {
	Out      []byte
	Objects  []string // NAMESPACE/NAME of what was sealed, opened or resealed, in order
	Current  []string // those of Objects in which Reseal had nothing to do
	Others   []string // kinds of what was passed through, in order of first sight; at most 20
	Warnings []Warning
}

// A Warning is something to look at that is no error. It never quotes a value.
type Warning struct {
	Line int // in the file, from 1; 0 if it concerns no line
	Text string
}

// String is the warning as people read it, with its line.
func (w Warning) String() string {
	if w.Line > 0 {
		return fmt.Sprintf("line %d: %s", w.Line, w.Text)
	}
	return w.Text
}

// LargeObject is the size in bytes from which Manifest warns: kubectl apply
// keeps the whole object in an annotation, which ends at 256 KiB.
const LargeObject = 200 << 10

// Manifest seals every Secret in a file of YAML documents or JSON objects,
// also within Lists. Other objects are passed through, byte for byte unless
// the format changes. The error wraps [ErrNothing] if there is no Secret.
func (s *Sealer) Manifest(data []byte, o Options) (Result, error) {
	w := &walk{want: "Secret", format: o.Format}
	w.convert = func(n *yaml.Node) (*yaml.Node, error) { return s.secret(n, o, w) }
	return w.run(data)
}

// NeedSecret is nil if a file has a Secret; else it is the error that sealing
// the file gives.
func NeedSecret(data []byte) error {
	w := &walk{want: "Secret"}
	w.convert = func(n *yaml.Node) (*yaml.Node, error) {
		w.result.Objects = append(w.result.Objects, "")
		return n, nil
	}
	_, err := w.run(data)
	return err
}

// Manifest opens every SealedSecret in a file, offline, to the Secret that
// its cluster would make; see [Sealer.Manifest].
func (o Opener) Manifest(ctx context.Context, data []byte, format Format) (Result, error) {
	w := &walk{want: "SealedSecret", format: format}
	w.convert = func(n *yaml.Node) (*yaml.Node, error) { return o.sealedSecret(ctx, n, w) }
	return w.run(data)
}

// maxOthers bounds the kinds that a Result names.
const maxOthers = 20

// walk converts the wanted objects of a file and keeps the rest.
type walk struct {
	want      string
	format    Format
	convert   func(*yaml.Node) (*yaml.Node, error) // the same node: nothing changed
	keepsKind bool                                 // what is converted stays of its kind
	other     func(*yaml.Node) error               // is shown the objects that are passed through; may be nil
	passes    bool                                 // a file without any of the objects is passed through
	plain     []string                             // keys that stay in plain: see FilterObject
	values    []item                               // plain values met, to be found in what is passed through
	copies    *copies
	first     int // line of the current document
	result    Result
}

func (w *walk) run(data []byte) (Result, error) {
	docs, err := documents(data)
	if err != nil {
		return Result{}, err
	}
	for _, d := range docs {
		if err := w.document(d); err != nil {
			return Result{}, d.at(err)
		}
	}
	if len(w.result.Objects) == 0 && !w.passes {
		return Result{}, w.nothing()
	}
	w.copies = newCopies(w.values) // of all documents: a comment may come first
	outs := make([][]byte, len(docs))
	for i, d := range docs {
		if outs[i], err = w.written(d); err != nil {
			return Result{}, d.at(err)
		}
	}
	w.result.Out = join(docs, w.screen(docs, outs), w.format)
	if len(trimMark(data)) < len(data) && bytes.HasPrefix(w.result.Out, docs[0].raw) {
		w.result.Out = append([]byte(byteOrderMark), w.result.Out...)
	}
	slices.SortStableFunc(w.result.Warnings, func(a, b Warning) int { return a.Line - b.Line })
	return w.result, nil
}

// document converts the wanted objects of a document.
func (w *walk) document(d *document) (err error) {
	if d.root == nil {
		return nil
	}
	w.first = d.line
	d.changed, err = w.object(&d.root)
	if d.changed && err == nil {
		d.object = last(w.result.Objects)
	}
	return err
}

// written returns the new text of a document whose objects were converted,
// and nil for one that is passed through.
func (w *walk) written(d *document) ([]byte, error) {
	if d.root == nil || !d.changed && (w.format == SameFormat || w.format == d.format) {
		return nil, nil
	}
	w.first = d.line
	if w.keepsKind && formatOf(w.format, d.format) == d.format {
		if out, ok := d.respliced(); ok {
			return out, nil
		}
	}
	w.dropComments(d)
	out, err := d.encode(w.format)
	if err == nil && d.changed && len(out) >= LargeObject {
		w.result.warnOfSize(d.object, len(out))
	}
	return out, err
}

func (w *walk) object(at **yaml.Node) (changed bool, err error) {
	apiVersion, kind := text(get(*at, "apiVersion")), text(get(*at, "kind"))
	isCore := !strings.Contains(apiVersion, "/")
	switch {
	case w.wanted(apiVersion, kind):
		old := *at
		*at, err = w.convert(old)
		return *at != old, err
	case w.isList(apiVersion, kind), w.passes && isResourceList(apiVersion, kind):
		return w.items(*at, kind)
	case w.want == "Secret" && isCore && isLikeSecret(kind):
		return false, refuseAt((*at).Line, "write apiVersion: v1 and kind: Secret",
			"apiVersion %.40q with kind %.40q is no Secret, and would stay in plain", apiVersion, kind)
	}
	w.note(kind)
	if w.other != nil {
		return false, w.other(*at)
	}
	return false, nil
}

// note takes up the kind of an object that is passed through.
func (w *walk) note(kind string) {
	if len(w.result.Others) < maxOthers && !slices.Contains(w.result.Others, kind) {
		w.result.Others = append(w.result.Others, kind)
	}
}

func (w *walk) isList(apiVersion, kind string) bool {
	isCore := !strings.Contains(apiVersion, "/")
	return isCore && kind == "List" || w.wanted(apiVersion, strings.TrimSuffix(kind, "List")) ||
		apiVersion == "v1" && kind == w.want+"List"
}

const resourceList = "ResourceList"

// isResourceList takes what KRM functions read and write.
func isResourceList(apiVersion, kind string) bool {
	return kind == resourceList && strings.HasPrefix(apiVersion, "config.kubernetes.io/")
}

func (w *walk) wanted(apiVersion, kind string) bool {
	if w.want == "Secret" {
		return kind == "Secret" && apiVersion == "v1"
	}
	return kind == w.want && strings.HasPrefix(apiVersion, "bitnami.com/")
}

// isLikeSecret also takes what Kubernetes would refuse: a Secret that is
// passed through stays in plain.
func isLikeSecret(kind string) bool {
	kind = strings.TrimSpace(kind)
	return strings.EqualFold(kind, "Secret") || strings.EqualFold(kind, "SecretList")
}

func (w *walk) items(listNode *yaml.Node, listKind string) (changed bool, err error) {
	items := get(listNode, "items")
	if items == nil {
		return false, nil
	}
	for i := range items.Content {
		if listKind != "List" && listKind != resourceList {
			w.complete(items.Content[i])
		}
		one, err := w.object(&items.Content[i])
		if err != nil {
			return false, err
		}
		changed = changed || one
	}
	if changed && listKind != "List" && listKind != resourceList && !w.keepsKind { // its items are of another kind now
		get(listNode, "apiVersion").SetString("v1")
		get(listNode, "kind").SetString("List")
	}
	return changed, nil
}

// complete adds the kind to an item of a list of one kind: the API server's
// answer leaves it out.
func (w *walk) complete(item *yaml.Node) {
	if item.Kind != yaml.MappingNode {
		return
	}
	apiVersion := "v1"
	if w.want == "SealedSecret" {
		apiVersion = "bitnami.com/v1alpha1"
	}
	for _, field := range [][2]string{{"kind", w.want}, {"apiVersion", apiVersion}} {
		if k, _ := entry(item, field[0]); k == nil {
			key := scalar(field[0])
			key.Line = item.Line
			item.Content = slices.Insert(item.Content, 0, key, scalar(field[1]))
		}
	}
}

func (w *walk) nothing() error {
	foundKinds := "an empty file"
	if kinds := slices.DeleteFunc(w.result.Others, func(k string) bool { return k == "" }); len(kinds) > 0 {
		foundKinds = strings.Join(kinds, ", ")
	} else if len(w.result.Others) > 0 {
		foundKinds = "objects without apiVersion and kind"
	}
	hint := "give a manifest with kind: " + w.want
	if slices.Contains(w.result.Others, "SealedSecret") {
		hint = "it is sealed already"
	} else if slices.Contains(w.result.Others, "Secret") {
		hint = "it is not sealed yet; fuin seal does that"
	}
	return &Error{Reason: fmt.Sprintf("no %s; found %.200s", w.want, foundKinds), hint: hint, err: ErrNothing}
}

// warn takes a line of the current document.
func (w *walk) warn(line int, format string, args ...any) {
	if line > 0 {
		line += w.first - 1
	}
	w.result.warn(line, format, args...)
}

func (r *Result) warnOfSize(object string, size int) {
	r.warn(0, "%s has %d KiB: kubectl apply fails from 256 KiB; use kubectl apply --server-side", object, size>>10)
}

// warn takes a line of the file.
func (r *Result) warn(line int, format string, args ...any) {
	r.Warnings = append(r.Warnings, Warning{line, fmt.Sprintf(format, args...)})
}

// join puts the documents back together; nil outs stand for raw bytes.
func join(docs []*document, outs [][]byte, format Format) []byte {
	var b bytes.Buffer
	for i, d := range docs {
		if d.root == nil && format == JSON {
			continue // JSON has no comments
		}
		out := outs[i]
		if out == nil {
			out = d.raw
		}
		b.WriteString(separator(b.Bytes(), out, formatOf(format, d.format), d.eol()))
		b.Write(out)
	}
	return b.Bytes()
}

func formatOf(format, own Format) Format {
	if format == SameFormat {
		return own
	}
	return format
}

// separator is what must stand between two documents.
func separator(before, next []byte, format Format, eol string) string {
	if len(before) == 0 {
		return ""
	}
	sep := ""
	if before[len(before)-1] != '\n' {
		sep = eol
	}
	switch {
	case format != YAML || startsDocument(next):
		return sep
	case !hasDirectives(next):
		return sep + "---" + eol
	case isMarker(lastLine(before), "..."):
		return sep
	}
	return sep + "..." + eol // directives stand only behind an ended document
}

func lastLine(text []byte) []byte {
	text = bytes.TrimRight(text, "\r\n")
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

func last[T any](s []T) T { return s[len(s)-1] }
