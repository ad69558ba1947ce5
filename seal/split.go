package seal

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// A Part is one document of a file as it was written, whether or not it is a
// manifest, or YAML at all.
type Part struct {
	Raw  []byte // with the separator line before it, if it had one
	Line int    // of its first byte in the file, from 1
}

// Split cuts a file into its YAML documents, of which it may hold at most
// 50,000; what comes behind them stays one part. A file of JSON is one.
func Split(data []byte) []Part {
	var out []Part
	line := 1
	rest := bytes.TrimPrefix(data, []byte(byteOrderMark))
	for i, raw := range splitYAML(rest) {
		if i == maxDocuments {
			return append(out, Part{rest, line})
		}
		out = append(out, Part{raw, line})
		line += bytes.Count(raw, []byte("\n"))
		rest = rest[len(raw):]
	}
	return out
}

// Tree parses the document, with aliases and merge keys as they are written,
// and lines counted from its own first; nil if it is empty or only comments.
// The error is an *[Error], its line one of the file.
func (p Part) Tree() (*yaml.Node, error) {
	d := &document{raw: p.Raw, line: p.Line}
	n, err := d.decode()
	if n == nil || err != nil {
		return nil, err
	}
	return n.Content[0], nil
}

// Copies finds the values of a Secret, plain or in base64, in comments.
type Copies struct{ of *copies }

// NewCopies takes values by their keys.
func NewCopies(values map[string][]byte) Copies {
	items := make([]item, 0, len(values))
	for key, value := range values {
		items = append(items, item{key: key, value: value})
	}
	return Copies{newCopies(items)}
}

// InComment names a key whose value the comment holds, or "".
func (c Copies) InComment(text string) (key string) { return c.of.inComment(text) }
