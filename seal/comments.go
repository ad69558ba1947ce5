package seal

import (
	"bytes"
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shortValue is the length in bytes below which a value must stand alone, as
// a word, to be taken for a copy: "1" and "true" stand in many comments.
const shortValue = 6

// longValue is the length in bytes from which a copy outside of comments is
// no coincidence, as "postgres" in a label is.
const longValue = 12

// dropComments removes comments that hold a value of the file, plain or in
// base64, and warns.
func (w *walk) dropComments(d *document) {
	for _, c := range []*string{&d.head, &d.foot} {
		w.dropComment(c, 1)
	}
	w.dropNodeComments(d.root)
}

func (w *walk) dropNodeComments(n *yaml.Node) {
	for _, c := range []*string{&n.HeadComment, &n.LineComment, &n.FootComment} {
		w.dropComment(c, n.Line)
	}
	for _, child := range n.Content {
		w.dropNodeComments(child)
	}
}

func (w *walk) dropComment(comment *string, line int) {
	if *comment == "" {
		return
	}
	kept := make([]string, 0, 4)
	for l := range strings.Lines(*comment) {
		if key := w.copied(l); key != "" {
			w.warn(line, "dropped a comment that holds the value of key %q", key)
			continue
		}
		kept = append(kept, l)
	}
	*comment = strings.TrimRight(strings.Join(kept, ""), "\n")
}

// copied names the key whose value stands in a text, or "".
func (w *walk) copied(s string) string {
	for _, it := range w.values {
		if it.in(s) {
			return it.key
		}
	}
	return ""
}

// in reports whether the value, or a whole line of it, stands in the text.
func (it item) in(s string) bool {
	value := strings.TrimSpace(string(it.value))
	if value == "" {
		return false
	}
	if len(value) < shortValue {
		return hasWord(s, value) || hasWord(s, base64.StdEncoding.EncodeToString(it.value))
	}
	if strings.Contains(s, value) || strings.Contains(s, base64.StdEncoding.EncodeToString(it.value)) {
		return true
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= 16 && len(line) < len(value) && strings.Contains(s, line) {
			return true
		}
	}
	return false
}

func hasWord(s, word string) bool {
	for _, field := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n#\"'`=,;()<>", r) }) {
		if field == word || strings.TrimSuffix(field, ".") == word {
			return true
		}
	}
	return false
}

// screen looks for plain values in what is written: it cuts them out of
// documents that hold only comments, and warns of them elsewhere.
func (w *walk) screen(docs []*document, outs [][]byte) [][]byte {
	if w.want != "Secret" {
		return outs
	}
	for i, d := range docs {
		switch {
		case d.root == nil:
			outs[i] = w.screenComments(d)
		case outs[i] != nil:
			w.warnOfCopies(outs[i], 0)
		default:
			w.warnOfCopies(d.raw, d.line)
		}
	}
	return outs
}

func (w *walk) screenComments(d *document) []byte {
	var kept bytes.Buffer
	for line := range bytes.Lines(d.raw) {
		if key := w.copied(string(line)); key != "" {
			w.warn(d.line, "dropped a comment that holds the value of key %q", key)
			continue
		}
		kept.Write(line)
	}
	return kept.Bytes()
}

func (w *walk) warnOfCopies(out []byte, line int) {
	for _, it := range w.values {
		if len(it.value) < longValue {
			continue
		}
		encoded := base64.StdEncoding.EncodeToString(it.value)
		if bytes.Contains(out, it.value) || bytes.Contains(out, []byte(encoded)) {
			w.warn(line, "the value of key %q stands in plain elsewhere in this file; remove it there", it.key)
		}
	}
}
