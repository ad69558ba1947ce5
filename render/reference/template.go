package reference

import "strings"

// ParseTemplate divides the text of a Go template as Parse does. Its actions,
// {{ … }}, stay as they are; a reference inside one, or inside a comment, is
// an error, as its value would become part of a program. Text that can hold no
// reference is returned as it is, whether it is a template or not.
func ParseTemplate(text string) ([]Part, error) {
	p := &parser{text: text}
	if !Contains(text) {
		p.add(0, text)
		return p.parts, nil
	}
	for at := 0; at < len(text); {
		open := len(text)
		if i := strings.Index(text[at:], leftDelimiter); i >= 0 {
			open = at + i
		}
		if err := p.literal(at, open); err != nil {
			return nil, err
		}
		end := actionEnd(text, open)
		if end < 0 {
			return nil, refuse(open, "", "a template's {{ has no }}, or a quote in it does not end")
		}
		if i, pluses := find(text[open:end]); i >= 0 && pluses == 1 {
			return nil, refuse(open+i, "write it outside of {{ }}; its value is put in as text", "a reference inside a template's {{ }}")
		}
		p.add(open, text[open:end])
		at = end
	}
	return p.parts, nil
}

// Template is the text of a Go template that makes text: each {{ in it stands
// in an action of its own. References stay references.
func Template(text string) string {
	return strings.ReplaceAll(text, leftDelimiter, `{{"{{"}}`)
}

// Fill is the text of the template that parts are of, with an action in place
// of each reference; action is called with their numbers, from 0.
func Fill(parts []Part, action func(i int) string) string {
	var out strings.Builder
	n := 0
	for i, p := range parts {
		switch {
		case p.Reference != nil:
			out.WriteString(action(n))
			n++
		case i+1 < len(parts) && strings.HasSuffix(p.Text, "{"): // it would be read together with the action's
			out.WriteString(strings.TrimSuffix(p.Text, "{") + `{{"{"}}`)
		default:
			out.WriteString(p.Text)
		}
	}
	return out.String()
}

const (
	leftDelimiter  = "{{"
	rightDelimiter = "}}"
	blanks         = " \t\r\n"
)

// actionEnd is the offset behind the action at open, as text/template finds it;
// -1 if it does not end.
func actionEnd(text string, open int) int {
	if open == len(text) {
		return open
	}
	at := open + len(leftDelimiter)
	if rest := text[at:]; len(rest) >= 2 && rest[0] == '-' && strings.IndexByte(blanks, rest[1]) >= 0 {
		at += 2
	}
	if strings.HasPrefix(text[at:], "/*") {
		return commentEnd(text, at)
	}
	for at < len(text) {
		if strings.HasPrefix(text[at:], rightDelimiter) {
			return at + len(rightDelimiter)
		}
		next := 1
		if c := text[at]; c == '"' || c == '\'' || c == '`' {
			if next = quotedLength(text[at:]); next < 0 {
				return -1
			}
		}
		at += next
	}
	return -1
}

// commentEnd is the offset behind the comment that begins at, and its action.
func commentEnd(text string, at int) int {
	at += len("/*") // whose star does not end it
	i := strings.Index(text[at:], "*/")
	if i < 0 {
		return -1
	}
	at += i + len("*/")
	if rest := text[at:]; len(rest) >= 2 && strings.IndexByte(blanks, rest[0]) >= 0 && rest[1] == '-' {
		at += 2
	}
	if !strings.HasPrefix(text[at:], rightDelimiter) {
		return -1
	}
	return at + len(rightDelimiter)
}

// quotedLength is the length of the quoted text at the start of s; -1 if it
// does not end, in its line unless it is raw.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0]:
			return i + 1
		case s[0] == '`':
		case c == '\n':
			return -1
		case c == '\\':
			if i++; i < len(s) && s[i] == '\n' {
				return -1
			}
		}
	}
	return -1
}
