package seal

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
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
	action  string   // what a template makes it with, behind a pipe
	stems   []string // that the beginning of a token shows, at any place in a group

	once sync.Once
	is   [256]bool // letters
}

var codings = []*coding{
	{
		name: "base64", letters: upper + lower + digits + "+/", group: 4, padded: true,
		encode: base64.StdEncoding.EncodeToString, decode: strictBase64.DecodeString, action: "b64enc",
		stems: []string{"ZnVpbj", "Z1aW4x", "mdWluM"},
	},
	{
		name: "base32", letters: upper + "234567", group: 8, padded: true,
		encode: base32.StdEncoding.EncodeToString, decode: base32.StdEncoding.DecodeString, action: "b32enc",
		stems: []string{"MZ2WS3R", "THK2LOG", "M5LJNYY", "ZTVNFXD", "GOVUW4M"},
	},
	{
		name: "hex", letters: digits + "abcdef", group: 2,
		encode: hex.EncodeToString, decode: hex.DecodeString, action: `printf "%x"`,
		stems: []string{"6675696e31"},
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

// mayHold reports whether it is worth decoding letters.
func (c *coding) mayHold(letters string) bool {
	if len(letters) >= minNested {
		return true
	}
	for _, stem := range c.stems {
		if strings.Contains(letters, stem) {
			return true
		}
	}
	return false
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
