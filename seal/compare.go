package seal

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A State is a SealedSecret as comparing sees it.
type State struct {
	Object
	Line int // in the file, from 1

	fields map[string]string // what is no value, scope or hint, by its path
}

// States reads every SealedSecret of a file. The error wraps [ErrNothing] if
// there is none.
func States(data []byte) ([]State, error) {
	var out []State
	err := each(data, func(d *document, n *yaml.Node) error {
		ob, err := readObject(n)
		s := State{Object: ob, Line: d.line + max(n.Line, 1) - 1, fields: map[string]string{}}
		s.flatten(n, "")
		out = append(out, s)
		return err
	})
	return out, err
}

// told elsewhere, written by a server, or a copy of all the rest.
var noFields = slices.Concat([]string{
	"metadata.name", "metadata.namespace", "spec.encryptedData", "spec.data", "status",
	"metadata.annotations." + AnnotationKey, "metadata.annotations." + AnnotationClusterWide, "metadata.annotations." + AnnotationNamespaceWide,
	"spec.template.metadata.name", "spec.template.metadata.namespace",
	"spec.template.metadata.annotations." + AnnotationClusterWide, "spec.template.metadata.annotations." + AnnotationNamespaceWide,
}, prefixed("metadata.", serverMetadata), prefixed("metadata.annotations.", copiesOfObject))

func prefixed(prefix string, names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, prefix+name)
	}
	return out
}

// flatten notes the leaves. Empty mappings and null are as good as absent.
func (s *State) flatten(n *yaml.Node, path string) {
	switch {
	case slices.Contains(noFields, path) || n.Kind == yaml.ScalarNode && n.Tag == "!!null":
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			s.flatten(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."))
		}
	case n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			s.flatten(item, path+"["+strconv.Itoa(i)+"]")
		}
	default:
		s.fields[path] = n.Tag + " " + n.Value
	}
}

// Change is what became of something.
type Change string

// The changes. A value is rewritten if its ciphertext is another one: whether
// what it says is another, too, no one sees without a key.
const (
	Added     Change = "added"
	Removed   Change = "removed"
	Rewritten Change = "rewritten"
	Changed   Change = "changed"
	Unchanged Change = "unchanged"
	Moved     Change = "moved" // to another file, and else the same
)

// A Difference is how a SealedSecret differs from what it was. It names keys
// and states and holds no value.
type Difference struct {
	Change Change            `json:"change"` // added, removed, changed or moved
	Keys   []KeyDifference   `json:"keys"`   // in the order of their names
	Scope  *ScopeDifference  `json:"scope,omitempty"`
	Hints  *HintDifference   `json:"sealedWith,omitempty"`
	Fields []FieldDifference `json:"fields,omitempty"` // all else, in the order of their paths
}

// A KeyDifference is a sealed value that was added, removed or rewritten.
type KeyDifference struct {
	Key    string     `json:"key"`
	Change Change     `json:"change"`
	Before *ValueInfo `json:"before,omitempty"` // nil also for what is no sealed value
	After  *ValueInfo `json:"after,omitempty"`
	Value  Change     `json:"value,omitempty"` // changed or unchanged, where somebody can tell
}

// A ScopeDifference is another scope.
type ScopeDifference struct {
	Before Scope `json:"before"`
	After  Scope `json:"after"`
}

// A HintDifference is what the hint [AnnotationKey] gained and lost.
type HintDifference struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// A FieldDifference is another change of the manifest. What a field says is
// not told.
type FieldDifference struct {
	Path   string `json:"path"`
	Change Change `json:"change"`
}

// Compare tells how a SealedSecret changed; either may be nil. The result is
// nil if it did not, but for comments, order and layout.
func Compare(before, after *State) *Difference {
	d := &Difference{Change: Changed, Keys: []KeyDifference{}}
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		d.Change, before = Added, &State{Object: Object{Annotations: after.Annotations}}
	case after == nil:
		d.Change, after = Removed, &State{Object: Object{Annotations: before.Annotations}}
	}
	d.compareKeys(before.sealed(), after.sealed())
	if d.Change != Changed {
		return d
	}
	if before.Scope() != after.Scope() {
		d.Scope = &ScopeDifference{before.Scope(), after.Scope()}
	}
	if hints := (HintDifference{without(after.Hints(), before.Hints()), without(before.Hints(), after.Hints())}); len(hints.Added)+len(hints.Removed) > 0 {
		d.Hints = &hints
	}
	d.compareFields(before.fields, after.fields)
	if len(d.Keys)+len(d.Fields) == 0 && d.Scope == nil && d.Hints == nil {
		return nil
	}
	return d
}

// sealed are all values, that of the V1 format, too.
func (s *State) sealed() map[string]string {
	if s.Legacy == nil {
		return s.Values
	}
	out := maps.Clone(s.Values)
	if out == nil {
		out = map[string]string{}
	}
	out[legacyKey] = string(s.Legacy)
	return out
}

func (d *Difference) compareKeys(before, after map[string]string) {
	for _, key := range union(before, after) {
		old, had := before[key]
		now, has := after[key]
		if had && has && old == now {
			continue
		}
		k := KeyDifference{Key: key, Change: changeOf(had, has, Rewritten)}
		if had {
			k.Before = infoOf(old)
		}
		if has {
			k.After = infoOf(now)
		}
		d.Keys = append(d.Keys, k)
	}
}

func (d *Difference) compareFields(before, after map[string]string) {
	for _, path := range union(before, after) {
		old, had := before[path]
		now, has := after[path]
		if !had || !has || old != now {
			d.Fields = append(d.Fields, FieldDifference{path, changeOf(had, has, Changed)})
		}
	}
}

func changeOf(had, has bool, both Change) Change {
	switch {
	case !had:
		return Added
	case !has:
		return Removed
	}
	return both
}

// union is all names of two maps, sorted.
func union(a, b map[string]string) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

func infoOf(sealed string) *ValueInfo {
	info, err := Inspect(sealed)
	if err != nil {
		return nil
	}
	return &info
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(some, one) })
}
