package seal

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A fragment is a piece of a text that holds tokens: text as it is, a token, or
// what a coding makes of further parts.
type fragment struct {
	text   string // as it is, where there is neither a token nor a coding
	token  *Token
	within within // for a token
	action string // of the coding, for parts
	parts  []fragment
}

// within is what the value of a token has to fit into.
type within struct {
	json   string // the function of a JSON string, empty elsewhere
	indent string // what stands before the token in its line, if that is blank
	clip   bool   // its line ends are dropped
	query  int    // how often it went through urlquery
}

// A piece is a fragment with the bytes of the text that it stands for.
type piece struct {
	from, to int
	part     fragment
}

// A reading divides texts into parts. Its budget bounds what it decodes.
type reading struct{ budget int }

// maxCodings bounds how often a text may be encoded.
const maxCodings = 6

// QueryMark stands behind a token that went through urlquery, which changes the
// value but not the token. Who renders a chart can put it there.
const QueryMark = "~urlquery~"

// readParts divides a text; nil if it holds no token. The error is an *[Error]: what
// is left of a token, or more codings than there should be.
func readParts(text string) ([]fragment, error) {
	r := reading{budget: 32*len(text) + 1<<20}
	return r.text(text, 0)
}

func (r *reading) text(text string, depth int) ([]fragment, error) {
	if depth > maxCodings || r.budget < 0 {
		return nil, refuse("", "a token below more encodings than are looked into")
	}
	if isJSON(text) {
		return r.json(text, depth)
	}
	pieces, err := r.pieces(text, depth)
	for i, p := range pieces {
		if p.part.token != nil {
			pieces[i].part.within.indent = blankBefore(text, p.from)
		}
	}
	return filled(text, pieces), err
}

// pieces finds tokens, and what a coding made of them, in their order.
func (r *reading) pieces(text string, depth int) ([]piece, error) {
	var all []piece
	for _, f := range FindTokens(text) {
		if f.Err != nil {
			return nil, f.Err
		}
		p := piece{f.Start, f.End, fragment{token: &f.Token}}
		for strings.HasPrefix(text[p.to:], QueryMark) {
			p.to += len(QueryMark)
			p.part.within.query++
		}
		all = append(all, p)
	}
	for _, c := range codings {
		coded, err := r.coded(text, c, all, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, coded...)
		slices.SortFunc(all, func(a, b piece) int { return cmp.Compare(a.from, b.from) })
	}
	return all, nil
}

// coded finds what a coding made of tokens, in what is not taken yet.
func (r *reading) coded(text string, c *coding, taken []piece, depth int) ([]piece, error) {
	var all []piece
	for from := 0; ; {
		start, end, ok := c.run(text, from)
		if !ok {
			return all, nil
		}
		from = end
		begins := c.begins(text[start:end])
		if len(begins) == 0 || overlaps(taken, start, end) {
			continue
		}
		p, mentions, err := r.run(text, c, start, end, begins, depth)
		switch {
		case err != nil:
			return nil, err
		case p.part.parts == nil && c.shows(text[start:end]) > mentions, p.part.parts != nil && c.shows(text[start:p.from]) > 0:
			return nil, errHidden
		case p.part.parts != nil:
			all, from = append(all, p), p.to
		}
	}
}

// errHidden refuses letters that show a token and do not decode to it.
var errHidden = refuse("set it apart from the letters beside it", "a token in base64 or the like that does not come out of it again")

func overlaps(taken []piece, start, end int) bool {
	return slices.ContainsFunc(taken, func(p piece) bool { return p.from < end && start < p.to })
}

// run decodes letters from each place where their groups may begin. Where that
// leads to no token, mentions counts what only begins like one.
func (r *reading) run(text string, c *coding, start, end int, begins []int, depth int) (p piece, mentions int, err error) {
	for _, begin := range begins {
		from := start + begin
		plain, to, ok := c.decoded(text, from, end)
		r.budget -= end - from
		if !ok {
			continue
		}
		inside, from, to := c.trimmed(text, string(plain), from, to)
		parts, err := r.text(inside, depth+1)
		switch {
		case err != nil:
			return piece{}, 0, err
		case parts != nil && c.hides(text[from:to], inside):
			return piece{}, 0, errHidden
		case parts != nil:
			return piece{from, to, fragment{action: c.action, parts: parts}}, 0, nil
		}
		mentions += strings.Count(inside, tokenMagic)
	}
	return piece{}, mentions, nil
}

// hides reports whether letters show more tokens, in this coding or another,
// than what they decode to.
func (c *coding) hides(letters, inside string) bool {
	for _, other := range codings {
		if other != c && other.shows(letters) > 0 {
			return true
		}
	}
	return c.shows(letters) > strings.Count(inside, tokenMagic)
}

// filled puts the text between the pieces back; nil if there are none.
func filled(text string, pieces []piece) []fragment {
	if len(pieces) == 0 {
		return nil
	}
	var all []fragment
	at := 0
	for _, p := range append(pieces, piece{from: len(text)}) {
		if p.from > at {
			all = append(all, fragment{text: text[at:p.from]})
		}
		if p.to > 0 {
			all = append(all, p.part)
			at = p.to
		}
	}
	return all
}

// blankBefore is what stands before an offset in its line, if only blanks do.
func blankBefore(text string, at int) string {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	if strings.Trim(line, " \t") != "" {
		return ""
	}
	return line
}

// isJSON takes objects and lists only: any word may be a token.
func isJSON(text string) bool {
	start := strings.TrimLeft(text, " \t\r\n")
	return start != "" && (start[0] == '{' || start[0] == '[') && json.Valid([]byte(text))
}

// json divides JSON: tokens stand in strings, where values need quotes and
// backslashes of their own.
func (r *reading) json(text string, depth int) ([]fragment, error) {
	function := "toRawJson"
	if isMarshalled(text) {
		function = "toJson"
	}
	var all []piece
	for at := 0; ; {
		open := strings.IndexByte(text[at:], '"')
		if open < 0 {
			return filled(text, all), nil
		}
		start := at + open + 1
		end := start
		for text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		inside, err := r.jsonString(text[start:end], function, depth)
		if err != nil {
			return nil, err
		}
		for _, p := range inside {
			all = append(all, piece{start + p.from, start + p.to, p.part})
		}
		at = end + 1
	}
}

// isMarshalled reports whether JSON reads as Go writes it, and toJson of Helm.
func isMarshalled(text string) bool {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return false
	}
	again, err := json.Marshal(v)
	return err == nil && string(again) == strings.TrimSpace(text)
}

// jsonString divides the inside of a JSON string. One with backslashes may hold
// JSON itself, whose strings have to be escaped twice.
func (r *reading) jsonString(inside, function string, depth int) ([]piece, error) {
	parts, written, err := r.unescaped(inside, function, depth)
	if err != nil {
		return nil, err
	}
	if parts != nil && len(tokensOf(parts)) >= len(FindTokens(inside)) { // else a backslash takes the f of a token
		return []piece{{0, len(inside), fragment{action: jsonAction(written), parts: parts}}}, nil
	}
	pieces, err := r.pieces(inside, depth)
	for i := range pieces {
		if pieces[i].part.token != nil {
			pieces[i].part.within.json = function
		}
	}
	return pieces, err
}

// unescaped divides what a JSON string with backslashes says; nil where that
// holds no token, or could not be written again as it is.
func (r *reading) unescaped(inside, likely string, depth int) (parts []fragment, function string, err error) {
	if strings.IndexByte(inside, '\\') < 0 {
		return nil, "", nil
	}
	function, plain, ok := unquoted(inside, likely)
	if !ok {
		return nil, "", nil
	}
	r.budget -= len(inside)
	parts, err = r.text(plain, depth+1)
	return parts, function, err
}

// unquoted is the text of a JSON string that a function of templates writes in
// the same way.
func unquoted(inside, likely string) (function, plain string, ok bool) {
	if json.Unmarshal([]byte(`"`+inside+`"`), &plain) != nil {
		return "", "", false
	}
	for _, f := range []string{likely, "toRawJson", "toJson"} {
		if quotedJSON(plain, f == "toJson") == `"`+inside+`"` {
			return f, plain, true
		}
	}
	return "", "", false
}

// jsonAction is a string of JSON without its quotes, behind a pipe.
func jsonAction(function string) string {
	return function + " | trimPrefix " + strconv.Quote(`"`) + " | trimSuffix " + strconv.Quote(`"`)
}
