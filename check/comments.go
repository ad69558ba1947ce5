package check

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"fuin.dev/seal"
)

// comments checks those of a document; d is nil where it does not parse.
func (f *file) comments(part seal.Part, d *document) {
	if !bytes.Contains(part.Raw, []byte("#")) {
		return
	}
	var copies *seal.Copies
	if d != nil && len(d.values) > 0 {
		c := seal.NewCopies(d.values)
		copies = &c
	}
	number := part.Line - 1
	for line := range strings.Lines(string(part.Raw)) {
		number++
		start := commentStart(line)
		if start < 0 || d != nil && d.inText(number) {
			continue
		}
		comment := strings.TrimRight(line[start:], "\r\n")
		column := len([]rune(line[:start])) + 1
		if strings.Contains(comment, allowMark) {
			continue
		}
		if copies != nil {
			if key := copies.InComment(comment); key != "" {
				f.add(Finding{Line: number, Column: column, Key: key, Rule: Comment, Message: "a comment holds the value of " + quoteKey(key)})
				continue
			}
		}
		if d != nil && d.sealed[number] && isSoleValue(comment) {
			f.add(Finding{Line: number, Column: column, Rule: Comment, Message: "a comment beside a sealed value looks like the value"})
			continue
		}
		f.commented(number, start, comment)
	}
}

// inText reports whether a line is text of a scalar, where # is no comment.
func (d *document) inText(line int) bool {
	return slices.ContainsFunc(d.blocks, func(b [2]int) bool { return line >= b[0] && line <= b[1] })
}

// commentStart is where the comment of a line begins, or -1.
func commentStart(line string) int {
	quote := byte(0)
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && (i == 0 || strings.IndexByte(" \t[{,:-", line[i-1]) >= 0):
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return i
		}
	}
	return -1
}

// isSoleValue takes a comment of one word that is no word: beside a sealed
// value it is what somebody wanted to remember.
func isSoleValue(comment string) bool {
	word := strings.TrimSpace(strings.TrimLeft(comment, "# "))
	if len(word) < 6 || strings.ContainsAny(word, " \t") || isIndirect(word) || isVersion(word) || ticket(word) {
		return false
	}
	return looksRandom(word) || isName(word) && strings.IndexFunc(word, unicode.IsUpper) < 0 && mentionsSecret(word)
}

// ticket takes SHOP-123 and #123.
func ticket(word string) bool {
	project, number, ok := strings.Cut(strings.TrimRight(word, ":"), "-")
	return ok && project != "" && strings.ToUpper(project) == project && strings.Trim(number, "0123456789") == ""
}
