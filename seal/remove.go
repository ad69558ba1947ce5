package seal

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// remove takes the entry out to which way leads.
func (e *editor) remove(m *yaml.Node, way []string) error {
	var parent *yaml.Node
	for _, name := range way[:len(way)-1] {
		if parent, m = entry(m, name); m == nil {
			return e.unsure(&yaml.Node{Line: 1})
		}
		if err := e.check(m, yaml.MappingNode); err != nil {
			return err
		}
	}
	k, v := entry(m, last(way))
	if k == nil {
		return e.unsure(m)
	}
	if v.Kind != yaml.MappingNode && v.Kind != yaml.SequenceNode {
		if err := e.check(v, yaml.ScalarNode); err != nil {
			return err
		}
	}
	start, end := e.start(k), e.end(v)
	if start == unknown || end < start {
		return e.unsure(k)
	}
	if isFlow(m) {
		return e.removeFlow(m, k, start, end)
	}
	return e.removeLines(m, parent, k, start, end)
}

// removeLines takes the lines of an entry out, and leaves {} for the last one.
func (e *editor) removeLines(m, parent, k *yaml.Node, start, end int) error {
	if !e.isFirst(start) || !e.isLast(end) {
		return e.unsure(k)
	}
	if len(m.Content) == 2 {
		colon := e.colon(parent)
		if colon == unknown || !e.isLast(colon) {
			return e.unsure(k)
		}
		e.insert(colon, " {}")
	}
	e.replace(e.lineStart(start), e.nextLine(end), "")
	return nil
}

// removeFlow takes an entry out of {a: b, c: d} with the comma behind it, or
// else the one before it, and its line if it has one.
func (e *editor) removeFlow(m, k *yaml.Node, start, end int) error {
	comma := e.skip(end, "")
	hasComma := comma < len(e.raw) && e.raw[comma] == ','
	if hasComma {
		end = comma + 1
	}
	switch {
	case len(m.Content) == 2:
		return e.empty(m, start, end)
	case !hasComma:
		if err := e.removeComma(m, k, start); err != nil {
			return err
		}
	}
	switch {
	case e.isFirst(start) && e.isLast(end):
		e.replace(e.lineStart(start), e.nextLine(end), "")
	case hasComma:
		for end < len(e.raw) && (e.raw[end] == ' ' || e.raw[end] == '\t') {
			end++
		}
		e.replace(start, end, "")
	default:
		for blank := start; blank > 0 && e.raw[blank-1] == ' '; blank-- {
			start = blank - 1
		}
		e.replace(start, end, "")
	}
	return nil
}

// removeComma takes out the comma before the last entry.
func (e *editor) removeComma(m, k *yaml.Node, start int) error {
	before := e.end(m.Content[len(m.Content)-3])
	if before == unknown {
		return e.unsure(k)
	}
	comma := e.skip(before, "")
	if comma >= start || e.raw[comma] != ',' {
		return e.unsure(k)
	}
	e.replace(comma, comma+1, "")
	return nil
}

// empty takes the only entry out, and all blanks between the braces.
func (e *editor) empty(m *yaml.Node, start, end int) error {
	from, to := e.content(m)+1, e.end(m)-1
	if from <= 0 || to < end {
		return e.unsure(m)
	}
	if len(bytes.TrimSpace(e.raw[from:start]))+len(bytes.TrimSpace(e.raw[end:to])) == 0 {
		start, end = from, to
	}
	e.replace(start, end, "")
	return nil
}
