package seal

import "go.yaml.in/yaml/v3"

// maxDepth bounds the nesting of a document.
const maxDepth = 100

// plain copies a tree with aliases and merge keys written out, so that the
// rest of the package meets neither. It refuses duplicate keys, and trees
// that grow beyond the budget of nodes.
func plain(n *yaml.Node, budget *int, depth int) (*yaml.Node, error) {
	if n.Kind == yaml.AliasNode {
		target := *n.Alias
		target.HeadComment, target.LineComment, target.FootComment = n.HeadComment, n.LineComment, n.FootComment
		n = &target
	}
	if *budget--; *budget < 0 || depth > maxDepth {
		return nil, refuseAt(n.Line, "", "too many or too deeply nested nodes")
	}
	out := *n
	out.Anchor, out.Content = "", make([]*yaml.Node, 0, len(n.Content))
	for _, child := range n.Content {
		c, err := plain(child, budget, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, c)
	}
	if n.Kind != yaml.MappingNode {
		return &out, nil
	}
	return merged(&out)
}

// merged resolves "<<" keys: what the mapping says itself wins.
func merged(m *yaml.Node) (*yaml.Node, error) {
	own := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		if key.Kind != yaml.ScalarNode {
			if key.Kind == yaml.MappingNode { // {{ .x }} reads as a mapping in a mapping
				return nil, refuseAt(key.Line, templateHint, "a Helm or Go template, or a mapping where a key belongs")
			}
			return nil, refuseAt(key.Line, "", "%s where a key belongs", describe(key))
		}
		if own[key.Value] && key.Tag != "!!merge" {
			return nil, refuseAt(key.Line, "keep one", "key %.80q stands twice", key.Value)
		}
		own[key.Value] = true
	}
	content := make([]*yaml.Node, 0, len(m.Content))
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if key.Tag != "!!merge" {
			content = append(content, key, value)
			continue
		}
		sources := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			sources = value.Content
		}
		for _, source := range sources {
			for j := 0; j+1 < len(source.Content); j += 2 {
				if name := source.Content[j].Value; !own[name] {
					own[name] = true
					content = append(content, source.Content[j], source.Content[j+1])
				}
			}
		}
	}
	m.Content = content
	return m, nil
}

// entry finds a key of a mapping and its value; both nil if it has none.
func entry(m *yaml.Node, key string) (k, v *yaml.Node) {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

// get walks down mappings; nil if the path leads nowhere.
func get(m *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		_, m = entry(m, key)
	}
	return m
}

// text is a scalar's text, empty for anything else.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// stringMap reads a mapping of names to text, as annotations are.
func stringMap(n *yaml.Node) map[string]string {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	out := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[n.Content[i].Value] = text(n.Content[i+1])
	}
	return out
}

// set puts an entry at the end of a mapping.
func set(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, scalar(key), value)
}

// move copies an entry with its comments, if the source has it.
func move(to, from *yaml.Node, key string) {
	if k, v := entry(from, key); k != nil {
		to.Content = append(to.Content, k, v)
	}
}

// replace adds an entry with the comments of the source's, if it has one.
func replace(to, from *yaml.Node, key string, value *yaml.Node) {
	name := scalar(key)
	if k, v := entry(from, key); k != nil {
		name = withComments(name, k)
		value = withComments(value, v)
	}
	to.Content = append(to.Content, name, value)
}

// withComments gives n the comments of another node, and its line for warnings.
func withComments(n, of *yaml.Node) *yaml.Node {
	n.HeadComment, n.LineComment, n.FootComment, n.Line = of.HeadComment, of.LineComment, of.FootComment, of.Line
	return n
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

// scalar is a node of text, which the encoder quotes where it needs to.
func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}
