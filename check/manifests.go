package check

import (
	"bytes"
	"strings"

	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// manifests checks a file of YAML or JSON, document by document.
func (f *file) manifests(before []byte) {
	f.patterns()
	parts := seal.Split(f.data)
	old := map[string]bool{}
	if before != nil {
		for _, part := range seal.Split(before) {
			old[strings.TrimSpace(string(part.Raw))] = true
		}
	}
	for _, part := range parts {
		if old[strings.TrimSpace(string(part.Raw))] {
			last := part.Line + bytes.Count(bytes.TrimSuffix(part.Raw, []byte("\n")), []byte("\n"))
			f.unchanged = append(f.unchanged, [2]int{part.Line, last})
			continue
		}
		if len(f.found) > 0 || mayHold(part.Raw) {
			f.document(part)
		}
	}
}

// document checks one document by its structure, or by its lines if it has
// none that YAML knows, as most templates.
func (f *file) document(part seal.Part) {
	root, err := part.Tree()
	switch {
	case err != nil:
		f.template(part)
		return
	case root == nil:
		f.comments(part, nil)
		return
	}
	d := &document{file: f, part: part, budget: max(1<<16, len(part.Raw)/2)}
	d.root(root)
	if d.budget < 0 {
		f.template(part) // aliases that grow without end: its lines are bounded
	}
	f.comments(part, d)
	d.nameKeys()
}

// document is one document of a file that YAML can read.
type document struct {
	file   *file
	part   seal.Part
	budget int // of nodes that are visited, aliases written out
	texts  []span
	blocks [][2]int // lines of scalars in which # begins no comment
	values map[string][]byte
	sealed map[int]bool // lines with sealed values
	depth  int
}

// A span is a scalar, and where it stands.
type span struct {
	first, last int // lines of the file
	object, key string
	within      []int
}

// at is where a walk has come to.
type at struct {
	object string
	rule   string // of what is in plain here
	key    string
	name   string // of the field above, for lists
	within []int  // lines that enclose it
	embedded
}

// embedded is text of a value that is a document itself.
type embedded struct {
	offset int // added to lines
	fixed  int // line of all that is found; 0 if lines can be told
	indent int // added to columns
}

func (a at) line(n *yaml.Node) int {
	if a.fixed > 0 {
		return a.fixed
	}
	return n.Line + a.offset
}

func (a at) column(n *yaml.Node) int {
	if a.fixed > 0 {
		return a.indent
	}
	return n.Column + a.indent
}

// below goes to an entry of a mapping.
func (a at) below(key *yaml.Node) at {
	a.key, a.name = key.Value, key.Value
	a.within = append(a.within[:len(a.within):len(a.within)], a.line(key))
	return a
}

func (d *document) found(a at, n *yaml.Node, f Finding) {
	f.Line, f.Column = a.line(n), a.column(n)
	if f.Object == "" {
		f.Object = a.object
	}
	if f.Key == "" {
		f.Key = a.key
	}
	f.within = a.within
	f.last = max(f.last, d.end(a, n))
	d.file.add(f)
}

// plain reports a value that can be read.
func (d *document) plain(a at, key string, n *yaml.Node) {
	a.key = key
	d.found(a, n, Finding{Rule: a.rule, Message: plainly(key)})
}

// end is the line where a scalar ends, as well as can be told.
func (d *document) end(a at, n *yaml.Node) int {
	first := a.line(n)
	if n.Kind != yaml.ScalarNode || a.fixed > 0 {
		return first
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, " ") {
		return first
	}
	return first + strings.Count(strings.TrimRight(n.Value, "\n"), "\n") + blockHeader(n)
}

func blockHeader(n *yaml.Node) int {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 1
	}
	return 0
}

// root begins the walk of a document.
func (d *document) root(n *yaml.Node) {
	a := at{rule: d.file.ruleOfFile(), embedded: embedded{offset: d.part.Line - 1}}
	d.values, d.sealed = map[string][]byte{}, map[int]bool{}
	d.node(a, n)
}

// ruleOfFile is for documents that are no objects of Kubernetes.
func (f *file) ruleOfFile() string {
	name := strings.ToLower(f.name[strings.LastIndexByte(f.name, '/')+1:])
	switch {
	case strings.HasSuffix(name, ".tfvars.json") || strings.HasSuffix(name, ".tf.json"):
		return Terraform
	case strings.Contains(name, "values"):
		return HelmValues
	}
	return PlaintextField
}

// nameKeys gives findings by form the object and key that they stand in.
func (d *document) nameKeys() {
	for i, found := range d.file.found {
		if found.Object != "" || found.Key != "" {
			continue
		}
		for _, s := range d.texts {
			if found.Line >= s.first && found.Line <= s.last {
				d.file.found[i].Object, d.file.found[i].Key, d.file.found[i].within = s.object, s.key, s.within
			}
		}
	}
}

// get walks down mappings; nil if the path leads nowhere.
func get(m *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		_, m = entry(m, key)
	}
	return m
}

func entry(m *yaml.Node, key string) (k, v *yaml.Node) {
	if m = resolved(m); m == nil || m.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i], resolved(m.Content[i+1])
		}
	}
	return nil, nil
}

// resolved is what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}
