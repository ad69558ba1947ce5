package main

import (
	"encoding/json"
	"io"

	"go.yaml.in/yaml/v3"
)

// encode writes data for programs, in yaml or json, with the same names.
func encode(w io.Writer, format string, v any) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var tree yaml.Node // which keeps the order of the fields
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return err
	}
	block(&tree)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&tree); err != nil {
		return err
	}
	return enc.Close()
}

// block undoes JSON's style: YAML's own is braces only where it must be.
func block(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!str" {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.SetString(n.Value)
	}
	for _, child := range n.Content {
		block(child)
	}
}
