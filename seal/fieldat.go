package seal

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FieldAt is the way to the scalar that begins at a line and column of a file,
// both from 1; columns count characters. It is false where none does, or one
// that only an alias leads to.
func FieldAt(data []byte, line, column int) (Field, bool) {
	return fieldWhere(data, line, func(_ spans, line int, n *yaml.Node) bool { return n.Line == line && n.Column == column })
}

// FieldAround is the way to the scalar in whose text a line and column are; see
// [FieldAt].
func FieldAround(data []byte, line, column int) (Field, bool) {
	return fieldWhere(data, line, func(s spans, line int, n *yaml.Node) bool {
		at, start := s.start(&yaml.Node{Line: line, Column: column}), s.start(n)
		return at != unknown && start != unknown && start <= at && at < s.end(n)
	})
}

// fieldWhere finds the scalar that is the one meant; its line is one of its
// document.
func fieldWhere(data []byte, line int, isOne func(s spans, line int, n *yaml.Node) bool) (Field, bool) {
	docs, err := documents(data)
	if err != nil {
		return Field{}, false
	}
	for i := len(docs) - 1; i >= 0; i-- {
		d := docs[i]
		if d.root == nil || line < d.line {
			continue
		}
		e := newEditor(d, "")
		root, err := e.object(d)
		if err != nil {
			return Field{}, false
		}
		f := Field{}
		if !f.lead(root, func(n *yaml.Node) bool { return isOne(e.spans, line-d.line+1, n) }) {
			return Field{}, false
		}
		return f, true
	}
	return Field{}, false
}

// lead finds the steps from a node to the scalar.
func (f *Field) lead(n *yaml.Node, isOne func(*yaml.Node) bool) bool {
	if n.Kind == yaml.ScalarNode {
		return isOne(n)
	}
	steps, text := f.steps, f.text
	for i, child := range n.Content {
		next := step{"", i}
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 || n.Content[i-1].Value == "" {
				continue
			}
			next = step{n.Content[i-1].Value, unknown}
		}
		f.steps, f.text = slices.Concat(steps, []step{next}), text+next.written(text == "")
		if f.lead(child, isOne) {
			return true
		}
	}
	f.steps, f.text = steps, text
	return false
}

// written is a step as [ParseField] reads it.
func (s step) written(isFirst bool) string {
	if s.at != unknown {
		return "[" + strconv.Itoa(s.at) + "]"
	}
	name := strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`).Replace(s.name)
	if isFirst {
		return name
	}
	return "." + name
}
