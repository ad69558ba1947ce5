package engine

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// mayExpand tells a text that can have aliases.
func mayExpand(text []byte) bool {
	return bytes.IndexByte(text, '&') >= 0 && bytes.IndexByte(text, '*') >= 0
}

// expanded is about the size of a document in bytes when its aliases are
// written out; 0 if it is no YAML.
func expanded(text []byte) int {
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil {
		return 0
	}
	return sizes{}.of(&root)
}

// sizes remembers what anchored nodes amount to, so that a document that
// doubles with each alias is counted in the time it takes to read.
type sizes map[*yaml.Node]int

const enough = 1 << 40 // far more than is allowed, and far from overflow

func (s sizes) of(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if size, known := s[n]; known {
		return size
	}
	if n.Anchor != "" {
		s[n] = enough // of an alias within: the parser refuses it
	}
	size := len(n.Value) + 4
	for _, child := range n.Content {
		size = min(size+s.of(child), enough)
	}
	if n.Anchor != "" {
		s[n] = size
	}
	return size
}
