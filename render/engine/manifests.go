package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"fuin.dev/render/wire"
)

// manifest is a document of a file, as JSON.
type manifest struct {
	json  []byte
	line  int // of its beginning, from 1
	twice int // line of a key that is there twice; 0 if none is
}

// parseManifests parses the documents of a file, those that are empty left
// out, as sigs.k8s.io/yaml does, which kubectl uses. The error is a *fault.
func parseManifests(file string, data []byte) ([]manifest, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, blame(wire.Malformed, file, 0, "is no text in UTF-8").advise("write it in UTF-8, or move it out of the directory")
	}
	if path.Ext(file) == ".json" {
		return parseJSON(file, data)
	}
	var all []manifest
	for _, d := range splitDocuments(data) {
		m, err := d.parse()
		if err != nil {
			return nil, yamlFault(file, d, err)
		}
		if m.json != nil {
			all = append(all, m)
		}
	}
	return all, nil
}

// parseJSON parses JSON values, one behind the other.
func parseJSON(file string, data []byte) ([]manifest, error) {
	var all []manifest
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		at := int(decoder.InputOffset())
		at += len(data[at:]) - len(bytes.TrimLeft(data[at:], " \t\r\n"))
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			line := 0
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
				line = lineAt(data, int(syntax.Offset))
			}
			return nil, blame(wire.Malformed, file, line, "is no JSON")
		}
		if string(raw) != "null" {
			all = append(all, manifest{json: raw, line: lineAt(data, at)})
		}
	}
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
}

// document is a part of a YAML file.
type document struct {
	text []byte
	line int // of its first byte, from 1
}

// splitDocuments splits a file where a line begins with "---", or ends a
// document with "...". Comments and directives stay with what follows.
func splitDocuments(data []byte) []document {
	var docs []document
	start, startLine, marked, content := 0, 1, false, false
	cut := func(end, line int) {
		if content {
			docs = append(docs, document{data[start:end], startLine})
		}
		start, startLine, marked, content = end, line, false, false
	}
	for offset, line := 0, 1; offset < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[offset:], '\n'); i >= 0 {
			end = offset + i + 1
		}
		text := data[offset:end]
		switch {
		case isMarker(text, "..."):
			cut(end, line+1)
		case isMarker(text, "---"):
			if marked || content {
				cut(offset, line)
			}
			marked, content = true, isContent(text[3:])
		default:
			content = content || isContent(text)
		}
		offset = end
	}
	cut(len(data), 0)
	return docs
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// isContent tells a line that is more than a comment or a directive. One that
// is taken for a directive within a document counts when others do not.
func isContent(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) > 0 && line[0] != '#' && line[0] != '%'
}

var errAliases = errors.New("its aliases, written out, are larger than an object may be")

// parse makes a document JSON; nil if it is null.
func (d document) parse() (manifest, error) {
	m := manifest{line: d.line + d.firstLine()}
	if mayExpand(d.text) && expanded(d.text) > wire.MaxObject {
		return m, errAliases
	}
	var err error
	m.json, err = yaml.YAMLToJSONStrict(d.text)
	if line, ok := keyTwice(err); ok {
		m.twice = d.line + line - 1
		m.json, err = yaml.YAMLToJSON(d.text)
	}
	if string(m.json) == "null" {
		m.json = nil
	}
	return m, err
}

// firstLine counts the lines before the first that is content.
func (d document) firstLine() int {
	n := 0
	for line := range bytes.Lines(d.text) {
		if isContent(line) && !isMarker(line, "---") || isMarker(line, "---") && isContent(line[3:]) {
			break
		}
		n++
	}
	return n
}
