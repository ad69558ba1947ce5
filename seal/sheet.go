package seal

import (
	"encoding/base64"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Value is a sealed value where it stands in a file.
type Value struct {
	Object int    // of how many before it among the SealedSecrets of the file
	At     Place  // as far as the file tells it
	Sealed string // in base64
	Line   int    // in the file, from 1
}

// Values lists the sealed values of a file, in its order, but for those that
// stand there by way of an alias or a merge key. The error wraps [ErrNothing]
// if there is no SealedSecret.
func Values(data []byte) ([]Value, error) {
	sheets, err := sheetsOf(data)
	if err != nil {
		return nil, err
	}
	var out []Value
	for _, s := range sheets {
		for _, o := range s.objects {
			for _, spot := range o.spots {
				out = append(out, spot.Value)
			}
		}
	}
	return out, nil
}

// Masked is the file with other words in place of its sealed values, on one
// line each, and every other byte as it is. It serves to show files; nothing
// is checked. Words need no quotes in YAML.
func Masked(data []byte, word func(Value) string) ([]byte, error) {
	sheets, err := sheetsOf(data)
	if err != nil {
		return nil, err
	}
	for _, s := range sheets {
		for _, o := range s.objects {
			for _, spot := range o.spots {
				s.put(spot, s.word(spot, word(spot.Value)))
			}
		}
	}
	return rewritten(data, sheets)
}

// A sheet is a document with SealedSecrets that is edited in its bytes, in any
// number of places.
type sheet struct {
	*document
	editor
	objects []*sheetObject
}

// A sheetObject is a SealedSecret of a sheet.
type sheetObject struct {
	Object
	index   int        // among the SealedSecrets of the file
	plain   *yaml.Node // as it reads
	written *yaml.Node // as it is written; nil if it stands there as an alias
	spots   []*spot
}

// A spot is where a sealed value stands in the bytes of its sheet.
type spot struct {
	Value
	isLegacy  bool // spec.data, the one value of the V1 format
	in        *yaml.Node
	key, node *yaml.Node
	bytes     span
}

// A span is the text of a scalar. The body of a block scalar follows its
// header, and the comment behind that; other scalars have none.
type span struct {
	start, end   int
	body, behind int
}

// sheetsOf finds the SealedSecrets of a file.
func sheetsOf(data []byte) ([]*sheet, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	w := &walk{want: kindSealedSecret}
	var out []*sheet
	count := 0
	for _, d := range docs {
		if d.root == nil {
			continue
		}
		s, err := w.sheet(d, &count)
		if err != nil {
			return nil, d.at(err)
		}
		if s != nil {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, w.nothing()
	}
	return out, nil
}

const kindSealedSecret = "SealedSecret"

// sheet is nil for a document without SealedSecrets.
func (w *walk) sheet(d *document, count *int) (*sheet, error) {
	if !strings.Contains(string(d.raw), kindSealedSecret) {
		w.note(text(get(d.root, "kind")))
		return nil, nil
	}
	s := &sheet{document: d, editor: editor{spans: newSpans(d.raw), json: d.format == JSON, eol: d.eol()}}
	written, err := s.written()
	if err != nil {
		return nil, err
	}
	err = w.pairs(d.root, written, func(plain, written *yaml.Node) error {
		ob, err := readObject(plain)
		o := &sheetObject{Object: ob, index: *count, plain: plain, written: written}
		o.spots = s.spotsOf(o)
		s.objects = append(s.objects, o)
		*count++
		return err
	})
	if len(s.objects) == 0 {
		return nil, err
	}
	if written := s.objects[0].written; written != nil {
		s.step = stepOf(written)
	}
	return s, err
}

// written is the tree with aliases and merge keys, and where each node stands.
func (s *sheet) written() (*yaml.Node, error) {
	if s.json {
		return s.root, s.placeJSON(s.root)
	}
	tree, err := s.decode()
	if err != nil {
		return nil, err
	}
	return tree.Content[0], nil
}

// pairs visits the objects wanted, as they read and as they are written.
func (w *walk) pairs(plain, written *yaml.Node, visit func(plain, written *yaml.Node) error) error {
	if written != nil && written.Kind == yaml.AliasNode {
		written = nil
	}
	apiVersion, kind := text(get(plain, "apiVersion")), text(get(plain, "kind"))
	switch {
	case w.wanted(apiVersion, kind):
		return visit(plain, written)
	case !w.isList(apiVersion, kind):
		w.note(kind)
		return nil
	}
	_, items := entry(plain, "items")
	_, places := entry(written, "items")
	if items == nil {
		return nil
	}
	for i, item := range items.Content {
		var place *yaml.Node
		if places != nil && len(places.Content) == len(items.Content) {
			place = places.Content[i]
		}
		if kind != "List" {
			completed := *item // written may be the very same tree
			completed.Content = slices.Clip(item.Content)
			item = &completed
			w.complete(item)
		}
		if err := w.pairs(item, place, visit); err != nil {
			return err
		}
	}
	return nil
}

// spotsOf lists the values that are written in the object itself.
func (s *sheet) spotsOf(o *sheetObject) []*spot {
	var out []*spot
	_, spec := entry(o.written, "spec")
	_, values := entry(spec, "encryptedData")
	add := func(in, k, v *yaml.Node, at Place, isLegacy bool) {
		bytes, ok := s.span(v)
		if !ok || v.Tag == "!!null" {
			return
		}
		out = append(out, &spot{
			Value:    Value{Object: o.index, At: at, Sealed: v.Value, Line: s.line + v.Line - 1},
			isLegacy: isLegacy, in: in, key: k, node: v, bytes: bytes,
		})
	}
	if o.Legacy != nil {
		k, v := entry(spec, "data")
		add(spec, k, v, o.Place(legacyKey), true)
	}
	if values == nil || values.Kind != yaml.MappingNode {
		return out
	}
	for i := 0; i+1 < len(values.Content); i += 2 {
		k, v := values.Content[i], values.Content[i+1]
		if k.Tag != "!!merge" && k.Kind == yaml.ScalarNode {
			add(values, k, v, o.Place(k.Value), false)
		}
	}
	return out
}

// span is where a scalar stands behind its anchor and tag.
func (s spans) span(v *yaml.Node) (span, bool) {
	if v == nil || v.Kind != yaml.ScalarNode {
		return span{}, false
	}
	start, end := s.content(v), s.end(v)
	if start == unknown || end < start {
		return span{}, false
	}
	if v.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return span{start: start, end: end}, true
	}
	header := start
	for header < len(s.raw) && !isBlank(s.raw[header]) {
		header++
	}
	return span{start, header, s.lineEnd(header), s.lineEnd(max(header, end))}, true
}

// put puts another text into a spot; it may have a body, too.
func (s *sheet) put(at *spot, t scalarText) {
	b := at.bytes
	s.replace(b.start, b.end, t.head)
	switch {
	case b.behind > b.body:
		s.replace(b.body, b.behind, t.body)
	case t.body != "":
		s.insert(s.lineEnd(b.end), t.body)
	}
}

// A scalarText is how a scalar is written: in one piece, or as the header of a
// block and the lines below it, each with the break before it.
type scalarText struct{ head, body string }

// word writes a word that needs no quotes, in those that stand there.
func (s *sheet) word(at *spot, word string) scalarText {
	switch style := at.node.Style; {
	case s.json || style&yaml.DoubleQuotedStyle != 0:
		return scalarText{head: doubleQuoted(word)}
	case style&yaml.SingleQuotedStyle != 0:
		return scalarText{head: "'" + word + "'"}
	}
	return scalarText{head: word}
}

// rewritten is the file with the splices of all sheets made.
func rewritten(data []byte, sheets []*sheet) ([]byte, error) {
	mark := data[:len(data)-len(trimMark(data))]
	body := data[len(mark):]
	out := append(make([]byte, 0, len(data)), mark...)
	at := 0
	for _, s := range sheets {
		edited, err := s.spliced()
		if err != nil {
			return nil, s.at(err)
		}
		out = append(append(out, body[at:s.offset]...), edited...)
		at = s.offset + len(s.raw)
	}
	return append(out, body[at:]...), nil
}

// text is how the value of a spot is written now.
func (s *sheet) text(at *spot) scalarText {
	return scalarText{string(s.raw[at.bytes.start:at.bytes.end]), string(s.raw[at.bytes.body:at.bytes.behind])}
}

// isSealed reports whether text is a sealed value by its outside.
func isSealed(text string) bool {
	_, err := Inspect(text)
	return err == nil
}

// movable reports whether a sealed value that stands at one place opens at
// another, too.
func movable(sealed string, from, to Place) bool {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return false
	}
	if strings.HasPrefix(string(raw), ageMagic) {
		return from.binding() == to.binding()
	}
	return string(from.label()) == string(to.label())
}
