package seal

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Text is a text value in a file of manifests, and what it is part of.
type Text struct {
	Value string
	Line  int      // in the file
	Way   []string // the names that lead to it in its object; an index is [N]

	// Of the object. They are empty in a document that is none, such as the
	// values of a chart.
	APIVersion, Kind, Namespace, Name string
	Annotations                       map[string]string
}

// A Substitution puts New in place of the next Old of a text.
type Substitution struct{ Old, New string }

// Rewrite changes texts where they stand in a file of manifests, and keeps
// every other byte: comments, order, quotes, line ends. It calls substitutions
// for each text that is a value, in the order of the file, and makes what it
// returns, in its order. A text in which an Old is escaped, or folded over
// lines, is written anew as a whole.
//
// Out was parsed again and compared with the file before it is returned; what
// cannot be changed so is refused.
func Rewrite(data []byte, substitutions func(Text) []Substitution) (Result, error) {
	docs, err := documents(data)
	if err != nil {
		return Result{}, err
	}
	r := &rewriter{ask: substitutions}
	outs := make([][]byte, len(docs))
	for i, d := range docs {
		if d.root == nil {
			continue
		}
		if outs[i], err = r.document(d); err != nil {
			return Result{}, d.at(err)
		}
	}
	body := bytes.TrimPrefix(data, []byte(byteOrderMark))
	out := slices.Clone(data[:len(data)-len(body)])
	for i, d := range docs {
		if outs[i] == nil {
			outs[i] = d.raw
		}
		out = append(out, outs[i]...)
	}
	r.result.Out = out
	if !r.proven(docs, out) {
		return Result{}, refuse("quote the texts, or write them in block style; nothing was changed", "the way it is written cannot be changed safely")
	}
	return r.result, nil
}

// rewriter goes through the documents of a file.
type rewriter struct {
	ask    func(Text) []Substitution
	result Result

	d     *document
	of    Text // what is known of the current object
	wants []rewrite
}

// rewrite is a text that is changed.
type rewrite struct {
	node *yaml.Node
	made []Substitution
	text string // the whole, as it will be
}

// document returns the new bytes of a document, nil if nothing changes. It
// changes the tree.
func (r *rewriter) document(d *document) ([]byte, error) {
	e := newEditor(d, "")
	if e.json {
		if err := e.placeJSON(d.root); err != nil {
			return nil, err
		}
	}
	r.d, r.wants = d, nil
	r.object(d.root)
	if len(r.wants) == 0 {
		return nil, nil
	}
	if err := e.substituteAll(r.wants); err != nil {
		return nil, err
	}
	for _, w := range r.wants {
		w.node.Value, w.node.Tag = w.text, "!!str"
	}
	return e.spliced()
}

// object visits an object, or those of a List one by one.
func (r *rewriter) object(n *yaml.Node) {
	kind := text(get(n, "kind"))
	if items := get(n, "items"); strings.HasSuffix(kind, "List") && items != nil && items.Kind == yaml.SequenceNode {
		for _, item := range items.Content {
			r.object(item)
		}
		return
	}
	meta := get(n, "metadata")
	r.of = Text{
		APIVersion: text(get(n, "apiVersion")), Kind: kind,
		Namespace: text(get(meta, "namespace")), Name: text(get(meta, "name")), Annotations: stringMap(get(meta, "annotations")),
	}
	before := len(r.wants)
	r.visit(n, nil)
	if len(r.wants) > before {
		r.result.Objects = append(r.result.Objects, r.of.Namespace+"/"+r.of.Name)
	}
}

func (r *rewriter) visit(n *yaml.Node, way []string) {
	for i, child := range n.Content {
		name := "[" + strconv.Itoa(i) + "]"
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			name = n.Content[i-1].Value
		}
		r.visit(child, append(slices.Clip(way), name))
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return
	}
	t := r.of
	t.Value, t.Way, t.Line = n.Value, way, r.d.line+max(n.Line, 1)-1
	if made := r.ask(t); len(made) > 0 {
		if whole, ok := substituted(n.Value, made); ok {
			r.wants = append(r.wants, rewrite{n, made, whole})
		}
	}
}

// substituted makes the substitutions; ok is false if one finds no place.
func substituted(s string, made []Substitution) (out string, ok bool) {
	var b strings.Builder
	for _, m := range made {
		at := strings.Index(s, m.Old)
		if at < 0 {
			return "", false
		}
		b.WriteString(s[:at] + m.New)
		s = s[at+len(m.Old):]
	}
	return b.String() + s, true
}

// substituteAll changes each place once: several nodes stand at one where
// aliases lead to it.
func (e *editor) substituteAll(wants []rewrite) error {
	done := map[int]string{}
	for _, w := range wants {
		from, to := e.content(w.node), e.end(w.node)
		if from == unknown || to < from {
			return unsafe(w.node)
		}
		if earlier, again := done[from]; again {
			if earlier != w.text {
				return unsafe(w.node)
			}
			continue
		}
		done[from] = w.text
		switch raw, ok := substituted(string(e.raw[from:to]), w.made); {
		case ok && (e.json || w.node.Style&^yaml.FlowStyle != 0 || readsPlain(raw, w.text)):
			e.replace(from, to, raw)
		case w.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			header := from
			for header < len(e.raw) && !isBlank(e.raw[header]) {
				header++
			}
			e.replace(from, header, e.scalar(w.text, nil))
			e.replace(e.lineEnd(header), e.lineEnd(max(header, to)), "")
		default:
			e.replace(from, to, e.scalar(w.text, w.node))
		}
	}
	return nil
}

// readsPlain reports whether a text without quotes means what it should, be it
// in block or in flow style.
func readsPlain(raw, text string) bool {
	for _, document := range []string{"- " + raw, "[" + raw + "]"} {
		var n yaml.Node
		if yaml.Unmarshal([]byte(document), &n) != nil || len(n.Content[0].Content) != 1 {
			return false
		}
		if only := n.Content[0].Content[0]; only.Kind != yaml.ScalarNode || only.Tag != "!!str" || only.Value != text {
			return false
		}
	}
	return true
}

func unsafe(n *yaml.Node) error {
	return refuseAt(n.Line, "quote the text, or write it in block style; nothing was changed", "the way it is written cannot be changed safely")
}

// proven reads the new file: it must say what the changed trees say.
func (r *rewriter) proven(want []*document, out []byte) bool {
	docs, err := documents(out)
	return err == nil && slices.EqualFunc(want, docs, func(a, b *document) bool {
		return a.root == nil && b.root == nil || same(a.root, b.root)
	})
}
