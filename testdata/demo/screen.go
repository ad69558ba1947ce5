package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// width is that of the screen, in columns. No line is longer.
const width = 80

// indent stands before what a user types and what the programs answer. With
// one column more, tables of fuin would not fit.
const indent = " "

// longWord is from where a word is shown by its ends: a sealed value has
// thousands of characters, and differs from another at its end.
const longWord = 60

// screen writes what the demo shows.
type screen struct {
	w      io.Writer
	colour bool
	silent bool // the command above printed nothing
}

// newScreen colours on a terminal, unless NO_COLOR asks for none.
func newScreen(f *os.File) *screen {
	return &screen{w: f, colour: term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// The styles, as parameters of SGR.
const (
	bold  = "1"
	red   = "31"
	green = "32"
	title = "1;36"
)

func (s *screen) paint(style, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (s *screen) line(text string) { fmt.Fprintln(s.w, text) }

// heading opens a step.
func (s *screen) heading(text string) {
	head := "── " + text + " "
	s.line("\n" + s.paint(title, head+strings.Repeat("─", max(0, width-columns(head)))))
}

// prose writes paragraphs, which blank lines part.
func (s *screen) prose(text string) {
	s.silent = false
	for _, paragraph := range strings.Split(text, "\n\n") {
		s.line("")
		for _, row := range wrap(strings.Join(strings.Fields(paragraph), " "), width, "") {
			s.line(row)
		}
	}
}

// command shows what a user types: a row that begins with a space, or ends a
// loop or function, goes on with the one above.
func (s *screen) command(text string) {
	if !s.silent {
		s.line("")
	}
	s.silent = true
	for _, row := range strings.Split(text, "\n") {
		prompt := "$ "
		if strings.HasPrefix(row, " ") || row == "done" || row == "}" {
			prompt = "  "
		}
		s.line(indent + s.paint(bold, prompt+row))
	}
}

// output shows what came back, with long words by their ends and long lines
// folded.
func (s *screen) output(text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return
	}
	s.silent = false
	for _, line := range strings.Split(text, "\n") {
		if columns(line) > width-len(indent) {
			line = shorten(line)
		}
		for _, row := range wrap(line, width-len(indent), "  ") {
			s.line(strings.TrimRight(indent+row, " "))
		}
	}
}

// check shows what was found to hold.
func (s *screen) check(text string) {
	s.silent = false
	for i, row := range wrap(text, width-3, "") {
		mark := map[bool]string{true: s.paint(green, "✓"), false: " "}[i == 0]
		s.line(indent + mark + " " + row)
	}
}

// fail shows why the demo ends early.
func (s *screen) fail(err error) {
	fmt.Fprintln(os.Stderr, "\n"+s.paint(red, "✗ The demo ends here.")+" "+err.Error())
}

// shorten shows long words by their ends.
func shorten(line string) string {
	const head, tail = 36, 16
	words := strings.Split(line, " ")
	for i, word := range words {
		if r := []rune(word); len(r) > longWord && !strings.Contains(word, "://") {
			words[i] = string(r[:head]) + "…" + string(r[len(r)-tail:])
		}
	}
	return strings.Join(words, " ")
}

// wrap folds a line at its spaces, which it keeps otherwise, into rows of at
// most limit columns; hanging stands before all but the first.
func wrap(line string, limit int, hanging string) []string {
	var rows []string
	for columns(line) > limit {
		at := breakBefore(line, limit)
		if at < 0 {
			break // one word; better long than broken
		}
		rows = append(rows, line[:at])
		line = hanging + strings.TrimLeft(line[at:], " ")
	}
	return append(rows, line)
}

// breakBefore is the place of the last space within the limit that has a word
// before it, or -1.
func breakBefore(line string, limit int) int {
	start := len(line) - len(strings.TrimLeft(line, " "))
	n, at := 0, -1
	for i, r := range line {
		if n++; n > limit+1 {
			break
		}
		if r == ' ' && i > start {
			at = i
		}
	}
	return at
}

func columns(s string) int { return utf8.RuneCountInString(s) }
