package seal

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrUnmergeable is returned for files that cannot be merged entry by entry:
// they do not parse, hold no SealedSecret, or are written in another way than
// one entry a line.
var ErrUnmergeable = errors.New("not to be merged entry by entry")

// A Merge merges two versions of a file of manifests that had a version in
// common. SealedSecrets are merged entry by entry: what only one side changed
// is taken from it, with comments and layout, and only entries that both
// changed, each in its way, are a conflict.
type Merge struct {
	// Lines merges text of other kinds: other objects, and what is no mapping.
	// It reports whether conflicts are left, between markers.
	Lines func(base, ours, theirs []byte) (merged []byte, conflict bool, err error)

	Marker               int    // width of a conflict marker; 0 means 7
	OursName, TheirsName string // behind the markers
}

// Merged is the outcome.
type Merged struct {
	Out       []byte
	Conflicts []string // NAMESPACE/NAME key KEY, or what else it is
}

// Files merges. What comes out without conflict parses, and each sealed value
// in it is that of the side which changed it.
func (m Merge) Files(base, ours, theirs []byte) (Merged, error) {
	r := &merging{Merge: m}
	sides := [3][]byte{trimMark(base), trimMark(ours), trimMark(theirs)}
	var parts [3][]*part
	for i, data := range sides {
		var err error
		if parts[i], err = documentParts(data); err != nil {
			return Merged{}, err
		}
	}
	if !slices.ContainsFunc(slices.Concat(parts[0], parts[1], parts[2]), (*part).isSealedSecret) {
		return Merged{}, ErrUnmergeable
	}
	r.eol = (&document{raw: ours}).eol()
	out, err := r.documents(parts)
	if err != nil {
		return Merged{}, err
	}
	out = append(bytes.Clone(ours[:len(ours)-len(sides[1])]), out...)
	if len(r.conflicts) == 0 && !provenMerge(base, ours, theirs, out) {
		return Merged{}, ErrUnmergeable
	}
	return Merged{Out: out, Conflicts: r.conflicts}, nil
}

// A part is a document of a file, or an entry of a mapping, with its lines.
type part struct {
	name string // of the entry; what the document is
	lead []byte // blank lines and comments above it; of a document all up to ---
	body []byte
	doc  *document
	at   int // of body in the document

	*spans               // those that follow are of an entry
	key, node *yaml.Node // as they are written
}

func (p *part) isSealedSecret() bool {
	return p.doc != nil && p.doc.root != nil && (&walk{want: kindSealedSecret}).wanted(text(get(p.doc.root, "apiVersion")), text(get(p.doc.root, "kind")))
}

// whole is the part with what stands above it.
func (p *part) whole() []byte {
	if p == nil {
		return nil
	}
	return slices.Concat(p.lead, p.body)
}

// documentParts splits a file of YAML; each document has another name.
func documentParts(data []byte) ([]*part, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, errors.Join(ErrUnmergeable, err)
	}
	var out []*part
	names := map[string]bool{}
	for _, d := range docs {
		if d.root == nil && len(bytes.TrimSpace(d.raw)) == 0 && len(docs) == 1 {
			continue // an empty file
		}
		p := &part{doc: d, body: d.raw, name: "comments"}
		if d.root != nil {
			meta := get(d.root, "metadata")
			p.name = strings.Join([]string{
				text(get(d.root, "apiVersion")), text(get(d.root, "kind")), text(get(meta, "namespace")), text(get(meta, "name")),
			}, " ")
		}
		if d.format == JSON || names[p.name] {
			return nil, ErrUnmergeable
		}
		names[p.name] = true
		p.cutMarker()
		out = append(out, p)
	}
	return out, nil
}

// cutMarker moves directives, comments and the line --- before a document to
// its lead.
func (p *part) cutMarker() {
	at := 0
	for line := range bytes.Lines(p.doc.raw) {
		at += len(line)
		if startsDocument(line) {
			if isComments(line[len("---"):]) { // else content stands behind it
				p.lead, p.body, p.at = p.doc.raw[:at], p.doc.raw[at:], at
			}
			return
		}
		if line[0] != '#' && line[0] != '%' && len(bytes.TrimSpace(line)) > 0 {
			return
		}
	}
}

// merging is a merge under way.
type merging struct {
	Merge
	eol       string
	object    *yaml.Node // that is merged now
	conflicts []string
}

// documents merges the documents of the three sides by what they are: in our
// order, what is new on their side behind what it stands behind there.
func (r *merging) documents(sides [3][]*part) ([]byte, error) {
	var byName [3]map[string]*part
	for i, parts := range sides {
		byName[i] = map[string]*part{}
		for _, p := range parts {
			byName[i][p.name] = p
		}
	}
	var out []byte
	for _, name := range order(names(sides[1]), names(sides[2])) {
		r.object = nil
		merged, err := r.part(byName[0][name], byName[1][name], byName[2][name], nil)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 && len(merged) > 0 {
			out = r.ended(out)
			if !startsDocument(firstContent(merged)) && !hasDirectives(merged) {
				out = append(out, "---"+r.eol...)
			}
		}
		out = append(out, merged...)
	}
	return out, nil
}

func names(parts []*part) []string {
	out := make([]string, 0, len(parts))
	for _, p := range parts {
		out = append(out, p.name)
	}
	return out
}

// firstContent is text from its first line that is no comment.
func firstContent(text []byte) []byte {
	for line := range bytes.Lines(text) {
		if line[0] != '#' && len(bytes.TrimSpace(line)) > 0 && !bytes.HasPrefix(line, []byte("<<<<")) {
			return text
		}
		text = text[len(line):]
	}
	return text
}

// order is ours, with what is new on their side behind what it stands behind
// there.
func order(ours, theirs []string) []string {
	out := slices.Clone(ours)
	behind := 0
	for _, name := range theirs {
		if i := slices.Index(out, name); i >= 0 {
			behind = i + 1
			continue
		}
		out = slices.Insert(out, behind, name)
		behind++
	}
	return out
}

// part merges one part, of which sides may be nil.
func (r *merging) part(base, ours, theirs *part, way []string) ([]byte, error) {
	switch {
	case ours == nil && theirs == nil:
		return nil, nil
	case ours == nil || theirs == nil:
		one := cmp.Or(ours, theirs)
		switch {
		case base == nil:
			return one.whole(), nil
		case bytes.Equal(base.body, one.body):
			return nil, nil // removed there
		}
		return r.conflict(ours.whole(), theirs.whole(), append(way, one.name)), nil
	case base == nil:
		base = &part{}
	}
	lead, err := r.text(base.lead, ours.lead, theirs.lead, way)
	if err != nil {
		return nil, err
	}
	body, err := r.body(base, ours, theirs, way)
	return slices.Concat(lead, body), err
}

// body merges what both sides have.
func (r *merging) body(base, ours, theirs *part, way []string) ([]byte, error) {
	if out, ok := settled(base.body, ours.body, theirs.body); ok {
		return out, nil
	}
	switch {
	case ours.key != nil:
		way = append(slices.Clip(way), ours.name)
	case !ours.isSealedSecret() || !theirs.isSealedSecret():
		return r.text(base.body, ours.body, theirs.body, []string{ours.name})
	default:
		r.object = ours.doc.root
	}
	switch {
	case slices.Equal(way, []string{"metadata", "annotations", AnnotationKey}):
		if out, ok := mergedHint(base, ours, theirs); ok {
			return out, nil
		}
	case len(way) == 3 && way[1] == "encryptedData", slices.Equal(way, []string{"spec", "data"}):
		return r.conflict(ours.body, theirs.body, way), nil
	}
	var split [3]*layout
	for i, p := range []*part{base, ours, theirs} {
		if split[i] = p.split(); split[i] == nil && i > 0 {
			return r.text(base.body, ours.body, theirs.body, way)
		}
	}
	if split[0] == nil {
		split[0] = &layout{}
	}
	return r.layouts(split, way)
}

// layouts merges three mappings.
func (r *merging) layouts(m [3]*layout, way []string) ([]byte, error) {
	head, err := r.text(m[0].head, m[1].head, m[2].head, way)
	if err != nil {
		return nil, err
	}
	entries, err := r.entries(m, way)
	if len(entries) == 0 && len(head) > 0 { // null would do as well, but {} is what was there
		text := bytes.TrimRight(head, "\r\n")
		head = slices.Concat(text, []byte(" {}"), head[len(text):])
	}
	return slices.Concat(head, entries), err
}

// settled is the outcome where one side changed nothing, or both the same.
func settled(base, ours, theirs []byte) ([]byte, bool) {
	switch {
	case bytes.Equal(ours, theirs), bytes.Equal(base, theirs):
		return ours, true
	case bytes.Equal(base, ours):
		return theirs, true
	}
	return nil, false
}

// text merges comments and what else is merged by lines.
func (r *merging) text(base, ours, theirs []byte, way []string) ([]byte, error) {
	if out, ok := settled(base, ours, theirs); ok {
		return out, nil
	}
	out, conflict, err := r.Lines(base, ours, theirs)
	if conflict {
		r.note(way)
	}
	return out, err
}

// conflict writes both sides between markers.
func (r *merging) conflict(ours, theirs []byte, way []string) []byte {
	r.note(way)
	width := cmp.Or(r.Marker, 7)
	var out []byte
	line := func(mark, name string) {
		out = append(out, strings.TrimRight(strings.Repeat(mark, width)+" "+name, " ")+r.eol...)
	}
	line("<", r.OursName)
	out = append(out, r.ended(ours)...)
	line("=", "")
	out = append(out, r.ended(theirs)...)
	line(">", r.TheirsName)
	return out
}

// ended is text with a line end.
func (r *merging) ended(text []byte) []byte {
	if len(text) == 0 || text[len(text)-1] == '\n' {
		return text
	}
	return append(bytes.Clone(text), r.eol...)
}

func (r *merging) note(way []string) {
	where := strings.Join(way, ".")
	if len(way) == 3 && way[1] == "encryptedData" {
		where = "key " + quoted(way[2])
	}
	if r.object != nil {
		meta := get(r.object, "metadata")
		where = strings.TrimPrefix(text(get(meta, "namespace"))+"/"+text(get(meta, "name")), "/") + " " + where
	}
	r.conflicts = append(r.conflicts, where)
}
