package check

import (
	"bytes"
	"encoding/base64"
	"strings"

	"fuin.dev/lazy"
	"fuin.dev/seal"
)

// template reads a document that is no YAML, as most templates are, line by
// line: it goes by the indentation.
func (f *file) template(part seal.Part) {
	t := &templateReader{file: f, rule: PlaintextField, within: -1}
	if bytes.Contains(part.Raw, []byte("{{")) || strings.Contains(f.name, "values") {
		t.rule = HelmValues
	}
	t.isSecret = declares(part.Raw, "Secret")
	t.isSealed = declares(part.Raw, "SealedSecret")
	number := part.Line - 1
	for line := range strings.Lines(string(part.Raw)) {
		number++
		t.line(number, strings.TrimRight(line, "\r\n"))
	}
}

// declares reports whether a line says kind: KIND.
func declares(raw []byte, kind string) bool {
	for line := range bytes.Lines(raw) {
		line = bytes.TrimPrefix(bytes.TrimSpace(line), []byte("- "))
		if !bytes.HasPrefix(bytes.TrimLeft(line, `"'`), []byte("kind")) {
			continue
		}
		_, value, ok := bytes.Cut(line, []byte(":"))
		if ok && unquoted(string(bytes.TrimSpace(value))) == kind {
			return true
		}
	}
	return false
}

// templateReader follows the lines of a document.
type templateReader struct {
	file               *file
	rule               string
	isSecret, isSealed bool

	within   int    // indentation of the block of values that it is in; -1 is none
	field    string // data, stringData or encryptedData
	key      string // whose text goes on
	keyAt    int    // its indentation
	name     string // of an entry whose value comes next
	reported bool   // the text that goes on
}

var templateField = lazy.Regexp(`^([ \t]*(?:- )?)["']?([A-Za-z_][A-Za-z0-9_.\-]*)["']?\s*:(?:\s+(.*))?$`)

func (t *templateReader) line(number int, line string) {
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "{{") && strings.HasSuffix(trimmed, "}}") && !strings.Contains(trimmed, "default ") {
		return
	}
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	if t.within >= 0 && indent <= t.within {
		t.within = -1
	}
	if t.key != "" && indent > t.keyAt {
		t.goesOn(number, indent, trimmed)
		return
	}
	t.key = ""
	m := templateField().FindStringSubmatchIndex(line)
	if m == nil {
		t.free(number, line)
		return
	}
	key, value, column := line[m[4]:m[5]], "", len([]rune(line))+1
	if m[6] >= 0 {
		value, column = strings.TrimSpace(line[m[6]:m[7]]), len([]rune(line[:m[6]]))+1
	}
	t.entry(number, indent, column, key, value, line)
}

func (t *templateReader) entry(number, indent, column int, key, value, line string) {
	opensText := strings.HasPrefix(value, "|") || strings.HasPrefix(value, ">")
	if opensText {
		t.key, t.keyAt, t.reported = key, indent, false
		return
	}
	value = unquoted(value)
	switch {
	case t.within < 0 && value == "" && (t.isSecret && (key == "data" || key == "stringData") || t.isSealed && key == "encryptedData"):
		t.within, t.field = indent, key
	case t.within >= 0 && t.field == "encryptedData":
	case t.within >= 0:
		t.inSecret(number, column, key, value)
	case key == "name" || key == "key":
		t.name = value
	case key == "value" && t.name != "":
		t.field = ""
		t.plain(number, column, t.name, value, inField)
		t.name = ""
	case value != "":
		t.plain(number, column, key, value, inField)
		t.free(number, line)
	}
}

// inSecret checks an entry of a Secret.
func (t *templateReader) inSecret(number, column int, key, value string) {
	if t.field == "data" {
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && isText(decoded) && !isPlain(key, string(decoded), inSecret) {
			return
		}
	}
	if strings.Contains(value, "{{") {
		t.free(number, key+": "+value)
		return
	}
	if isPlain(key, value, inSecret) {
		t.file.add(Finding{Line: number, Column: column, Object: "Secret", Key: key, Rule: PlaintextSecret, Message: plainly(key)})
	}
}

// goesOn checks text that stands on lines of its own.
func (t *templateReader) goesOn(number, indent int, text string) {
	if t.within >= 0 && t.field != "encryptedData" && !t.reported && !strings.Contains(text, "{{") && isPlain(t.key, text, inSecret) {
		t.reported = true
		t.file.add(Finding{Line: number, Column: indent + 1, Object: "Secret", Key: t.key, Rule: PlaintextSecret, Message: plainly(t.key)})
		return
	}
	t.free(number, text)
}

func (t *templateReader) plain(number, column int, key, value string, where place) {
	if value != "true" && value != "false" && isPlain(key, value, where) {
		t.file.add(Finding{Line: number, Column: column, Key: key, Rule: t.rule, Message: plainly(key)})
	}
}

// free checks a line of any form.
func (t *templateReader) free(number int, line string) {
	t.file.defaults(number, line, lineReader{rule: t.rule})
	if strings.Contains(line, "{{") {
		line = templateForm().ReplaceAllString(line, "")
	}
	assignmentsOf(line, number, func(a assignment) {
		if a.quoted || !strings.ContainsAny(a.value, "({") {
			t.plain(number, a.column, a.key, a.value, inField)
		}
	})
}

// unquoted is a value without quotes, or else without the comment behind it.
func unquoted(value string) string {
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') {
		if end := strings.IndexByte(value[1:], value[0]); end >= 0 {
			return value[1 : end+1]
		}
	}
	value = strings.TrimRight(value, ",")
	text, _, _ := strings.Cut(value, " #")
	return strings.TrimSpace(text)
}
