package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"fuin.dev/seal"
)

func printDifferences(w io.Writer, all []difference, format string) error {
	switch format {
	case "json":
		if all == nil {
			all = []difference{}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(map[string][]difference{"differences": all})
	case "markdown":
		_, err := io.WriteString(w, markdown(all))
		return err
	}
	var t table
	for _, d := range all {
		if t.Len() > 0 {
			fmt.Fprintln(&t)
		}
		d.print(&t)
	}
	_, err := t.WriteTo(w)
	return err
}

// The columns of the text.
const (
	changeIndent = 2
	changeColumn = 34
)

func (d *difference) print(t *table) {
	t.text(0, 3, printable(d.File)+": "+printable(d.object())+d.suffix())
	for _, line := range d.lines() {
		what := shorten(line.what, changeColumn)
		for i, part := range fold(line.change, tableWidth-changeIndent-changeColumn-1) {
			if i > 0 {
				what = ""
			}
			t.line("%*s%-*s %s", changeIndent, "", changeColumn, what, part)
		}
	}
}

// suffix says what became of the object as a whole.
func (d *difference) suffix() string {
	switch {
	case d.Change == seal.Added || d.Change == seal.Removed:
		return " (" + string(d.Change) + ")"
	case d.From != "":
		return " (was in " + printable(d.From) + ")"
	}
	return ""
}

// A changeLine is a part of a SealedSecret and what became of it.
type changeLine struct {
	what, change string
	isName       bool // what is a name from the file
}

// lines tells all that changed, in one order for all formats.
func (d *difference) lines() []changeLine {
	var out []changeLine
	if d.Cluster != nil && !d.Cluster.Found {
		out = append(out, changeLine{"cluster", "has none", false})
	} else if d.Cluster != nil && !d.Cluster.settled() {
		out = append(out, changeLine{"cluster", "not synced: " + printable(d.Cluster.Message), false})
	}
	for _, k := range d.Keys {
		out = append(out, changeLine{k.Key, keyChange(k), true})
	}
	if d.Scope != nil {
		out = append(out, changeLine{"scope", string(d.Scope.Before) + " -> " + string(d.Scope.After), false})
	}
	if d.Hints != nil {
		for _, fingerprint := range d.Hints.Added {
			out = append(out, changeLine{"sealed with", "now " + d.keyName(fingerprint), false})
		}
		for _, fingerprint := range d.Hints.Removed {
			out = append(out, changeLine{"sealed with", "no more " + d.keyName(fingerprint), false})
		}
	}
	for _, field := range d.Fields {
		out = append(out, changeLine{field.Path, string(field.Change), true})
	}
	return out
}

// keyChange tells of one key: rewritten, value unchanged, 1 of 4096 bits -> …
func keyChange(k seal.KeyDifference) string {
	text := string(k.Change)
	if k.Value != "" {
		text += ", value " + string(k.Value)
	}
	before, after := sealedFor(k.Before), sealedFor(k.After)
	if k.Change == seal.Rewritten && before != after {
		text += ", " + before + " -> " + after
	}
	return text
}

// sealedFor is the encoding of a value, and for how many of what kind.
func sealedFor(v *seal.ValueInfo) string {
	if v == nil {
		return "no sealed value"
	}
	return v.Encoding + " for " + recipientText(*v)
}

// keyName is how people know a key, in one column.
func (d *difference) keyName(fingerprint string) string {
	if name := d.names[fingerprint]; name != "" {
		return shorten(name, 17) + " " + shorten(fingerprint, 16)
	}
	return shorten(fingerprint, 34)
}

// markdown is what a bot posts on a pull request.
func markdown(all []difference) string {
	if len(all) == 0 {
		return "No SealedSecret changed.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s changed\n", plural(len(all), "SealedSecret"))
	for _, d := range all {
		fmt.Fprintf(&b, "\n**%s**%s in %s\n", markdownName(d.object()), d.suffix(), markdownName(d.File))
		lines := d.lines()
		if len(lines) == 0 {
			continue
		}
		b.WriteString("\n| | |\n|---|---|\n")
		for _, line := range lines {
			what := line.what
			if line.isName {
				what = markdownName(what)
			}
			fmt.Fprintf(&b, "| %s | %s |\n", what, markdownText(line.change))
		}
	}
	return b.String()
}

// markdownName is a name from a file, as code.
func markdownName(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "\\|").Replace(printable(s)) + "`"
}

// markdownText keeps what comes from a file from being markup.
func markdownText(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "`", "'", "*", "\\*", "_", "\\_", "[", "\\[", "@", "&#64;").Replace(printable(s))
}
