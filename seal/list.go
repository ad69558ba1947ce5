package seal

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Put puts another text at a field that holds one, in a block if it has several
// lines and stood in one. Every other byte stays.
func (f Field) Put(data []byte, text string) ([]byte, error) {
	return f.change(data, func(e *editor, root *yaml.Node) error {
		n, err := e.reach(root, f)
		if err != nil {
			return err
		}
		return e.putText(n, text)
	}, func(root *yaml.Node) { f.walk(root).SetString(text) })
}

// Append puts a text at the end of the list at a field, which is made if it is
// not there. Every other byte stays.
func (f Field) Append(data []byte, text string) ([]byte, error) {
	return f.change(data, func(e *editor, root *yaml.Node) error {
		return e.appendItem(root, f, text)
	}, func(root *yaml.Node) {
		list := f.walk(root)
		if list == nil {
			list = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
			set(root, f.steps[0].name, list)
		}
		list.Content = append(list.Content, scalar(text))
	})
}

// Remove takes an item out of the list at a field; the list goes with its last
// item. Every other byte stays.
func (f Field) Remove(data []byte, item int) ([]byte, error) {
	return f.change(data, func(e *editor, root *yaml.Node) error {
		return e.removeItem(root, f, item)
	}, func(root *yaml.Node) {
		list := f.walk(root)
		if len(list.Content) == 1 {
			change{way: []string{f.steps[0].name}, remove: true}.apply(root)
			return
		}
		list.Content = slices.Delete(list.Content, item, item+1)
	})
}

// change edits the only document of a file that is not empty. What it says
// afterwards is compared with what apply makes of its tree.
func (f Field) change(data []byte, edit func(*editor, *yaml.Node) error, apply func(*yaml.Node)) ([]byte, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(d *document) bool { return d.root == nil })
	if len(docs) != 1 {
		return nil, f.refuse(0, "keep one in the file", "the file has %d documents", len(docs))
	}
	d := docs[0]
	e := newEditor(d, "field "+quoted(f.text))
	e.step = 2
	root, err := e.object(d)
	if err == nil {
		err = edit(e, root)
	}
	if err != nil {
		return nil, d.at(err)
	}
	edited, err := e.spliced()
	if err != nil {
		return nil, d.at(err)
	}
	body := trimMark(data)
	mark := data[:len(data)-len(body)]
	out := slices.Concat(mark, body[:d.offset], edited, body[d.offset+len(d.raw):])
	apply(d.root)
	again, err := documents(out)
	again = slices.DeleteFunc(again, func(d *document) bool { return d.root == nil })
	if err != nil || len(again) != 1 || !same(d.root, again[0].root) {
		return nil, d.at(e.unsure(&yaml.Node{Line: 1}))
	}
	return out, nil
}

// reach walks to a scalar, and refuses what does not stand where it is read.
func (e *editor) reach(root *yaml.Node, f Field) (*yaml.Node, error) {
	n := root
	for i, s := range f.steps {
		if err := e.check(n, kindOf(s)); err != nil {
			return nil, err
		}
		if n = (Field{steps: f.steps[:i+1]}).walk(root); n == nil {
			return nil, f.refuse(0, "check the way to it", "it is not there")
		}
	}
	return n, e.check(n, yaml.ScalarNode)
}

// putText replaces a scalar. The lines of a block stay in one, indented as they
// were.
func (e *editor) putText(n *yaml.Node, text string) error {
	start, end := e.start(n), e.end(n)
	if start == unknown || end <= start {
		return e.unsure(n)
	}
	lines := strings.TrimSuffix(text, "\n")
	if n.Style&yaml.LiteralStyle == 0 || lines == "" || strings.ContainsAny(lines[:1], " \t\n") || strings.HasSuffix(lines, "\n") {
		e.rewrite(n, start, end, text)
		return nil
	}
	header := e.lineEnd(start)
	first := bytes.TrimLeft(e.raw[header:], "\r\n")
	indent := string(first[:len(first)-len(bytes.TrimLeft(first, " "))])
	var body strings.Builder
	for line := range strings.SplitSeq(lines, "\n") {
		body.WriteString(e.eol)
		if line != "" {
			body.WriteString(indent + line)
		}
	}
	word := "|-"
	if lines != text {
		word = "|"
	}
	e.replace(start, start+len(blockHeader(e.raw[start:header])), word)
	e.replace(header, e.lineEnd(max(header, end)), body.String())
	return nil
}

// blockHeader is the header of a block, without what stands behind it.
func blockHeader(line []byte) []byte {
	if at := bytes.IndexAny(line, " \t\r"); at >= 0 {
		return line[:at]
	}
	return line
}

// appendItem adds an item behind the last one, as that is written.
func (e *editor) appendItem(root *yaml.Node, f Field, text string) error {
	name := f.steps[0].name
	k, list := entry(root, name)
	switch {
	case len(f.steps) != 1:
		return e.unsure(root)
	case k == nil:
		return e.appendList(root, name, text)
	}
	if err := e.check(list, yaml.SequenceNode); err != nil {
		return err
	}
	if len(list.Content) == 0 {
		start := e.start(list)
		if start == unknown || start >= len(e.raw) || e.raw[start] != '[' {
			return e.unsure(list)
		}
		e.insert(start+1, e.scalar(text, nil))
		return nil
	}
	neighbour := last(list.Content)
	start, end := e.start(neighbour), e.end(neighbour)
	if start == unknown || end < start {
		return e.unsure(neighbour)
	}
	if isFlow(list) {
		e.insert(end, ", "+e.scalar(text, neighbour))
		return nil
	}
	dash := e.lineStart(start)
	lead := string(e.raw[dash:start])
	if strings.TrimSpace(lead) != "-" || !e.isLast(end) {
		return e.unsure(neighbour)
	}
	e.insert(e.lineEnd(end), e.eol+lead+e.scalar(text, neighbour))
	return nil
}

// appendList adds a list of one item behind all else.
func (e *editor) appendList(root *yaml.Node, name, text string) error {
	end := e.end(root)
	if isFlow(root) || end == unknown || !e.isLast(end) {
		return e.unsure(root)
	}
	indent := strings.Repeat(" ", root.Content[0].Column-1)
	e.insert(e.lineEnd(end), e.eol+indent+name+":"+e.eol+indent+"- "+e.scalar(text, nil))
	return nil
}

// removeItem takes the lines of an item out, or the whole list.
func (e *editor) removeItem(root *yaml.Node, f Field, item int) error {
	k, list := entry(root, f.steps[0].name)
	if len(f.steps) != 1 || k == nil {
		return e.unsure(root)
	}
	if err := e.check(list, yaml.SequenceNode); err != nil {
		return err
	}
	switch {
	case item >= len(list.Content) || len(list.Content) == 1 && len(root.Content) == 2:
		return e.unsure(list)
	case len(list.Content) == 1:
		return e.remove(root, []string{f.steps[0].name})
	case isFlow(list):
		return e.unsure(list)
	}
	n := list.Content[item]
	start, end := e.start(n), e.end(n)
	if start == unknown || end < start || !e.isLast(end) || strings.TrimSpace(string(e.raw[e.lineStart(start):start])) != "-" {
		return e.unsure(n)
	}
	e.replace(e.lineStart(start), e.nextLine(end), "")
	return nil
}
