package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"fuin.dev/lazy"
	"go.yaml.in/yaml/v3"
)

// MaxManifest bounds what is parsed as manifests, in bytes.
const MaxManifest = 32 << 20

// minNodes is how many nodes a small file may have, its aliases written out.
const minNodes = 1 << 16

// nodeBudget bounds the nodes of a whole file. A scalar in a manifest takes
// more than four bytes, so that only aliases exceed it.
func nodeBudget(data []byte) int { return max(minNodes, len(data)/4) }

// Format is how a manifest is written.
type Format string

// The formats. SameFormat keeps that of the input.
const (
	SameFormat Format = ""
	YAML       Format = "yaml"
	JSON       Format = "json"
)

// A document is one of the objects in a file, with the bytes it stood in.
type document struct {
	raw    []byte     // with the separator line before it, if it had one
	offset int        // of its first byte in the file, behind a byte order mark
	line   int        // of that byte, from 1
	root   *yaml.Node // its mapping, nil if it is empty or only comments
	head   string     // comment above the mapping
	foot   string     // comment below it
	format Format

	changed bool   // objects of it were converted
	object  string // the last of them, as NAMESPACE/NAME
}

// documents splits and parses a file of manifests: YAML documents, or JSON
// objects one behind the other.
func documents(data []byte) ([]*document, error) {
	data = trimMark(data)
	switch {
	case len(data) > MaxManifest:
		return nil, refuse("split it", "%d bytes; a manifest has at most %d", len(data), MaxManifest)
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		return nil, refuse("give a manifest; seal a file's content with --from-file", "binary, not a manifest")
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) && json.Valid(firstJSON(data)):
		return jsonDocuments(data)
	}
	var out []*document
	offset, line, budget := 0, 1, nodeBudget(data)
	for i, raw := range splitYAML(data) {
		if i == maxDocuments {
			return nil, errTooMany(line)
		}
		d := &document{raw: raw, offset: offset, line: line, format: YAML}
		if err := d.parse(&budget); err != nil {
			return nil, err
		}
		out = append(out, d)
		offset += len(raw)
		line += bytes.Count(raw, []byte("\n"))
	}
	return out, nil
}

// maxDocuments bounds the documents of a file: parsing one has a price of its
// own, however small it is.
const maxDocuments = 50_000

func errTooMany(line int) error {
	return refuseAt(line, "split it", "more than %d documents", maxDocuments)
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\xef\xbb\xbf"

func trimMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte(byteOrderMark)) }

// splitYAML cuts before each line that begins a document, and before the
// directives above it. YAML allows "---" at the start of a line nowhere else,
// not even in text.
func splitYAML(data []byte) [][]byte {
	var out [][]byte
	start, pos := 0, 0
	above := preamble{open: true}
	for line := range bytes.Lines(data) {
		if startsDocument(line) {
			if cut := above.cut(pos); cut > start {
				out = append(out, data[start:cut])
				start = cut
			}
		}
		above.next(line, pos)
		pos += len(line)
	}
	return append(out, data[start:])
}

// preamble follows the lines, between two documents, that can hold directives.
type preamble struct {
	open       bool // no content since the start
	start      int
	directives bool
}

// cut is where a document begins whose "---" stands at pos.
func (p *preamble) cut(pos int) int {
	if p.open && p.directives {
		return p.start
	}
	return pos
}

func (p *preamble) next(line []byte, pos int) {
	switch {
	case isMarker(line, "..."):
		*p = preamble{open: true, start: pos + len(line)}
	case line[0] == '%':
		p.directives = true
	case line[0] != '#' && len(bytes.TrimSpace(line)) > 0:
		p.open = false
	}
}

func startsDocument(line []byte) bool { return isMarker(line, "---") }

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])))
}

// hasDirectives reports whether the document begins with directives.
func hasDirectives(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if line[0] != '#' && len(bytes.TrimSpace(line)) > 0 {
			return line[0] == '%'
		}
	}
	return false
}

// yamlDirective is one for a version that this parser would refuse by name
// only: manifests of 1.2 read the same.
var yamlDirective = lazy.Regexp(`(?m)\A((?:[#%].*\r?\n|[ \t]*\r?\n)*?)%YAML[ \t]+1\.[0-9]+[ \t]*(\r?)$`)

func (d *document) parse(budget *int) error {
	n, err := d.decode()
	if n == nil || err != nil {
		return err
	}
	root, err := plain(n.Content[0], budget, 0)
	if err != nil {
		return d.at(err)
	}
	if root.Kind != yaml.MappingNode {
		return refuseAt(d.line+root.Line-1, "give Kubernetes manifests", "no object of Kubernetes, but %s", describe(root))
	}
	d.root, d.head, d.foot = root, n.HeadComment, n.FootComment
	return nil
}

// decode reads the document as it is written, with aliases and merge keys; nil
// if it is empty or only comments.
func (d *document) decode() (*yaml.Node, error) {
	n, raw := &yaml.Node{}, d.raw
	if bytes.Contains(raw, []byte("%YAML")) {
		raw = yamlDirective().ReplaceAll(raw, []byte("$1$2"))
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(n); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, d.syntaxError(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, refuseAt(d.line, "begin each document with ---", "text after the end of a document")
	}
	if root := n.Content[0]; root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	return n, nil
}

var yamlLine = lazy.Regexp(`line (\d+):`)

// syntaxError names the line. yaml's own message may quote the text.
func (d *document) syntaxError(err error) error {
	line := d.line
	if m := yamlLine().FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		line += n - 1
	}
	if bytes.Contains(d.raw, []byte("{{")) {
		return refuseAt(line, templateHint, "no YAML: a Helm or Go template")
	}
	return refuseAt(line, "", "no YAML")
}

const templateHint = "render it first: helm template … | fuin seal -"

// at moves an error's line from the document to the file.
func (d *document) at(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Line > 0 {
		moved := *e
		moved.Line += d.line - 1
		return &moved
	}
	return err
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a sequence"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!null":
		return "nothing"
	}
	return "text"
}

// encode writes the document in a format; SameFormat keeps its own.
func (d *document) encode(to Format) ([]byte, error) {
	if to == SameFormat {
		to = d.format
	}
	var out []byte
	var err error
	if to == JSON {
		out, err = encodeJSON(d.root)
	} else {
		out, err = encodeWithStandIns(d.root, d.encodeYAML)
	}
	if d.eol() == "\r\n" {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	return out, err
}

// eol is the line end that the document was written with.
func (d *document) eol() string {
	if i := bytes.IndexByte(d.raw, '\n'); i > 0 && d.raw[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func (d *document) encodeYAML() ([]byte, error) {
	var out bytes.Buffer
	if startsDocument(d.raw) {
		out.WriteString("---\n")
	}
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	n := &yaml.Node{Kind: yaml.DocumentNode, HeadComment: d.head, FootComment: d.foot, Content: []*yaml.Node{d.root}}
	if err := enc.Encode(n); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

func firstJSON(data []byte) []byte {
	var raw json.RawMessage
	if json.NewDecoder(bytes.NewReader(data)).Decode(&raw) != nil {
		return nil
	}
	return raw
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }
