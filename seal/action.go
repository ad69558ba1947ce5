package seal

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A naming tells under which key of the SealedSecret a token stands.
type naming func(Token) string

// template is the text of a Go template that makes the parts, with the values
// of the tokens in their places. What is no text stands in actions.
func (name naming) template(parts []fragment) string {
	if !isPlainText(parts) {
		return "{{ " + name.joined(parts) + " }}"
	}
	var out strings.Builder
	for i, p := range parts {
		if p.isText() {
			out.WriteString(escapeBraces(p.text, i+1 < len(parts)))
		} else {
			out.WriteString("{{ " + name.pipe(p) + " }}")
		}
	}
	return out.String()
}

func (p fragment) isText() bool { return p.token == nil && p.parts == nil }

// isPlainText reports whether what stands between tokens can be written in YAML
// as it is.
func isPlainText(parts []fragment) bool {
	for _, p := range parts {
		if p.isText() && !isPrintable(p.text) {
			return false
		}
	}
	return true
}

func isPrintable(text string) bool {
	strange := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	return utf8.ValidString(text) && !strings.ContainsFunc(text, strange)
}

// escapeBraces keeps text from beginning an action: several braces in a row,
// and those at the end where an action follows.
func escapeBraces(text string, actionFollows bool) string {
	var out strings.Builder
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			break
		}
		rest := strings.TrimLeft(text[open:], "{")
		braces := text[open : len(text)-len(rest)]
		out.WriteString(text[:open])
		if len(braces) > 1 || rest == "" && actionFollows {
			braces = "{{ " + strconv.Quote(braces) + " }}"
		}
		out.WriteString(braces)
		text = rest
	}
	return out.String() + text
}

// pipe is the pipeline of a fragment.
func (name naming) pipe(p fragment) string {
	switch {
	case p.isText():
		return strconv.Quote(p.text)
	case p.token == nil:
		return name.joined(p.parts) + " | " + p.action
	}
	value := valueOf(name(*p.token))
	if p.within.clip {
		value = "regexReplaceAll " + strconv.Quote(`\n+$`) + " " + operand(value) + " " + strconv.Quote("")
	}
	value += strings.Repeat(" | urlquery", p.within.query)
	if p.within.json != "" {
		value += " | " + jsonAction(p.within.json)
	}
	if p.within.indent != "" {
		value += " | replace " + strconv.Quote("\n") + " " + strconv.Quote("\n"+p.within.indent)
	}
	return value
}

// valueOf is a key of the values that a template sees.
func valueOf(key string) string {
	if strings.Trim(key, lower+upper+digits+"_") == "" && strings.IndexByte(digits, key[0]) < 0 {
		return "." + key
	}
	return "index . " + strconv.Quote(key)
}

// joined is the pipeline of parts behind each other.
func (name naming) joined(parts []fragment) string {
	if len(parts) == 1 {
		return name.pipe(parts[0])
	}
	out := "print"
	for _, p := range parts {
		if p.isText() {
			out += " " + strconv.Quote(p.text)
		} else {
			out += " " + operand(name.pipe(p))
		}
	}
	return out
}

// operand is a pipeline as an argument of another.
func operand(pipe string) string {
	if strings.Contains(pipe, " ") {
		return "(" + pipe + ")"
	}
	return pipe
}
