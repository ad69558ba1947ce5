package seal

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Field is the way to one value of a YAML or JSON file that need not hold
// objects of Kubernetes, such as the values of a chart.
type Field struct {
	text  string
	steps []step
}

// step is a name in a mapping, or a place in a list.
type step struct {
	name string
	at   int // from 0; unknown for a name
}

// maxSteps bounds a way, which no document is deep enough to exceed.
const maxSteps = maxDepth

// ParseField reads auth.password or users[0].password, where a backslash takes
// the next character as it is: annotations.example\.com/key.
func ParseField(text string) (Field, error) {
	f := Field{text: text}
	rest, ok := f.name(text)
	for ok && rest != "" && len(f.steps) < maxSteps {
		if rest[0] == '[' {
			rest, ok = f.place(rest[1:])
		} else {
			rest, ok = f.name(strings.TrimPrefix(rest, "."))
		}
	}
	if !ok || rest != "" {
		return f, f.malformed()
	}
	return f, nil
}

// name adds the name with which a text begins, and returns what follows it.
func (f *Field) name(text string) (rest string, ok bool) {
	var name strings.Builder
	i := 0
	for ; i < len(text) && text[i] != '.' && text[i] != '['; i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		name.WriteByte(text[i])
	}
	f.steps = append(f.steps, step{name.String(), unknown})
	return text[i:], i > 0
}

// place adds a place in a list, and returns what follows it.
func (f *Field) place(text string) (rest string, ok bool) {
	number, rest, ok := strings.Cut(text, "]")
	at, err := strconv.Atoi(number)
	if !ok || err != nil || at < 0 || strconv.Itoa(at) != number || rest != "" && rest[0] != '.' && rest[0] != '[' {
		return "", false
	}
	f.steps = append(f.steps, step{"", at})
	return rest, true
}

func (f *Field) malformed() error {
	return refuse(`write auth.password, users[0].password or annotations.example\.com/key`, "%.80q is no way to a field", f.text)
}

func (f Field) String() string { return f.text }

// FieldOptions say how [Sealer.Field] seals.
type FieldOptions struct {
	Scope      Scope // empty: NamespaceWide
	Namespace  string
	Value      []byte // instead of the one that stands there; nil takes that
	AllowEmpty bool
}

// Field seals one value of a file in place, as a [Token]: every other byte
// stays. A field that is not there is added where o.Value is given. One that
// holds a token already stays as it is, and is not named in Objects. It serves
// fuin seal --field.
func (s *Sealer) Field(data []byte, at Field, o FieldOptions) (Result, error) {
	docs, err := documents(data)
	if err != nil {
		return Result{}, err
	}
	i, value, err := at.find(docs, o)
	if err != nil || value == nil {
		return Result{Out: data}, err
	}
	if len(value) == 0 && !o.AllowEmpty {
		return Result{}, at.refuse(docs[i].line, "give it a value, or --allow-empty-data", "it is empty")
	}
	if o.Scope == "" {
		o.Scope = NamespaceWide
	}
	token, err := s.Token(o.Scope, o.Namespace, value)
	if err != nil {
		return Result{}, err
	}
	r, err := at.write(data, docs, i, token.String())
	if err != nil {
		return Result{}, err
	}
	return r, r.warnOfCopies(item{key: at.text, value: value})
}

func (f Field) refuse(line int, hint, format string, args ...any) error {
	return refuseAt(line, hint, "field %.80q: "+format, append([]any{f.text}, args...)...)
}

// find tells which document has the field, and the value to seal; nil if it is
// sealed already.
func (f Field) find(docs []*document, o FieldOptions) (at int, value []byte, err error) {
	at = unknown
	var node *yaml.Node
	for i, d := range docs {
		n := f.walk(d.root)
		switch {
		case n == nil:
		case node != nil:
			return 0, nil, f.refuse(d.line+n.Line-1, "keep it in one of them", "it stands in two documents")
		default:
			at, node = i, n
		}
	}
	switch {
	case node == nil && o.Value == nil:
		return 0, nil, f.refuse(0, "check the way to it; --from-file PATH gives it a value", "it is not there")
	case node == nil && len(docs) != 1:
		return 0, nil, f.refuse(0, "add it by hand first", "it is not there, and the file has several documents")
	case node == nil:
		return 0, o.Value, nil
	}
	value, err = f.value(node, docs[at].line)
	if o.Value != nil && err == nil {
		value = o.Value
	}
	return at, value, err
}

// value is the text at the field; nil if it is a token.
func (f Field) value(n *yaml.Node, first int) ([]byte, error) {
	line := first + max(n.Line, 1) - 1
	switch {
	case isNull(n):
		return []byte{}, nil
	case n.Kind != yaml.ScalarNode:
		return nil, f.refuse(line, "name one field in it", "%s, not text", describe(n))
	case n.Tag != "!!str":
		return nil, f.refuse(line, "quote it", "%s, not text", describe(n))
	case IsToken(n.Value):
		return nil, nil
	case len(FindTokens(n.Value)) > 0:
		return nil, f.refuse(line, "seal the parts in fields of their own, or the whole as it should be", "it holds a token and more")
	}
	return []byte(n.Value), nil
}

// walk returns the node at the field; nil if there is none.
func (f Field) walk(n *yaml.Node) *yaml.Node {
	for _, s := range f.steps {
		switch {
		case n == nil:
		case s.at == unknown:
			n = get(n, s.name)
		case n.Kind != yaml.SequenceNode || s.at >= len(n.Content):
			return nil
		default:
			n = n.Content[s.at]
		}
	}
	return n
}

// split cuts the way behind its last place in a list: what follows are names.
func (f Field) split() (head Field, names []string) {
	cut := len(f.steps)
	for cut > 0 && f.steps[cut-1].at == unknown {
		cut--
	}
	for _, s := range f.steps[cut:] {
		names = append(names, s.name)
	}
	return Field{f.text, f.steps[:cut]}, names
}

// write puts text at the field of a document, and proves that nothing else
// changed.
func (f Field) write(data []byte, docs []*document, i int, text string) (Result, error) {
	d := docs[i]
	if d.root == nil {
		return Result{}, f.refuse(d.line, "write it as field: \"\" first", "the file is empty")
	}
	e := newEditor(d, "field "+quoted(f.text))
	if err := e.field(d, f, text); err != nil {
		return Result{}, d.at(err)
	}
	edited, err := e.spliced()
	if err != nil {
		return Result{}, d.at(err)
	}
	body := bytes.TrimPrefix(data, []byte(byteOrderMark))
	mark := data[:len(data)-len(body)]
	out := slices.Concat(mark, body[:d.offset], edited, body[d.offset+len(d.raw):])
	f.apply(d.root, text)
	if again, err := documents(out); err != nil || len(again) != len(docs) || !same(d.root, again[i].root) {
		return Result{}, d.at(e.unsure(&yaml.Node{Line: 1}))
	}
	return Result{Out: out, Objects: []string{f.text}}, nil
}

// field puts text at the field of a document as it is written.
func (e *editor) field(d *document, f Field, text string) error {
	root, err := e.object(d)
	if err != nil {
		return err
	}
	e.step = 2
	head, names := f.split()
	n := root
	for i := range head.steps {
		outer := Field{steps: head.steps[:i]}.walk(root)
		if n = (Field{steps: head.steps[:i+1]}).walk(root); outer == nil || n == nil {
			return e.unsure(root)
		}
		if err := e.check(outer, kindOf(head.steps[i])); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		if err := e.check(n, yaml.MappingNode); err != nil {
			return err
		}
		return e.put(n, names, text)
	}
	if err := e.check(n, yaml.ScalarNode); err != nil {
		return err
	}
	start, end := e.start(n), e.end(n)
	if start == unknown || end <= start {
		return e.unsure(n)
	}
	e.rewrite(n, start, end, text)
	return nil
}

// kindOf is the kind of node in which a step leads on.
func kindOf(s step) yaml.Kind {
	if s.at == unknown {
		return yaml.MappingNode
	}
	return yaml.SequenceNode
}

// apply makes the change in a tree.
func (f Field) apply(root *yaml.Node, text string) {
	head, names := f.split()
	n := head.walk(root)
	if len(names) == 0 {
		*n = *scalar(text)
		return
	}
	change{way: names, value: text}.apply(n)
}
