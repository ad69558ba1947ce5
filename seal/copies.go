package seal

import (
	"encoding/base64"
	"math/bits"
	"strings"
)

const (
	// shortValue is the length in bytes below which a value must stand alone,
	// as a word, to be taken for a copy: "1" and "true" stand in many comments.
	shortValue = 6

	// annotationValue is the length from which a copy in an annotation or a
	// label is no coincidence; names and versions stand there, too.
	annotationValue = 8

	// longValue is that anywhere else, where "postgres" names an image.
	longValue = 12

	// longLine is the length from which a single line of a value counts.
	longLine = 16
)

// copies finds the values of a file in other text in one pass, however many
// values there are: it looks up each few bytes of the text.
type copies struct {
	words map[string]string // short values, as they stand alone, and their keys
	forms map[uint64][]form // by the bytes at their middle: ends are often alike
	seen  []uint64          // a bit for each hash of what may be in forms
	shift int               // of a hash of 64 bits
}

// form is one way to write a value.
type form struct {
	text string
	size int // of the value, in bytes; shortValue for a line of it
	key  string
}

const (
	window = shortValue // bytes that are looked up

	// Hashes have so many bits: one in thousands is met by chance.
	minSeenBits = 12
	maxSeenBits = 16
)

func newCopies(items []item) *copies {
	size := min(max(bits.Len(uint(len(items)))+10, minSeenBits), maxSeenBits)
	c := &copies{words: map[string]string{}, forms: map[uint64][]form{}, seen: make([]uint64, 1<<size/64), shift: 64 - size}
	known := map[string]bool{}
	for _, it := range items {
		for _, f := range c.formsOf(it) {
			if !known[f.text] {
				known[f.text] = true
				c.add(f)
			}
		}
	}
	return c
}

// formsOf lists how a value may be written, and adds a short one to the words.
func (c *copies) formsOf(it item) []form {
	whole := string(it.value)
	value := strings.TrimSpace(whole)
	switch {
	case value == "":
		return nil
	case len(value) < shortValue:
		for _, s := range []string{value, base64Of(whole), base64Of(value), base64Of(value + "\n")} {
			c.words[strings.TrimRight(s, "=")] = it.key
		}
		return nil
	}
	out := []form{{value, len(value), it.key}, {stem(value), len(value), it.key}}
	if !strings.HasPrefix(whole, value) {
		out = append(out, form{stem(whole), len(value), it.key})
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= longLine && len(line) < len(value) {
			out = append(out, form{line, shortValue, it.key})
		}
	}
	return out
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// stem is the value in base64 up to where its end, a line end or padding,
// begins to show.
func stem(s string) string { return base64Of(s)[:len(s)*8/6] }

func (c *copies) add(f form) {
	w := windowAt(f.text, f.middle())
	c.forms[w] = append(c.forms[w], f)
	h := c.hash(w)
	c.seen[h/64] |= 1 << (h % 64)
}

func (f form) middle() int { return (len(f.text) - window) / 2 }

func windowAt[T string | []byte](s T, i int) (w uint64) {
	for _, b := range []byte(s[i : i+window]) {
		w = w<<8 | uint64(b)
	}
	return w
}

func (c *copies) hash(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 >> c.shift }

// in names the keys whose values, of so many bytes at least, stand in a text,
// each once and in the order of the text.
func (c *copies) in(s []byte, atLeast int) []string {
	if len(s) < window {
		return nil
	}
	var keys []string
	met := map[string]bool{}
	w := windowAt(s, 0) >> 8
	for i := 0; i+window <= len(s); i++ {
		w = (w<<8 | uint64(s[i+window-1])) & (1<<(8*window) - 1)
		if h := c.hash(w); c.seen[h/64]>>(h%64)&1 == 0 {
			continue
		}
		for _, f := range c.forms[w] {
			if f.size >= atLeast && f.around(s, i) && !met[f.key] {
				met[f.key] = true
				keys = append(keys, f.key)
			}
		}
	}
	return keys
}

// around reports whether the form stands in s with its middle at i.
func (f form) around(s []byte, i int) bool {
	start := i - f.middle()
	return start >= 0 && len(s)-start >= len(f.text) && string(s[start:start+len(f.text)]) == f.text
}

// inComment names a key whose value stands in a comment, or "".
func (c *copies) inComment(s string) string {
	if keys := c.in([]byte(s), shortValue); len(keys) > 0 {
		return keys[0]
	}
	if len(c.words) == 0 {
		return ""
	}
	for _, word := range strings.FieldsFunc(s, betweenWords) {
		for _, form := range []string{word, strings.TrimSuffix(word, ".")} {
			if key := c.words[form]; key != "" {
				return key
			}
		}
	}
	return ""
}

func betweenWords(r rune) bool { return strings.ContainsRune(" \t\r\n#\"'`=,;()<>", r) }
