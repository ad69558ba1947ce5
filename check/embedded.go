package check

import (
	"bytes"
	"encoding/base64"
	"strings"

	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// embedded checks text that is a document itself: values of a chart, a patch,
// a configuration file, arguments.
func (d *document) embedded(a at, n *yaml.Node) {
	value := n.Value
	if !mayHold([]byte(value)) {
		d.encoded(a, n)
		return
	}
	inner := d.inside(a, n)
	if d.depth < maxEmbedded && looksLikeDocument(value) && d.documents(inner, value) {
		return
	}
	eachAssignment(value, func(t assignment) {
		if !t.quoted && t.separator == ':' && strings.Contains(t.value, " ") || // prose
			!isPlain(t.key, t.value, inField) || strings.HasPrefix(strings.TrimSpace(value), "#!") && !looksRandom(t.value) {
			return
		}
		line, column := inner.offset+t.line, inner.indent+t.column
		if inner.fixed > 0 {
			line, column = inner.fixed, inner.indent
		}
		d.file.add(Finding{
			Line: line, Column: column, Object: a.object, Key: t.key, Rule: a.rule, Message: plainly(t.key), within: a.within,
		})
	})
}

// inside is where the text of a scalar stands. Only of block scalars it can be
// told line by line.
func (d *document) inside(a at, n *yaml.Node) at {
	line, column := a.line(n), a.column(n)
	if n.Style&yaml.LiteralStyle == 0 || a.fixed > 0 {
		a.fixed, a.indent = line, column
		return a
	}
	first := d.file.line(line + 1)
	a.offset = line
	a.indent = len(first) - len(bytes.TrimLeft(first, " "))
	return a
}

// looksLikeDocument reports whether text is a mapping or list in YAML or JSON.
func looksLikeDocument(value string) bool {
	trimmed := strings.TrimSpace(value)
	if strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "{{") || strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "---") {
		return true
	}
	return strings.Contains(trimmed, "\n") && (strings.Contains(trimmed, ": ") || strings.Contains(trimmed, ":\n"))
}

// documents walks the documents of a text; false if it has none.
func (d *document) documents(a at, value string) bool {
	var roots []*yaml.Node
	var lines []int
	for _, part := range seal.Split([]byte(value)) {
		root, err := part.Tree()
		if err != nil || root != nil && root.Kind == yaml.ScalarNode {
			return false
		}
		if root != nil {
			roots, lines = append(roots, root), append(lines, part.Line-1)
		}
	}
	d.depth++
	defer func() { d.depth-- }()
	outer := a.object
	for i, root := range roots {
		inner := a
		inner.offset += lines[i]
		inner.object, inner.key = outer, ""
		if a.rule == CopyOfObject && root.Kind == yaml.MappingNode {
			d.copied(inner, root)
			continue
		}
		d.node(inner, root)
	}
	return len(roots) > 0
}

// encoded looks into base64 that holds text with secrets.
func (d *document) encoded(a at, n *yaml.Node) {
	const least, most = 24, 1 << 20
	if len(n.Value) < least || len(n.Value) > most || strings.ContainsAny(n.Value, " -_.:") {
		return
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
	if err != nil || !isText(decoded) || !mayHold(decoded) {
		return
	}
	eachPattern(decoded, func(p pattern, _, _ int) {
		d.found(a, n, Finding{Rule: p.rule, Message: p.message + ", in base64"})
	})
	found := false
	eachAssignment(string(decoded), func(t assignment) { found = found || isPlain(t.key, t.value, inField) })
	if found {
		d.plain(a, a.key, n)
	}
}
