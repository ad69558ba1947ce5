package main

import (
	"slices"

	"fuin.dev/seal"

	"go.yaml.in/yaml/v3"
)

// secretsIn are the names of the Secrets in a text of manifests.
func secretsIn(text []byte) []string {
	var out []string
	for _, n := range treesOf(text) {
		if valueAt(n, "kind") == kindSecret {
			out = append(out, valueAt(n, "metadata", "name"))
		}
	}
	return out
}

func treesOf(text []byte) []*yaml.Node {
	var out []*yaml.Node
	for _, part := range seal.Split(text) {
		if n, err := part.Tree(); err == nil && n != nil {
			out = append(out, n)
		}
	}
	return out
}

func nodeAt(n *yaml.Node, way ...string) *yaml.Node {
	for _, name := range way {
		var value *yaml.Node
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				value = n.Content[i+1]
			}
		}
		n = value
	}
	return n
}

func valueAt(n *yaml.Node, way ...string) string {
	if n = nodeAt(n, way...); n == nil {
		return ""
	}
	return n.Value
}

// removesKeys reports whether a patch takes away what a Secret has: by null, or
// by a directive.
func removesKeys(text []byte) bool {
	for _, n := range treesOf(text) {
		if valueAt(n, "kind") != kindSecret {
			continue
		}
		if nodeAt(n, "$patch") != nil || nodeAt(n, "metadata", "$patch") != nil {
			return true
		}
		for _, field := range []string{"data", "stringData"} {
			m := nodeAt(n, field)
			if m != nil && (m.Tag == "!!null" || nodeAt(m, "$patch") != nil || slices.ContainsFunc(m.Content, func(v *yaml.Node) bool { return v.Tag == "!!null" })) {
				return true
			}
		}
	}
	return false
}
