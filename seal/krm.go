package seal

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// FunctionConfig reads what a ResourceList says to the KRM function that it is
// for, under data or spec of its functionConfig: names, each with one text or a
// list of them. It is nil if the manifests are no ResourceList.
func FunctionConfig(data []byte) (map[string][]string, error) {
	if !bytes.Contains(data, []byte(resourceList)) {
		return nil, nil
	}
	docs, err := documents(data)
	if err != nil || len(docs) != 1 || !isResourceList(text(get(docs[0].root, "apiVersion")), text(get(docs[0].root, "kind"))) {
		return nil, err
	}
	config := get(docs[0].root, "functionConfig")
	said := map[string][]string{}
	for _, field := range []string{"data", "spec"} {
		m := get(config, field)
		for i := 0; m != nil && m.Kind == yaml.MappingNode && i+1 < len(m.Content); i += 2 {
			words, ok := texts(m.Content[i+1])
			if !ok {
				return nil, refuseAt(m.Content[i+1].Line, "write text, or a list of texts", "functionConfig: %s.%.60s: %s", field, m.Content[i].Value, describe(m.Content[i+1]))
			}
			said[m.Content[i].Value] = slices.Concat(said[m.Content[i].Value], words)
		}
	}
	return said, nil
}

// texts reads a text or a list of them.
func texts(n *yaml.Node) (all []string, ok bool) {
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			one, ok := texts(item)
			if !ok || item.Kind == yaml.SequenceNode {
				return nil, false
			}
			all = append(all, one...)
		}
		return all, true
	}
	return []string{n.Value}, n.Kind == yaml.ScalarNode
}
