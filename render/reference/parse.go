package reference

import (
	"strings"
	"unicode/utf8"
)

// A Part of a text is either literal or a reference.
type Part struct {
	Text      string // as it stays, with escapes resolved; of a template with its actions
	Reference *Reference
	Offset    int // in the text, in bytes
}

// Contains reports whether a text may hold a reference. It is cheap, and tells
// true for some that hold none, and for what does not parse.
func Contains(text string) bool {
	at := strings.Index(text, "ref+")
	return at >= 0 && strings.Contains(text[at:], "+vault://")
}

// Parse divides the text of a Secret's value into what is literal and
// references. A reference ends with +; one that is the whole text may leave it
// out. ref++vault:// is literal and loses a +, as it does with more of them.
//
// The parts are in the order of the text, and no two literal ones follow each
// other. The error is an *[Error].
func Parse(text string) ([]Part, error) {
	p := &parser{text: text}
	if err := p.literal(0, len(text)); err != nil {
		return nil, err
	}
	return p.parts, nil
}

// Of lists the references of parts.
func Of(parts []Part) []Reference {
	var all []Reference
	for _, p := range parts {
		if p.Reference != nil {
			all = append(all, *p.Reference)
		}
	}
	return all
}

type parser struct {
	text  string
	parts []Part
	count int
}

// literal divides text[from:to].
func (p *parser) literal(from, to int) *Error {
	for from < to {
		start, pluses := find(p.text[from:to])
		if start < 0 {
			break
		}
		start += from
		p.add(from, p.text[from:start])
		if pluses > 1 {
			from = start + len("ref") + pluses
			p.add(start, "ref"+strings.Repeat("+", pluses-1))
			continue
		}
		end, err := p.reference(start, to)
		if err != nil {
			return err
		}
		from = end
	}
	p.add(from, p.text[from:to])
	return nil
}

// find is where the next reference begins, or, with more than one plus, what
// only looks like one.
func find(text string) (start, pluses int) {
	for at := 0; ; {
		i := strings.Index(text[at:], "ref+")
		if i < 0 {
			return -1, 0
		}
		start = at + i
		rest := text[start+len("ref"):]
		pluses = len(rest) - len(strings.TrimLeft(rest, "+"))
		if strings.HasPrefix(rest[pluses:], "vault://") {
			return start, pluses
		}
		at = start + len("ref") + pluses
	}
}

// reference takes the one at start, which ends before limit.
func (p *parser) reference(start, limit int) (end int, err *Error) {
	if p.count++; p.count > MaxReferences {
		return 0, refuse(start, "divide it into several keys", "more than %d references in one value", MaxReferences)
	}
	end, closed := start+len(Prefix), false
	for end < limit && !closed {
		r, size := utf8.DecodeRuneInString(p.text[end:limit])
		switch {
		case end-start >= MaxLength:
			return 0, refuse(start, "", "the reference is longer than %d bytes", MaxLength)
		case r == '+':
			closed = true
		case !mayStand(r, size):
			return 0, refuse(start, hintOf(r), "the reference has no + at its end before %s", nameOf(r, size))
		}
		end += size
	}
	whole := start == 0 && end == len(p.text)
	switch {
	case !closed && end < len(p.text):
		return 0, refuse(start, hintOf('{'), "the reference has no + at its end before a template's {{ }}")
	case !closed && !whole:
		return 0, refuse(start, "end it with a +, as in "+Prefix+"MOUNT/PATH#/KEY+", "the reference does not end, and is not the whole value")
	}
	body := p.text[start+len(Prefix) : end]
	r, err := read(strings.TrimSuffix(body, "+"), start+len(Prefix))
	if err != nil {
		return 0, err
	}
	p.parts = append(p.parts, Part{Reference: r, Offset: start})
	return end, nil
}

// add appends literal text to that before it.
func (p *parser) add(offset int, text string) {
	if text == "" {
		return
	}
	if n := len(p.parts); n > 0 && p.parts[n-1].Reference == nil {
		p.parts[n-1].Text += text
		return
	}
	p.parts = append(p.parts, Part{Text: text, Offset: offset})
}
