package seal

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// proven reads an edited file again: every other document must have kept its
// bytes, and the edited one must read as the old one with exactly the changes.
// It changes the old tree.
func (f *found) proven(old []*document, edited int, changes []change, out []byte) bool {
	docs, err := documents(out)
	if err != nil || len(docs) != len(old) {
		return false
	}
	for i := range docs {
		if i != edited && !bytes.Equal(docs[i].raw, old[i].raw) {
			return false
		}
	}
	object := f.object(old[edited].root)
	for _, c := range changes {
		c.apply(object)
	}
	return same(old[edited].root, docs[edited].root)
}

// object walks from the root of the document.
func (f *found) object(root *yaml.Node) *yaml.Node {
	for _, i := range f.items {
		root = get(root, "items").Content[i]
	}
	return root
}

// apply makes the change in a tree.
func (c change) apply(m *yaml.Node) {
	for i, name := range c.way {
		_, v := entry(m, name)
		switch {
		case i == len(c.way)-1 && c.remove:
			at := slices.Index(m.Content, v)
			m.Content = slices.Delete(m.Content, at-1, at+1)
		case i == len(c.way)-1 && v == nil:
			set(m, name, scalar(c.value))
		case i == len(c.way)-1:
			*v = *scalar(c.value)
		case v == nil:
			v = mapping()
			set(m, name, v)
		case v.Kind == yaml.ScalarNode:
			*v = *mapping()
		}
		m = v
	}
}

// same compares what two trees say, however it is written.
func same(a, b *yaml.Node) bool {
	return a != nil && b != nil && a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value &&
		slices.EqualFunc(a.Content, b.Content, same)
}
