package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A layout is the lines of a mapping in block style.
type layout struct {
	head  []byte // the line of its key; a document has none
	lines []line
	tail  []byte // of JSON: the line that closes it
	empty string // what stands behind the key where there is no entry
}

// A line of a layout is an entry, or else a comment or blank line.
type line struct {
	entry *part
	text  string
}

// name tells lines apart.
func (l line) name() string {
	if l.entry != nil {
		return "\x00" + l.entry.name
	}
	return strings.TrimRight(l.text, "\r\n")
}

func linesOf(entries []*part, tail []byte) []line {
	var out []line
	add := func(comments []byte) {
		for text := range bytes.Lines(comments) {
			out = append(out, line{text: string(text)})
		}
	}
	for _, e := range entries {
		add(e.lead)
		out = append(out, line{entry: &part{name: e.name, body: e.body, doc: e.doc, at: e.at, spans: e.spans, key: e.key, node: e.node, isItems: e.isItems}})
	}
	add(tail)
	return out
}

// split is nil for what is no mapping with one entry a line.
func (p *part) split() *layout {
	switch {
	case p.doc == nil:
		return nil
	case p.doc.format == JSON:
		return p.splitJSON()
	case p.isItem():
		return p.splitItem()
	case p.key == nil:
		return p.splitDocument()
	case p.isItems:
		return p.splitItems()
	case p.node.Kind != yaml.MappingNode:
		return nil
	}
	colon := p.colon(p.key)
	if colon == unknown {
		return nil
	}
	if len(p.node.Content) == 0 { // {}
		start, end := p.start(p.node), p.end(p.node)
		if start < colon || end < start || !p.isLast(end) || len(bytes.TrimSpace(p.raw[colon:start])) > 0 {
			return nil
		}
		return &layout{head: slices.Concat(p.raw[p.at:colon], p.raw[end:p.at+len(p.body)])}
	}
	from := p.nextLine(colon)
	entries, end := p.entries(p.node, from)
	if entries == nil || end != p.at+len(p.body) {
		return nil
	}
	return &layout{head: p.raw[p.at:from], lines: linesOf(entries, nil)}
}

func (p *part) splitDocument() *layout {
	tree, err := p.doc.decode()
	if err != nil || tree == nil || tree.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	s := newSpans(p.doc.raw)
	p.spans = &s
	entries, end := p.entries(tree.Content[0], p.at)
	if entries == nil {
		return nil
	}
	for _, e := range entries {
		e.isItems = p.isList() && e.name == "items"
	}
	return &layout{lines: linesOf(entries, p.doc.raw[end:])}
}

// entries takes a mapping apart, of which the first lines begin at from. They
// are nil if it is not written in lines.
func (p *part) entries(m *yaml.Node, from int) (entries []*part, end int) {
	if isFlow(m) {
		return nil, 0
	}
	raw := p.raw
	for i := 0; i+1 < len(m.Content); i += 2 {
		k, v := m.Content[i], m.Content[i+1]
		start := p.start(k)
		if start == unknown || start > len(raw) || !p.isFirst(start) || k.Kind != yaml.ScalarNode {
			return nil, 0
		}
		start = p.lineStart(start)
		end := p.endOfEntry(k, v)
		if start < from || end < start || !isComments(raw[from:start]) {
			return nil, 0
		}
		entries = append(entries, &part{
			name: k.Value, lead: raw[from:start], body: raw[start:end],
			doc: p.doc, at: start, spans: p.spans, key: k, node: v,
		})
		from = end
	}
	return entries, from
}

// endOfEntry is where the line behind an entry begins.
func (p *part) endOfEntry(k, v *yaml.Node) int {
	end := p.end(v)
	if isNull(v) && v.Value == "" {
		end = p.colon(k)
	}
	if end == unknown || !p.isLast(end) {
		return unknown
	}
	return p.nextLine(end)
}

// isComments reports whether lines hold no content.
func isComments(lines []byte) bool {
	for line := range bytes.Lines(lines) {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			return false
		}
	}
	return true
}

// mergedHint is ours with what they added to the hint, and without what they
// took away.
func mergedHint(base, ours, theirs *part) ([]byte, bool) {
	var hints [3][]string
	for i, p := range []*part{base, ours, theirs} {
		if p.node != nil {
			hints[i] = list(text(p.node))
		}
	}
	merged := without(hints[1], without(hints[0], hints[2]))
	merged = append(merged, without(without(hints[2], hints[0]), merged)...)
	s, ok := ours.span(ours.node)
	if !ok || s.behind > 0 {
		return nil, false
	}
	hint, raw := strings.Join(merged, ","), ours.raw
	if ours.node.Style != 0 || !isPlain(strings.ReplaceAll(hint, ",", "")) { // a comma needs no quotes in lines
		hint = (&editor{}).scalar(hint, ours.node)
	}
	return slices.Concat(raw[ours.at:s.start], []byte(hint), ours.body[s.end-ours.at:]), true
}

// provenMerge reads a merged file again: each sealed value must be that of the
// side which changed it.
func provenMerge(base, ours, theirs, out []byte) bool {
	var values [4]map[string]string
	for i, data := range [][]byte{base, ours, theirs, out} {
		var ok bool
		if values[i], ok = sealedIn(data); !ok {
			return false
		}
	}
	for _, at := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(union(values[0], values[1]), union(values[2], values[3]))))) {
		want, ok := settledText(values[0], values[1], values[2], at)
		got, has := values[3][at]
		if !ok || got != want.text || has != want.has {
			return false
		}
	}
	return true
}

type maybeText struct {
	text string
	has  bool
}

func settledText(base, ours, theirs map[string]string, at string) (maybeText, bool) {
	look := func(m map[string]string) maybeText {
		text, has := m[at]
		return maybeText{text, has}
	}
	b, o, t := look(base), look(ours), look(theirs)
	switch {
	case o == t, b == t:
		return o, true
	case b == o:
		return t, true
	}
	return o, false
}

// sealedIn lists the values of a file by object and key, those with aliases too.
func sealedIn(data []byte) (map[string]string, bool) {
	out := map[string]string{}
	if !bytes.Contains(data, []byte(kindSealedSecret)) {
		return out, true
	}
	states, err := States(data)
	if err != nil {
		return out, errors.Is(err, ErrNothing)
	}
	for _, s := range states {
		for key, value := range s.Values {
			out[s.Namespace+"/"+s.Name+"/"+key] = value
		}
		if s.Legacy != nil {
			out[s.Namespace+"/"+s.Name+"/"] = base64.StdEncoding.EncodeToString(s.Legacy)
		}
	}
	return out, true
}
