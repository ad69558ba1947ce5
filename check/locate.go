package check

import (
	"strings"

	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// Located is an object as a file has it.
type Located struct {
	Line int // of the file, from 1
	// Of a SealedSecret, what its template says; "" if it says nothing.
	TemplateNamespace, TemplateName string
}

// Locate finds an object in a file of manifests; its line is 0 if it is not
// there. An empty namespace fits any.
func Locate(data []byte, kind, namespace, name string) Located {
	for _, part := range seal.Split(data) {
		if !strings.Contains(string(part.Raw), name) {
			continue
		}
		root, err := part.Tree()
		if err != nil || root == nil {
			continue
		}
		if n := locate(root, kind, namespace, name); n != nil {
			template := get(n, "spec", "template", "metadata")
			return Located{part.Line + n.Line - 1, text(get(template, "namespace")), text(get(template, "name"))}
		}
	}
	return Located{}
}

func locate(n *yaml.Node, kind, namespace, name string) *yaml.Node {
	own := text(get(n, "metadata", "namespace"))
	if text(get(n, "kind")) == kind && text(get(n, "metadata", "name")) == name && (namespace == "" || own == "" || own == namespace) {
		return n
	}
	if items := get(n, "items"); items != nil && items.Kind == yaml.SequenceNode {
		for _, item := range items.Content {
			if found := locate(resolved(item), kind, namespace, name); found != nil {
				return found
			}
		}
	}
	return nil
}
