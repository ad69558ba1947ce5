package seal

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An editor changes single entries in the bytes of a document. It looks for
// the places only; whether the outcome is right is for found.proven to say.
type editor struct {
	spans
	items   []int  // the way from the root to the object through the items of Lists
	about   string // what is changed, for messages
	json    bool
	eol     string
	step    int // columns of one level of nesting
	splices []splice
}

// A splice puts text in place of the bytes between two offsets.
type splice struct {
	from, to int
	text     string
}

// newEditor makes an editor of a document; about tells messages what it is for.
func newEditor(d *document, about string) *editor {
	return &editor{spans: newSpans(d.raw), about: about, json: d.format == JSON, eol: d.eol()}
}

// edit returns the bytes of the document with the changes made.
func (f *found) edit(d *document, changes []change) ([]byte, error) {
	e := newEditor(d, "SealedSecret "+f.label+": key "+quoted(last(last(changes).way)))
	e.items = f.items
	object, err := e.object(d)
	if err != nil {
		return nil, err
	}
	e.step = stepOf(object)
	for _, c := range changes {
		if c.remove {
			err = e.remove(object, c.way)
		} else {
			err = e.put(object, c.way, c.value)
		}
		if err != nil {
			return nil, err
		}
	}
	return e.spliced()
}

// object reads the document as it is written and walks to the object.
func (e *editor) object(d *document) (*yaml.Node, error) {
	n := d.root
	if e.json {
		if err := e.placeJSON(n); err != nil {
			return nil, err
		}
	} else {
		tree, err := d.decode()
		if err != nil {
			return nil, err
		}
		n = tree.Content[0]
	}
	for _, i := range e.items {
		if err := e.check(n, yaml.MappingNode); err != nil {
			return nil, err
		}
		_, items := entry(n, "items")
		if err := e.check(items, yaml.SequenceNode); err != nil {
			return nil, err
		}
		n = items.Content[i]
	}
	return n, e.check(n, yaml.MappingNode)
}

// check refuses what does not stand where it is read, or stands elsewhere, too.
func (e *editor) check(n *yaml.Node, kind yaml.Kind) error {
	what := ""
	switch {
	case n.Kind == yaml.AliasNode:
		what = "an alias (*) stands"
	case n.Anchor != "":
		what = "an anchor (&) stands"
	case n.Style&yaml.TaggedStyle != 0:
		what = "a tag (!) stands"
	case n.Kind != kind:
		return e.refuse(n, "correct the file first", "%s stands where the change belongs", describe(n))
	}
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Tag == "!!merge" || k.Kind == yaml.AliasNode || k.Anchor != "" {
			n, what = k, "a merge key (<<) or an alias stands"
		}
	}
	if what != "" {
		return e.refuse(n, "write it out there first", "%s where the change belongs", what)
	}
	return nil
}

func (e *editor) refuse(n *yaml.Node, hint, format string, args ...any) error {
	return refuseAt(n.Line, hint, "%s: "+format, append([]any{e.about}, args...)...)
}

// unsure refuses what is not written as expected.
func (e *editor) unsure(n *yaml.Node) error {
	return e.refuse(n, "write it in plain block style, one key a line; nothing was changed", "the way it is written cannot be changed safely")
}

func (e *editor) replace(from, to int, text string) {
	e.splices = append(e.splices, splice{from, to, text})
}

func (e *editor) insert(at int, text string) { e.replace(at, at, text) }

// spliced makes all splices; those at one offset in the order they were asked for.
func (e *editor) spliced() ([]byte, error) {
	slices.SortStableFunc(e.splices, func(a, b splice) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, s := range e.splices {
		if s.from < at || s.to < s.from || s.to > len(e.raw) {
			return nil, e.unsure(&yaml.Node{Line: 1})
		}
		out.Write(e.raw[at:s.from])
		out.WriteString(s.text)
		at = s.to
	}
	out.Write(e.raw[at:])
	return out.Bytes(), nil
}

// put sets the entry to which way leads, from a mapping that was checked.
func (e *editor) put(m *yaml.Node, way []string, value string) error {
	k, v := entry(m, way[0])
	switch {
	case k == nil && isFlow(m):
		return e.appendFlow(m, way, value)
	case k == nil:
		return e.appendBlock(m, way, value)
	case len(way) == 1:
		return e.change(k, v, value)
	case isNull(v) || v.Kind == yaml.MappingNode && len(v.Content) == 0:
		return e.fill(m, k, v, way[1:], value)
	}
	if err := e.check(v, yaml.MappingNode); err != nil {
		return err
	}
	return e.put(v, way[1:], value)
}

func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Style&yaml.TaggedStyle == 0 && n.Anchor == ""
}

// change replaces a value that is there, in its own quotes.
func (e *editor) change(k, v *yaml.Node, value string) error {
	if err := e.check(v, yaml.ScalarNode); err != nil {
		return err
	}
	colon, start, end := e.colon(k), e.start(v), e.end(v)
	switch {
	case colon == unknown || start < colon || end < start:
		return e.unsure(k)
	case isNull(v) && v.Value == "":
		e.insert(colon, " "+e.scalar(value, v))
	default:
		e.rewrite(v, start, end, value)
	}
	return nil
}

// rewrite replaces a scalar that stands between two offsets.
func (e *editor) rewrite(v *yaml.Node, start, end int, value string) {
	text := e.scalar(value, v)
	switch {
	case v.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		header := start
		for header < len(e.raw) && !isBlank(e.raw[header]) {
			header++
		}
		e.replace(start, header, text)
		e.replace(e.lineEnd(header), e.lineEnd(max(header, end)), "")
	default:
		e.replace(start, end, text)
	}
}

// appendBlock adds lines behind the last entry of a mapping.
func (e *editor) appendBlock(m *yaml.Node, way []string, value string) error {
	end := e.end(m)
	if end == unknown || !e.isLast(end) {
		return e.unsure(m)
	}
	e.insert(e.lineEnd(end), e.lines(way, value, m.Content[0].Column-1, m))
	return nil
}

// lines writes an entry in block style, each line with the break before it.
// What stands beside it shows the quotes to use.
func (e *editor) lines(way []string, value string, indent int, beside *yaml.Node) string {
	var out strings.Builder
	for i, name := range way {
		out.WriteString(e.eol + strings.Repeat(" ", indent+i*e.step))
		if i < len(way)-1 {
			out.WriteString(name + ":")
			continue
		}
		var k, v *yaml.Node
		if i == 0 && beside != nil {
			k, v = lastEntry(beside)
		}
		out.WriteString(e.scalar(name, k) + ": " + e.scalar(value, v))
	}
	return out.String()
}

func lastEntry(m *yaml.Node) (k, v *yaml.Node) {
	return m.Content[len(m.Content)-2], last(m.Content)
}

// fill puts a first entry into a mapping that is missing or empty.
func (e *editor) fill(m, k, v *yaml.Node, way []string, value string) error {
	if !isNull(v) {
		if err := e.check(v, yaml.MappingNode); err != nil {
			return err
		}
	}
	colon, start, end := e.colon(k), e.start(v), e.end(v)
	if isNull(v) && v.Value == "" {
		start, end = colon, colon
	}
	if colon == unknown || start < colon || end < start {
		return e.unsure(k)
	}
	oneLine := !bytes.ContainsAny(e.raw[colon:end], "\r\n#")
	if !isFlow(m) && oneLine && e.isLast(end) {
		e.replace(colon, end, "")
		e.insert(e.lineEnd(end), e.lines(way, value, k.Column-1+e.step, nil))
		return nil
	}
	return e.fillFlow(k, v, start, end, way, value)
}

// stepOf is the indentation of the object's metadata, or else 2.
func stepOf(object *yaml.Node) int {
	k, v := entry(object, "metadata")
	if v != nil && v.Kind == yaml.MappingNode && len(v.Content) > 0 && v.Content[0].Line > k.Line && v.Content[0].Column > k.Column {
		return v.Content[0].Column - k.Column
	}
	return 2
}
