package seal

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// splitItems takes the items of a List apart, each of which is told by what it
// is; nil if they are not written below each other, or two are the same.
func (p *part) splitItems() *layout {
	colon := p.colon(p.key)
	if p.node.Kind != yaml.SequenceNode || isFlow(p.node) || colon == unknown {
		return nil
	}
	from := p.nextLine(colon)
	inner := spans{bytes.Clone(p.raw), p.rows} // in which items are mappings
	l := &layout{head: p.raw[p.at:from], empty: " []"}
	var items []*part
	names := map[string]bool{}
	for _, n := range p.node.Content {
		if n.Kind != yaml.MappingNode {
			return nil
		}
		dash := p.dash(n, p.node.Column, from)
		end := p.endOfEntry(nil, n)
		name := identity(n)
		if dash == unknown || end < dash || names[name] || !isComments(p.raw[from:p.lineStart(dash)]) {
			return nil
		}
		names[name], inner.raw[dash] = true, ' '
		start := p.lineStart(dash)
		items = append(items, &part{name: name, lead: p.raw[from:start], body: p.raw[start:end], doc: p.doc, at: start, spans: &inner, node: n})
		from = end
	}
	if from != p.at+len(p.body) {
		return nil
	}
	l.lines = linesOf(items, nil)
	return l
}

// dash is where the dash of an item stands; the item may begin below it.
func (p *part) dash(item *yaml.Node, column, from int) int {
	at := p.start(item)
	if at == unknown || at > len(p.raw) {
		return unknown
	}
	for at >= from && at > 0 {
		line := p.lineStart(at)
		if dash := line + column - 1; dash < p.lineEnd(line) && p.raw[dash] == '-' && len(bytes.TrimLeft(p.raw[line:dash], " ")) == 0 {
			return dash
		}
		at = line - 1
	}
	return unknown
}

// splitItem takes an item apart as if its dash were a blank.
func (p *part) splitItem() *layout {
	entries, end := p.entries(p.node, p.at)
	if entries == nil || end != p.at+len(p.body) {
		return nil
	}
	return &layout{lines: linesOf(entries, nil)}
}

// item merges a SealedSecret in a List. The dash is put back before what comes
// first, which must not be a conflict: whichever side is chosen is an item.
func (r *merging) item(base, ours, theirs *part) ([]byte, error) {
	split, ok := splitAll(base, ours, theirs)
	if !ok {
		return r.text(base.body, ours.body, theirs.body, nil)
	}
	before := len(r.conflicts)
	merged, err := r.layouts(split, nil)
	if err != nil || r.isJSON {
		return merged, err
	}
	column := bytes.IndexByte(ours.body, '-')
	line := merged[:len(merged)-len(bytes.TrimLeft(merged, " "))]
	if column < 0 || len(line) <= column {
		r.conflicts = r.conflicts[:before]
		return r.conflict(ours.body, theirs.body, nil), nil
	}
	return slices.Concat(merged[:column], []byte("-"), merged[column+1:]), nil
}
