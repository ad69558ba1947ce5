package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// A table is text in columns for people, 80 characters wide at most. The texts
// that go into it are fit for a terminal already.
type table struct {
	bytes.Buffer
	now time.Time
}

const (
	tableWidth = helpWidth
	tableRows  = 20 // of a list that is beside the point
)

// line writes a formatted line, its end cut off if it is too long.
func (t *table) line(format string, args ...any) {
	fmt.Fprintln(t, strings.TrimRight(cut(fmt.Sprintf(format, args...), tableWidth), " "))
}

// text writes all of a text, folded and indented; of more lines than most the
// first ones.
func (t *table) text(indent, most int, text string) {
	lines := fold(text, tableWidth-indent)
	if len(lines) > most {
		lines = lines[:most]
		last := &lines[most-1]
		*last = cut(*last, tableWidth-indent-2) + " …"
	}
	for _, line := range lines {
		fmt.Fprintln(t, strings.Repeat(" ", indent)+line)
	}
}

// section begins a part with a title.
func (t *table) section(title string) {
	if t.Len() > 0 {
		fmt.Fprintln(t)
	}
	t.line("%s", title)
}

// more tells of what is left out of a list.
func (t *table) more(total int, where string) {
	if total > tableRows {
		t.text(2, 2, fmt.Sprintf("and %d more: %s", total-tableRows, where))
	}
}

// first are as many of a list as are shown.
func first[T any](all []T) []T { return all[:min(len(all), tableRows)] }

// fold is wrap, but for words that are longer than a line.
func fold(text string, width int) []string {
	var out []string
	for _, line := range wrap(text, width) {
		for runes := []rune(line); ; runes = runes[width:] {
			if len(runes) <= width {
				out = append(out, string(runes))
				break
			}
			out = append(out, string(runes[:width]))
		}
	}
	return out
}

// ago is how long a time is past, in one unit.
func (t *table) ago(at *time.Time) string {
	if at == nil {
		return "-"
	}
	const day = 24 * time.Hour
	switch d := max(t.now.Sub(*at), 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

// dash stands where there is nothing.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
