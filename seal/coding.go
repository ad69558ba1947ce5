package seal

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A coding is one of the ways in which charts write text in other letters. A
// group of its letters stands for some whole bytes, so that what stands before
// and behind in the same letters can be taken along and comes back as it was.
type coding struct {
	name    string
	letters string
	group   int // letters that stand for some whole bytes
	bytes   int // for how many
	padded  bool
	encode  func([]byte) string
	decode  func(string) ([]byte, error)
	action  string      // what a template makes it with, behind a pipe
	stems   []beginning // of the beginning of a token, at every place in a group

	once sync.Once
	is   [256]bool // letters
}

// A beginning is what the beginning of a token shows of itself, and how many letters
// of the group come before it.
type beginning struct {
	text string
	lead int
}

var codings = []*coding{
	{
		name: "base64", letters: upper + lower + digits + "+/", group: 4, bytes: 3, padded: true,
		encode: base64.StdEncoding.EncodeToString, decode: strictBase64.DecodeString, action: "b64enc",
		stems: []beginning{{"ZnVpbjF", 0}, {"Z1aW4x", 2}, {"mdWluMW", 3}},
	},
	{
		name: "base32", letters: upper + "234567", group: 8, bytes: 5, padded: true,
		encode: base32.StdEncoding.EncodeToString, decode: base32.StdEncoding.DecodeString, action: "b32enc",
		stems: []beginning{{"MZ2WS3RR", 0}, {"THK2LOGF", 2}, {"M5LJNYYW", 4}, {"ZTVNFXDC", 5}, {"GOVUW4ML", 7}},
	},
	{
		name: "hex", letters: digits + "abcdef", group: 2, bytes: 1,
		encode: hex.EncodeToString, decode: hex.DecodeString, action: `printf "%x"`,
		stems: []beginning{{"6675696e31", 0}},
	},
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// minNested is the length from which letters may hold a token in a coding
// within theirs, whose beginning no stem shows. The shortest token has 400.
const minNested = 512

// run finds the next letters of the coding from an offset on.
func (c *coding) run(text string, from int) (start, end int, ok bool) {
	is := c.table()
	start = from
	for start < len(text) && !is[text[start]] {
		start++
	}
	end = start
	for end < len(text) && is[text[end]] {
		end++
	}
	return start, end, end > start
}

// table tells which bytes are letters.
func (c *coding) table() *[256]bool {
	c.once.Do(func() {
		for _, b := range []byte(c.letters) {
			c.is[b] = true
		}
	})
	return &c.is
}

// begins lists where in letters the groups of an encoded token may begin, that of
// the first token first; none if it is not worth decoding them.
func (c *coding) begins(letters string) []int {
	var shown []int
	for _, b := range c.stems {
		if at := strings.Index(letters, b.text); at >= b.lead {
			shown = append(shown, at-b.lead)
		}
	}
	slices.Sort(shown)
	for i := range shown {
		shown[i] %= c.group
	}
	if len(letters) >= minNested {
		shown = append(shown, 0)
	}
	return slices.Compact(shown)
}

// decoded decodes the letters between two offsets of a text, with the padding
// behind them or without what is no whole group. end is where what it decoded
// ends; it comes back the same when it is encoded.
func (c *coding) decoded(text string, start, at int) (plain []byte, end int, ok bool) {
	end = at - (at-start)%c.group
	if missing := (c.group - (at-start)%c.group) % c.group; c.padded && missing > 0 {
		if rest := text[at:]; strings.HasPrefix(rest, strings.Repeat("=", missing)) {
			end = at + missing
		}
	}
	plain, err := c.decode(text[start:end])
	if err != nil || end == start || c.encode(plain) != text[start:end] {
		return nil, 0, false
	}
	return plain, end, true
}

// trimmed cuts what letters between two offsets decode to down to what was encoded
// with the first token: others that stand beside it without a gap, as in a path,
// decode to noise. What stands before may be cut or not, it comes back the same;
// what is behind moves with the length of the value, so it is cut at a / only.
func (c *coding) trimmed(text, plain string, from, to int) (inside string, start, end int) {
	found := FindTokens(plain)
	if len(found) == 0 {
		return plain, from, to // they are deeper
	}
	first, behind := found[0].Start, found[0].End
	tail := behind + printableStart(plain[behind:])
	if letter := from + tail/c.bytes*c.group; tail < len(plain) && tail%c.bytes == 0 && text[letter] == '/' {
		plain, to = plain[:tail], letter
	}
	head := first - printableEnd(plain[:first])
	head = min(head+(c.bytes-head%c.bytes)%c.bytes, first-first%c.bytes)
	return plain[head:], from + head/c.bytes*c.group, to
}

// printableStart is the length of the printable text with which s begins.
func printableStart(s string) int {
	for i, r := range s {
		if r == utf8.RuneError || !isPrintable(string(r)) {
			return i
		}
	}
	return len(s)
}

// printableEnd is the length of the printable text with which s ends.
func printableEnd(s string) int {
	end := len(s)
	for end > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:end])
		if r == utf8.RuneError || !isPrintable(string(r)) {
			break
		}
		end -= size
	}
	return len(s) - end
}

// shows counts where letters show the beginning of a token.
func (c *coding) shows(text string) int {
	n := 0
	for _, b := range c.stems {
		n += strings.Count(text, b.text)
	}
	return n
}
