package seal

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// appendFlow adds an entry behind the last one of {a: b}, on a line of its own
// if that has one.
func (e *editor) appendFlow(m *yaml.Node, way []string, value string) error {
	k, v := lastEntry(m)
	start, colon, end := e.start(k), e.colon(k), e.end(v)
	if start == unknown || colon == unknown || end < colon {
		return e.unsure(m)
	}
	at, before, behind := end, ",", ""
	if comma := e.skip(end, ""); comma < len(e.raw) && e.raw[comma] == ',' {
		at, before, behind = comma+1, "", ","
	}
	if e.isFirst(start) && e.isLast(at) {
		indent := string(e.raw[e.lineStart(start):start])
		e.insert(end, before)
		e.insert(e.lineEnd(at), e.eol+indent+e.flow(way, value, k, v, indent)+behind)
		return nil
	}
	if !e.json || e.raw[colon] == ' ' {
		before += " "
	}
	e.insert(at, before+e.flow(way, value, k, v, "")+behind)
	return nil
}

// flow writes an entry for flow style, as its neighbour is written; an
// indentation breaks nested JSON over lines.
func (e *editor) flow(way []string, value string, besideKey, besideValue *yaml.Node, indent string) string {
	sep := ": "
	if colon := e.colon(besideKey); e.json && colon != unknown && !isBlank(e.raw[colon]) {
		sep = ":"
	}
	if len(way) == 1 {
		return e.scalar(way[0], besideKey) + sep + e.scalar(value, besideValue)
	}
	inner := e.flow(way[1:], value, besideKey, besideValue, "")
	return e.scalar(way[0], besideKey) + sep + e.braces(inner, indent)
}

func (e *editor) braces(inner, indent string) string {
	if !e.json || indent == "" {
		return "{" + inner + "}"
	}
	step := strings.Repeat(" ", e.step)
	if strings.Contains(indent, "\t") {
		step = "\t"
	}
	return "{" + e.eol + indent + step + inner + e.eol + indent + "}"
}

// fillFlow puts a first entry into {}, or braces in place of null.
func (e *editor) fillFlow(k, v *yaml.Node, start, end int, way []string, value string) error {
	indent := ""
	if at := e.start(k); e.isFirst(at) {
		indent = string(e.raw[e.lineStart(at):at])
	}
	inner := e.flow(way, value, k, nil, "")
	switch {
	case isNull(v) && start == end:
		e.insert(start, " "+e.braces(inner, indent))
	case isNull(v) || len(bytes.TrimSpace(e.raw[start+1:end-1])) == 0:
		e.replace(start, end, e.braces(inner, indent))
	default: // a comment stands between the braces
		e.insert(end-1, inner)
	}
	return nil
}

// words are plain scalars that some parser takes for no text.
var words = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "inf", "nan"}

// scalar writes text in the quotes of a neighbour, which may be nil.
func (e *editor) scalar(s string, beside *yaml.Node) string {
	style := yaml.Style(0)
	if beside != nil {
		style = beside.Style
	}
	switch {
	case e.json || style&yaml.DoubleQuotedStyle != 0:
		return doubleQuoted(s)
	case style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(s, "\r\n"):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case isPlain(s):
		return s
	}
	return doubleQuoted(s)
}

// isPlain accepts less than YAML does: what every parser takes for text.
func isPlain(s string) bool {
	return s != "" && strings.IndexByte(lower+strings.ToUpper(lower), s[0]) >= 0 &&
		strings.Trim(s, lower+strings.ToUpper(lower)+digits+"+/=._:-") == "" && s[len(s)-1] != ':' &&
		!slices.Contains(words, strings.ToLower(s))
}

// doubleQuoted is text in quotes that JSON and YAML share.
func doubleQuoted(s string) string { return quotedJSON(s, false) }

// quotedJSON is text as a string of JSON; escapeHTML, as encoding/json does,
// writes < > and & as numbers.
func quotedJSON(s string, escapeHTML bool) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(escapeHTML)
	_ = enc.Encode(s) // text always encodes
	return strings.TrimSuffix(out.String(), "\n")
}

func quoted(key string) string {
	const shown = 80
	if len(key) > shown {
		key = key[:shown]
	}
	return strconv.Quote(key)
}
