package seal

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Placeholder stands in a [Draft] for a value that is not shown. Behind another
// key, "<sealed KEY>" is the value that stood behind KEY.
const Placeholder = "<sealed>"

// A Draft is a file of SealedSecrets as people edit it: with placeholders, or
// plain values, where sealed ones stand. [Draft.Seal] makes of the edited text
// the file anew.
type Draft struct {
	Text []byte

	file    []byte
	objects []draftObject
}

type draftObject struct {
	label  string
	values map[string]*drafted
}

// drafted is a value of the file.
type drafted struct {
	Value
	text  scalarText // as it is written
	plain []byte     // as it is shown
	shown bool
}

// NewDraft makes the draft of a file. Show returns the plain value of a sealed
// one, or false for a placeholder; nil shows none. The older format of one
// value stays sealed. The error wraps [ErrNothing] if there is no SealedSecret.
func NewDraft(data []byte, show func(Value) ([]byte, bool)) (*Draft, error) {
	if show == nil {
		show = func(Value) ([]byte, bool) { return nil, false }
	}
	d := &Draft{file: data}
	for _, inBlocks := range []bool{true, false} { // else long text in quotes, which is ugly and sure
		if err := d.write(show, inBlocks); err != nil {
			return nil, err
		}
		if d.reads() {
			return d, nil
		}
	}
	return nil, refuse("write it in plain block style, one key a line", "the way it is written cannot be edited safely")
}

func (d *Draft) write(show func(Value) ([]byte, bool), inBlocks bool) error {
	sheets, err := sheetsOf(d.file)
	if err != nil {
		return err
	}
	d.objects = nil
	for _, s := range sheets {
		for _, o := range s.objects {
			object := draftObject{label: o.label(), values: map[string]*drafted{}}
			for _, spot := range o.spots {
				if !spot.isLegacy {
					object.values[spot.At.Key] = s.draft(spot, show, inBlocks)
				}
			}
			d.objects = append(d.objects, object)
		}
	}
	d.Text, err = rewritten(d.file, sheets)
	return err
}

func (o *sheetObject) label() string { return strings.TrimPrefix(o.Namespace+"/"+o.Name, "/") }

// draft shows one value, or a placeholder for it.
func (s *sheet) draft(at *spot, show func(Value) ([]byte, bool), inBlocks bool) *drafted {
	v := &drafted{Value: at.Value, text: s.text(at)}
	if plain, ok := show(at.Value); ok && isText(plain) {
		v.plain, v.shown = plain, true
		s.put(at, s.plainText(at, string(plain), inBlocks))
		return v
	}
	s.put(at, s.word(at, Placeholder))
	return v
}

// isText reports whether a value can be shown, and told from what is sealed.
func isText(plain []byte) bool {
	return utf8.Valid(plain) && !strings.HasPrefix(string(plain), "<sealed") && !isSealed(string(plain)) &&
		!bytes.ContainsFunc(plain, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
}

// plainText writes a value of several lines as a block where there is room.
func (s *sheet) plainText(at *spot, plain string, inBlocks bool) scalarText {
	beside := &yaml.Node{Style: at.node.Style &^ (yaml.LiteralStyle | yaml.FoldedStyle)}
	text := strings.TrimSuffix(plain, "\n")
	if s.json || isFlow(at.in) || !inBlocks || !strings.Contains(text, "\n") ||
		strings.HasSuffix(text, "\n") || strings.ContainsAny(text[:1], " \t\n") {
		return scalarText{head: s.scalar(plain, beside)}
	}
	block := scalarText{head: "|-"}
	if text != plain {
		block.head = "|"
	}
	indent := strings.Repeat(" ", at.key.Column-1+max(s.step, 1))
	for line := range strings.SplitSeq(text, "\n") {
		block.body += s.editor.eol
		if line != "" {
			block.body += indent + line
		}
	}
	return block
}

// reads reports whether the text says what is meant.
func (d *Draft) reads() bool {
	sheets, err := sheetsOf(d.Text)
	if err != nil {
		return false
	}
	i := 0
	for _, s := range sheets {
		for _, o := range s.objects {
			if i == len(d.objects) || !d.objects[i].matches(o) {
				return false
			}
			i++
		}
	}
	return i == len(d.objects)
}

func (d draftObject) matches(o *sheetObject) bool {
	for _, spot := range o.spots {
		v := d.values[spot.At.Key]
		want := Placeholder
		if v != nil && v.shown {
			want = string(v.plain)
		}
		if !spot.isLegacy && (v == nil || spot.Sealed != want) {
			return false
		}
	}
	return true
}
