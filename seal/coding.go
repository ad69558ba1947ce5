package seal

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
)

// A coding is one of the ways in which charts write text in other letters. A
// group of its letters stands for some whole bytes, so that what stands before
// and behind in the same letters can be taken along and comes back as it was.
type coding struct {
	name    string
	letters string
	group   int // letters that stand for whole bytes
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
		name: "base64", letters: upper + lower + digits + "+/", group: 4, padded: true,
		encode: base64.StdEncoding.EncodeToString, decode: strictBase64.DecodeString, action: "b64enc",
		stems: []beginning{{"ZnVpbj", 0}, {"Z1aW4x", 2}, {"mdWluM", 3}},
	},
	{
		name: "base32", letters: upper + "234567", group: 8, padded: true,
		encode: base32.StdEncoding.EncodeToString, decode: base32.StdEncoding.DecodeString, action: "b32enc",
		stems: []beginning{{"MZ2WS3R", 0}, {"THK2LOG", 2}, {"M5LJNYY", 4}, {"ZTVNFXD", 5}, {"GOVUW4M", 7}},
	},
	{
		name: "hex", letters: digits + "abcdef", group: 2,
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

// begins lists where in letters the groups of an encoded token may begin; none
// if it is not worth decoding them.
func (c *coding) begins(letters string) []int {
	var all []int
	if len(letters) >= minNested {
		all = append(all, 0)
	}
	for _, s := range c.stems {
		if at := strings.Index(letters, s.text); at >= 0 {
			if from := (at - s.lead%c.group + c.group) % c.group; from < len(letters) && !slices.Contains(all, from) {
				all = append(all, from)
			}
		}
	}
	return all
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
