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
	docs, err := documents(data)
	if err != nil {
		return Field{}, false
	}
	for i := len(docs) - 1; i >= 0; i-- {
		d := docs[i]
		if d.root == nil || line < d.line {
			continue
		}
		root, err := newEditor(d, "").object(d)
		if err != nil {
			return Field{}, false
		}
		f := Field{}
		if !f.lead(root, line-d.line+1, column) {
			return Field{}, false
		}
		return f, true
	}
	return Field{}, false
}

// lead finds the steps from a node to the scalar.
func (f *Field) lead(n *yaml.Node, line, column int) bool {
	if n.Kind == yaml.ScalarNode {
		return n.Line == line && n.Column == column
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
		if f.lead(child, line, column) {
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
