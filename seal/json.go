package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonDocuments parses JSON objects, one behind the other, into the same tree
// as YAML; the order of keys is kept.
func jsonDocuments(data []byte) ([]*document, error) {
	var out []*document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	budget, counted, ended, line := nodeBudget(data), 0, 0, 1
	for {
		start := int(dec.InputOffset())
		start += len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n"))
		line += bytes.Count(data[counted:start], []byte("\n"))
		counted = start
		root, err := jsonNode(dec, &budget, 0)
		if errors.Is(err, io.EOF) && len(out) > 0 {
			end := out[len(out)-1]
			end.raw = append(end.raw, data[ended:]...)
			return out, nil
		}
		var e *Error
		switch {
		case len(out) == maxDocuments:
			return nil, errTooMany(line)
		case errors.As(err, &e):
			return nil, refuseAt(lineOf(data, dec), e.hint, "%s", e.Reason)
		case err != nil:
			return nil, refuseAt(lineOf(data, dec), "", "no JSON")
		case root.Kind != yaml.MappingNode:
			return nil, refuseAt(line, "give Kubernetes manifests", "no object of Kubernetes, but %s", describe(root))
		}
		ended = int(dec.InputOffset())
		out = append(out, &document{raw: slices.Clip(data[start:ended]), offset: start, line: line, root: root, format: JSON})
	}
}

// lineOf is the line that the decoder has come to.
func lineOf(data []byte, dec *json.Decoder) int {
	return 1 + bytes.Count(data[:dec.InputOffset()], []byte("\n"))
}

func jsonNode(dec *json.Decoder, budget *int, depth int) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if *budget--; *budget < 0 || depth > maxDepth {
		return nil, refuse("", "too many or too deeply nested nodes")
	}
	switch v := token.(type) {
	case json.Delim:
		return jsonContainer(dec, v, budget, depth)
	case string:
		return scalar(v), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(v.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

func jsonContainer(dec *json.Decoder, open json.Delim, budget *int, depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if open == '{' {
		n = mapping()
	}
	for dec.More() {
		child, err := jsonNode(dec, budget, depth+1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if n.Kind == yaml.MappingNode {
		return merged(n)
	}
	return n, nil
}

// encodeJSON writes a tree as kubectl does: indented, a line end behind it.
func encodeJSON(n *yaml.Node) ([]byte, error) {
	var compact, out bytes.Buffer
	if err := writeJSON(&compact, n); err != nil {
		return nil, err
	}
	if err := json.Indent(&out, compact.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func writeJSON(out *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		return writeItems(out, n, '{', '}')
	case yaml.SequenceNode:
		return writeItems(out, n, '[', ']')
	}
	if isNumber(n) && json.Valid([]byte(n.Value)) {
		out.WriteString(n.Value) // as Go's float64 it could become another
		return nil
	}
	var v any
	if n.Tag == "!!timestamp" {
		v = n.Value // Kubernetes' dates are text
	} else if err := n.Decode(&v); err != nil {
		return refuseAt(n.Line, "", "%s that JSON cannot hold", describe(n))
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func isNumber(n *yaml.Node) bool {
	return (n.Tag == "!!int" || n.Tag == "!!float") && strings.Trim(n.Value, "0123456789+-.eE") == ""
}

func writeItems(out *bytes.Buffer, n *yaml.Node, open, end byte) error {
	out.WriteByte(open)
	for i, child := range n.Content {
		isKey := n.Kind == yaml.MappingNode && i%2 == 0
		switch {
		case i > 0 && n.Kind == yaml.MappingNode && !isKey:
			out.WriteByte(':')
		case i > 0:
			out.WriteByte(',')
		}
		if isKey {
			child = scalar(child.Value) // JSON's keys are text
		}
		if err := writeJSON(out, child); err != nil {
			return err
		}
	}
	out.WriteByte(end)
	return nil
}
