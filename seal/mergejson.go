package seal

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// oneFormat reports whether all sides are YAML, or each is one object of JSON.
func (r *merging) oneFormat(sides [3][]*part) bool {
	var json, all int
	for _, parts := range sides {
		for _, p := range parts {
			all++
			if p.doc.format == JSON {
				json++
			}
		}
	}
	r.isJSON = json > 0
	return json == 0 || json == all && max(len(sides[0]), len(sides[1]), len(sides[2])) == 1
}

// splitJSON takes a mapping of JSON apart, or the items of a List; nil if it is
// not written as encoders indent it, with each entry and brace on a line.
func (p *part) splitJSON() *layout {
	n, isItems := p.node, p.isItems
	if n == nil {
		s := newSpans(p.doc.raw)
		if n = p.doc.root; s.placeJSON(n) != nil {
			return nil
		}
		p.spans = &s
	}
	if n.Kind != yaml.MappingNode && !isItems {
		return nil
	}
	open, end := p.start(n), p.end(n)
	if open < p.at || end < open || end > p.at+len(p.body) {
		return nil
	}
	l := &layout{head: p.raw[p.at : open+1], tail: p.body[end-1-p.at:]}
	if len(n.Content) == 0 {
		return l
	}
	from, tail := p.nextLine(open), p.lineStart(end-1)
	if from <= open || len(bytes.TrimSpace(p.raw[open+1:from])) > 0 || tail < from || !p.isFirst(end-1) {
		return nil
	}
	l.head, l.tail = p.raw[p.at:from], p.body[tail-p.at:]
	entries := p.bracedEntries(n, from, tail)
	if entries == nil {
		return nil
	}
	for _, e := range entries {
		e.isItems = p.node == nil && p.isList() && e.name == "items" && e.node.Kind == yaml.SequenceNode
	}
	l.lines = linesOf(entries, nil)
	return l
}

// bracedEntries are those between the lines of two braces, without the commas
// behind them.
func (p *part) bracedEntries(n *yaml.Node, from, tail int) (out []*part) {
	step := 2
	if n.Kind == yaml.SequenceNode {
		step = 1
	}
	names := map[string]bool{}
	for i := 0; i+step <= len(n.Content); i += step {
		e := &part{doc: p.doc, spans: p.spans, at: from, node: n.Content[i+step-1]}
		first := e.node
		if step == 2 {
			e.key = n.Content[i]
			first, e.name = e.key, e.key.Value
		} else {
			e.name = identity(e.node)
		}
		start, end := p.start(first), p.end(e.node)
		if start < from || end < start || end > tail || !p.isFirst(start) || p.lineStart(start) != from || names[e.name] {
			return nil
		}
		names[e.name] = true
		from = p.nextLine(end)
		rest := p.raw[end:from]
		if comma := bytes.TrimSpace(rest); len(comma) > 0 && !bytes.Equal(comma, []byte(",")) {
			return nil
		}
		e.body = slices.Concat(p.raw[e.at:end], bytes.TrimLeft(rest, ", \t"))
		out = append(out, e)
	}
	if from != tail {
		return nil
	}
	return out
}

// braced merges three mappings, or the items of three Lists, and writes them
// between our braces. Where a conflict is about whether there is an entry at
// all, another one comes last, so that either choice leaves the commas right.
func (r *merging) braced(m [3]*layout, way []string) ([]byte, error) {
	entries, err := r.entries(m, way)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(entries, func(e []byte) bool { return !r.mayBeNone(e) }); i >= 0 && r.mayBeNone(last(entries)) {
		e := entries[i]
		entries = append(slices.Delete(entries, i, i+1), e)
	}
	head, tail := r.ended(m[1].head), m[1].tail
	if len(m[1].lines) == 0 {
		tail = slices.Concat(indentation(m[1].head), tail)
	}
	for i := range entries[:max(len(entries)-1, 0)] {
		entries[i] = r.withComma(entries[i])
	}
	return slices.Concat(head, r.ended(r.stacked(entries)), tail), nil
}

// indentation is that of a line.
func indentation(line []byte) []byte { return line[:len(line)-len(bytes.TrimLeft(line, " \t"))] }

// mayBeNone reports whether an entry is a conflict of which one side is none.
func (r *merging) mayBeNone(entry []byte) bool {
	none := bytes.Contains(entry, []byte(r.marker('<', r.OursName)+r.marker('=', ""))) ||
		bytes.Contains(entry, []byte(r.marker('=', "")+r.marker('>', r.TheirsName)))
	return none && bytes.HasPrefix(entry, []byte(r.marker('<', r.OursName)))
}

// withComma puts a comma behind an entry, on each side of one that is a
// conflict.
func (r *merging) withComma(entry []byte) []byte {
	if !bytes.HasPrefix(entry, []byte(r.marker('<', r.OursName))) {
		text := bytes.TrimRight(entry, " \t\r\n")
		return slices.Concat(text, []byte(","), entry[len(text):])
	}
	var out []byte
	for line := range bytes.Lines(entry) {
		isEnd := bytes.Equal(line, []byte(r.marker('=', ""))) || bytes.Equal(line, []byte(r.marker('>', r.TheirsName)))
		if text := bytes.TrimRight(out, " \t\r\n"); isEnd && !bytes.HasSuffix(out, []byte(r.marker('<', r.OursName))) && !bytes.HasSuffix(out, []byte(r.marker('=', ""))) {
			out = slices.Concat(text, []byte(","), out[len(text):])
		}
		out = append(out, line...)
	}
	return out
}
