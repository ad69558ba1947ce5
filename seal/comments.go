package seal

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
		if key := w.copies.inComment(l); key != "" {
			w.warn(line, "dropped a comment that holds the value of key %q", key)
			continue
		}
		kept = append(kept, l)
	}
	*comment = strings.TrimRight(strings.Join(kept, ""), "\n")
}

// screen looks for plain values in what is written: it cuts them out of
// documents that hold only comments, and warns of them elsewhere.
func (w *walk) screen(docs []*document, outs [][]byte) [][]byte {
	if w.want != "Secret" {
		return outs
	}
	for i, d := range docs {
		w.first = d.line
		switch {
		case d.root == nil:
			outs[i] = w.screenComments(d)
		case outs[i] != nil:
			w.warnOfCopies(d, outs[i], 0)
		default:
			w.warnOfCopies(d, d.raw, 1)
		}
	}
	return outs
}

func (w *walk) screenComments(d *document) []byte {
	var kept bytes.Buffer
	for line := range bytes.Lines(d.raw) {
		if key := w.copies.inComment(string(line)); key != "" {
			w.warn(1, "dropped a comment that holds the value of key %q", key)
			continue
		}
		kept.Write(line)
	}
	return kept.Bytes()
}

// warnOfCopies names each key once, at the line of the copy if it is known,
// else at the given one.
func (w *walk) warnOfCopies(d *document, out []byte, line int) {
	told := map[string]bool{}
	tell := func(at int, text []byte, atLeast int) {
		for _, key := range w.copies.in(text, atLeast) {
			if !told[key] {
				told[key] = true
				w.warn(at, "the value of key %q stands in plain elsewhere in this file; remove it there", key)
			}
		}
	}
	tell(max(line, 1), []byte(d.head+"\n"+d.foot), shortValue) // where comments were dropped, none are left
	inNotes(d.root, false, func(n *yaml.Node, isNote bool) {
		tell(max(line, n.Line), []byte(n.HeadComment+"\n"+n.LineComment+"\n"+n.FootComment), shortValue)
		if isNote {
			tell(max(line, n.Line), []byte(n.Value), annotationValue)
		}
	})
	tell(line, out, longValue)
}

// inNotes visits all nodes and tells which stand in annotations or labels.
func inNotes(n *yaml.Node, isNote bool, visit func(n *yaml.Node, isNote bool)) {
	visit(n, isNote)
	for i, child := range n.Content {
		isKey := n.Kind == yaml.MappingNode && i%2 == 0
		name := ""
		if n.Kind == yaml.MappingNode && !isKey {
			name = n.Content[i-1].Value
		}
		inNotes(child, isNote || name == "annotations" || name == "labels", visit)
	}
}
