package seal

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// spans tells where the nodes of a document stand in its bytes.
type spans struct {
	raw  []byte
	rows []int // where each line begins, as yaml counts lines
}

// unknown is the offset of what was not found as expected.
const unknown = -1

func newSpans(raw []byte) spans {
	s := spans{raw, []int{0}}
	for i := 0; i < len(raw); {
		n := breakAt(raw[i:])
		if n > 0 {
			s.rows = append(s.rows, i+n)
		}
		i += max(n, 1)
	}
	return s
}

// breakAt is the length of the line break at the start of b: YAML 1.1 has six.
func breakAt(b []byte) int {
	for _, end := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if bytes.HasPrefix(b, []byte(end)) {
			return len(end)
		}
	}
	return 0
}

// start is the first byte of a node; columns count characters.
func (s spans) start(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(s.rows) {
		return unknown
	}
	at := s.rows[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(s.raw[min(at, len(s.raw)):])
		at += size
	}
	return at
}

// end is the byte behind a node, without the line end and comments behind it.
func (s spans) end(n *yaml.Node) int {
	at := s.content(n)
	switch {
	case at == unknown:
		return unknown
	case n.Kind == yaml.AliasNode:
		return at + 1 + len(n.Value)
	case n.Kind == yaml.ScalarNode:
		return s.scalarEnd(at, n)
	case n.Style&yaml.FlowStyle == 0:
		return s.end(last(n.Content)) // a block collection is never empty
	}
	if at++; len(n.Content) > 0 {
		at = s.end(last(n.Content))
	}
	if at = s.skip(at, ","); at == unknown || at == len(s.raw) || s.raw[at] != '}' && s.raw[at] != ']' {
		return unknown
	}
	return at + 1
}

// content is where a node begins behind its anchor and tag.
func (s spans) content(n *yaml.Node) int {
	at := s.start(n)
	for at != unknown && at < len(s.raw) && (s.raw[at] == '&' || s.raw[at] == '!') {
		for at < len(s.raw) && !isBlank(s.raw[at]) {
			at++
		}
		at = s.skip(at, "")
	}
	return at
}

func (s spans) scalarEnd(at int, n *yaml.Node) int {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return s.quotedEnd(at, '"', '\\')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return s.quotedEnd(at, '\'', '\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.blockEnd(at, n.Value)
	}
	return s.match(at, n.Value)
}

// quotedEnd finds the closing quote; escape takes the next byte with it.
func (s spans) quotedEnd(at int, quote, escape byte) int {
	if at >= len(s.raw) || s.raw[at] != quote {
		return unknown
	}
	for at++; at < len(s.raw); at++ {
		switch {
		case s.raw[at] == escape && (escape != quote || at+1 < len(s.raw) && s.raw[at+1] == quote):
			at++
		case s.raw[at] == quote:
			return at + 1
		}
	}
	return unknown
}

// blockEnd is the end of the last line of a block scalar's text; where it keeps
// its line ends (+), of the last blank line.
func (s spans) blockEnd(at int, value string) int {
	header, _, _ := strings.Cut(string(s.raw[at:s.lineEnd(at)]), " ")
	at = s.match(s.lineEnd(at), value)
	if at == unknown {
		return unknown
	}
	at = s.lineEnd(at)
	for strings.Contains(header, "+") && s.nextLine(at) < len(s.raw) {
		next := s.lineEnd(s.nextLine(at))
		if len(bytes.TrimSpace(s.raw[at:next])) > 0 {
			break
		}
		at = next
	}
	return at
}

// match follows text that knows no escapes, but may be folded over lines.
func (s spans) match(at int, value string) int {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r < utf8.RuneSelf && isBlank(byte(r)) }) {
		for at < len(s.raw) && isBlank(s.raw[at]) {
			at++
		}
		if !bytes.HasPrefix(s.raw[min(at, len(s.raw)):], []byte(word)) {
			return unknown
		}
		at += len(word)
	}
	return at
}

// skip passes over blanks, line ends, comments and the bytes of also.
func (s spans) skip(at int, also string) int {
	for at != unknown && at < len(s.raw) {
		switch c := s.raw[at]; {
		case isBlank(c) || strings.IndexByte(also, c) >= 0:
			at++
		case c == '#':
			at = s.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

func isBlank(c byte) bool { return strings.IndexByte(" \t\r\n", c) >= 0 }

// colon is the byte behind the colon that follows a key.
func (s spans) colon(key *yaml.Node) int {
	at := s.end(key)
	for at != unknown && at < len(s.raw) && isBlank(s.raw[at]) {
		at++
	}
	if at == unknown || at == len(s.raw) || s.raw[at] != ':' {
		return unknown
	}
	return at + 1
}

func (s spans) lineStart(at int) int { return bytes.LastIndexByte(s.raw[:at], '\n') + 1 }

// lineEnd is where the line break behind at begins.
func (s spans) lineEnd(at int) int {
	i := bytes.IndexByte(s.raw[at:], '\n')
	switch {
	case i < 0:
		return len(s.raw)
	case i > 0 && s.raw[at+i-1] == '\r':
		i--
	}
	return at + i
}

// nextLine is where the line behind at begins.
func (s spans) nextLine(at int) int {
	if i := bytes.IndexByte(s.raw[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(s.raw)
}

// isFirst reports whether only blanks stand before at in its line.
func (s spans) isFirst(at int) bool {
	return len(bytes.TrimLeft(s.raw[s.lineStart(at):at], " \t")) == 0
}

// isLast reports whether at most a comment stands behind at in its line.
func (s spans) isLast(at int) bool {
	rest := s.raw[at:s.lineEnd(at)]
	text := bytes.TrimLeft(rest, " \t")
	return len(text) == 0 || text[0] == '#' && len(text) < len(rest)
}

// placeJSON gives the nodes of a JSON document what those of YAML have: line,
// column and style.
func (s spans) placeJSON(root *yaml.Node) error {
	dec := json.NewDecoder(bytes.NewReader(s.raw))
	row, at, column := 0, 0, 1
	var place func(*yaml.Node) error
	place = func(n *yaml.Node) error {
		start := int(dec.InputOffset())
		for strings.IndexByte(" \t\r\n,:", s.raw[start]) >= 0 {
			start++
		}
		for row+1 < len(s.rows) && s.rows[row+1] <= start {
			row++
			at, column = s.rows[row], 1
		}
		column += utf8.RuneCount(s.raw[at:start])
		at = start
		n.Line, n.Column, n.Style = row+1, column, yaml.FlowStyle
		token, err := dec.Token()
		if _, isDelim := token.(json.Delim); err != nil || !isDelim {
			if n.Style = 0; s.raw[start] == '"' {
				n.Style = yaml.DoubleQuotedStyle
			}
			return err
		}
		for _, child := range n.Content {
			if err := place(child); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	}
	return place(root)
}
