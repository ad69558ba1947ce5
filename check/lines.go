package check

import (
	"strings"
	"unicode/utf8"

	"fuin.dev/lazy"
)

// An assignment is a name and a value somewhere in text.
type assignment struct {
	key, value   string
	line, column int  // from 1
	quoted       bool // the value, and ended on its line
	separator    byte // = or :
}

// assignmentForm takes KEY=VALUE, key: value, "key": "value", --key=value and
// the like, wherever they begin. A value ends with its quote, or else where
// another field of a URL, list or connection string begins.
var assignmentForm = lazy.Regexp(`(?:^|[\s;&?,"'({\[|])(?:--?)?["']?([A-Za-z_][A-Za-z0-9_.\-]*)["']?[ \t]*(=>|:::?|\+?:|:?=)[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;&,"'\[\]{}()#][^\s;&,"']*(?: +[^\s;&,"'=:#][^\s;&,"'=:]*)*)`)

// secretMention finds lines that may name a secret.
func mayAssign(line string) bool {
	return strings.ContainsAny(line, "=:") && mentionsSecret(line)
}

// maxLine bounds the part of a line that is read for names, in bytes.
const maxLine = 16 << 10

// eachAssignment visits what looks like an assignment of a secret in text.
func eachAssignment(text string, visit func(assignment)) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		assignmentsOf(line, number, visit)
	}
}

func assignmentsOf(line string, number int, visit func(assignment)) {
	if !mayAssign(line) {
		return
	}
	line = strings.TrimRight(line[:min(len(line), maxLine)], "\r\n")
	for at := 0; at < len(line); {
		m := assignmentForm().FindStringSubmatchIndex(line[at:])
		if m == nil {
			return
		}
		a := assignment{key: line[at+m[2] : at+m[3]], value: line[at+m[6] : at+m[7]], line: number, separator: '='}
		if line[at+m[5]-1] == ':' {
			a.separator = ':'
		}
		a.column = utf8.RuneCountInString(line[:at+m[6]]) + 1
		next := at + m[7]
		if senseOf(a.key) == harmless && m[7]-m[6] > 1 { // a value may hold assignments itself
			next = at + m[6]
		}
		if n := len(a.value); n >= 2 && (a.value[0] == '"' || a.value[0] == '\'') && a.value[n-1] == a.value[0] {
			a.value, a.quoted = a.value[1:n-1], true
			a.column++
		} else {
			a.value = bare(a.value)
		}
		visit(a)
		at = max(next, at+m[3])
	}
}

// bare cuts off what follows a value without quotes.
func bare(value string) string {
	for _, end := range []string{" #", " //", " --"} {
		value, _, _ = strings.Cut(value, end)
	}
	for value != "" && strings.IndexByte(";,)}]", value[len(value)-1]) >= 0 {
		if open := map[byte]string{')': "(", '}': "{", ']': "["}[value[len(value)-1]]; open != "" && strings.Contains(value, open) {
			break
		}
		value = value[:len(value)-1]
	}
	return value
}

// text checks a file that is no YAML.
func (f *file) text() {
	f.patterns()
	read := lineReaders[f.kind]
	if read.rule == "" || isSample(f.name) {
		return
	}
	pending := ""
	eachLine(f.data, func(number int, line string) {
		if f.comment(number, line, read.comment) {
			return
		}
		if m := variableBlock().FindStringSubmatch(line); m != nil && f.kind == terraformFile {
			pending = m[1]
		}
		if m := variableDefault().FindStringSubmatchIndex(line); m != nil && f.kind == terraformFile {
			f.assigned(assignment{key: pending, value: line[m[2]:m[3]], line: number, column: m[2] + 1, quoted: true}, read)
		}
		assignmentsOf(line, number, func(a assignment) { f.assigned(a, read) })
		f.defaults(number, line, read)
	})
}

// variableBlock begins a variable of Terraform, whose default comes later.
var variableBlock = lazy.Regexp(`^\s*(?:variable|output)\s+"([^"]+)"`)

var variableDefault = lazy.Regexp(`^\s*(?:default|value)\s*=\s*"([^"]*)"`)

func eachLine(data []byte, visit func(number int, line string)) {
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		visit(number, line)
	}
}

// lineReader says how the lines of a kind of file are read.
type lineReader struct {
	rule    string
	place   place
	comment string // what begins one
	quoted  bool   // only what stands in quotes is a value
}

var lineReaders = map[fileKind]lineReader{
	envFile:       {rule: EnvFile, place: inField, comment: "#"},
	jsonnetFile:   {rule: Jsonnet, place: inField, comment: "//", quoted: true},
	terraformFile: {rule: Terraform, place: inField, comment: "#", quoted: true},
	scriptFile:    {rule: Script, place: inCode, comment: "#"},
}

func (f *file) assigned(a assignment, read lineReader) {
	if read.quoted && !a.quoted || !isPlain(a.key, a.value, read.place) {
		return
	}
	f.add(Finding{Line: a.line, Column: a.column, Key: a.key, Rule: read.rule, Message: plainly(a.key)})
}

func plainly(key string) string { return "the value of " + quoteKey(key) + " can be read" }

// comment checks a line if all of it is a comment.
func (f *file) comment(number int, line, mark string) bool {
	trimmed := strings.TrimLeft(line, " \t")
	if !strings.HasPrefix(trimmed, mark) && !strings.HasPrefix(trimmed, "#") {
		return false
	}
	f.commented(number, len(line)-len(trimmed), trimmed)
	return true
}

// commented looks for assignments in a comment. What stands there is often
// prose: a value must look like one.
func (f *file) commented(number, indent int, text string) {
	if isSample(f.name) {
		return
	}
	assignmentsOf(text, number, func(a assignment) {
		if strings.Contains(a.value, " ") || !isPlain(a.key, a.value, inCode) {
			return
		}
		f.add(Finding{Line: number, Column: indent + a.column, Key: a.key, Rule: Comment, Message: "a comment holds a value of " + quoteKey(a.key)})
	})
}

// defaultForm is a value that a template or an expression falls back to.
var defaultForm = lazy.Regexp(`(?:\bdefault\s+|:-|\bor\s+\S+\s+)"?([^"\s{}|)]+)"?`)

// defaults finds a literal that a template falls back to for a secret.
func (f *file) defaults(number int, line string, read lineReader) {
	if !strings.Contains(line, "default ") && !strings.Contains(line, ":-") || !mayAssign(line) {
		return
	}
	key, rest, ok := strings.Cut(line, ":")
	if i := strings.Index(line, "="); i >= 0 && i < len(key) {
		key, rest, ok = strings.Cut(line, "=")
	}
	key = strings.Trim(strings.TrimPrefix(strings.TrimSpace(key), "- "), `"' `)
	if m := defaultForm().FindStringSubmatchIndex(rest); ok && m != nil && senseOf(key) != harmless {
		value := rest[m[2]:m[3]]
		if !strings.HasPrefix(value, ".") && !strings.HasPrefix(value, "$") && isPlain(key, value, inField) {
			column := len(line) - len(rest) + m[2] + 1
			f.add(Finding{Line: number, Column: column, Key: key, Rule: read.rule, Message: "the default of " + quoteKey(key) + " can be read"})
		}
	}
}
