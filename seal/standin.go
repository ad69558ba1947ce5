package seal

import (
	"bytes"
	"crypto/rand"
	"strings"

	"go.yaml.in/yaml/v3"
)

// minStandIn is the length from which base64 gets a stand-in. Words that YAML
// takes for something else, as true, are shorter.
const minStandIn = 256

// standIns are scalars of long base64 in a tree whose text is put in after the
// tree was encoded. The encoder goes over a scalar several times, character by
// character, to find out how it must be quoted; base64 never is.
type standIns struct {
	nodes []*yaml.Node // in the order in which they are written
	texts []string
}

// encodeWithStandIns calls encode with one word in place of all long base64.
// The word is random, so that no file can be made to hold it.
func encodeWithStandIns(root *yaml.Node, encode func() ([]byte, error)) ([]byte, error) {
	var s standIns
	s.add(root)
	word := "S" + rand.Text()
	for _, n := range s.nodes {
		n.Value = word
	}
	out, err := encode()
	for i, n := range s.nodes {
		n.Value = s.texts[i]
	}
	if err != nil {
		return nil, err
	}
	parts := bytes.Split(out, []byte(word))
	if len(parts) != len(s.nodes)+1 { // the word stood elsewhere, too
		return encode()
	}
	return s.between(parts), nil
}

func (s *standIns) add(n *yaml.Node) {
	for i, child := range n.Content {
		isKey := n.Kind == yaml.MappingNode && i%2 == 0 // a long key is written in another way
		if !isKey && isLongBase64(child) {
			s.nodes, s.texts = append(s.nodes, child), append(s.texts, child.Value)
		}
		s.add(child)
	}
}

// isLongBase64 takes only what begins with a letter: digits may be a number.
func isLongBase64(n *yaml.Node) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Style == 0 && len(n.Value) >= minStandIn &&
		strings.IndexByte(letters, n.Value[0]) >= 0 && strings.Trim(n.Value, letters+digits+"+/=") == ""
}

// between puts the texts between the parts.
func (s *standIns) between(parts [][]byte) []byte {
	size := len(parts[0])
	for i, text := range s.texts {
		size += len(text) + len(parts[i+1])
	}
	out := append(make([]byte, 0, size), parts[0]...)
	for i, text := range s.texts {
		out = append(append(out, text...), parts[i+1]...)
	}
	return out
}
