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
	if !bytes.Contains(slices.Concat(base, ours, theirs), []byte(kindSealedSecret)) {
		return Merged{}, ErrUnmergeable
	}
	r := &merging{Merge: m}
	sides := [3][]byte{trimMark(base), trimMark(ours), trimMark(theirs)}
	var parts [3][]*part
	for i, data := range sides {
		var err error
		if parts[i], err = documentParts(data); err != nil {
			return Merged{}, err
		}
	}
	if !slices.ContainsFunc(slices.Concat(parts[0], parts[1], parts[2]), (*part).holdsSealedSecrets) || !r.oneFormat(parts) {
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

// ByLines merges by lines alone, as is left for what [Merge.Files] refuses. Where
// that makes of manifests what is none, or a sealed value that neither side had
// there, the whole files are a conflict.
func (m Merge) ByLines(base, ours, theirs []byte) (Merged, error) {
	out, conflict, err := m.Lines(base, ours, theirs)
	switch {
	case err != nil:
		return Merged{}, err
	case conflict:
		return Merged{Out: out, Conflicts: []string{"lines"}}, nil
	case parses(base, ours, theirs) && !provenMerge(base, ours, theirs, out):
		r := &merging{Merge: m, eol: (&document{raw: ours}).eol()}
		return Merged{Out: r.conflict(ours, theirs, []string{"the file, in ways that do not go together"}), Conflicts: r.conflicts}, nil
	}
	return Merged{Out: out}, nil
}

// parses reports whether all sides are manifests.
func parses(sides ...[]byte) bool {
	return !slices.ContainsFunc(sides, func(side []byte) bool {
		_, ok := sealedIn(side)
		return !ok
	})
}

// A part is a document of a file, or an entry of a mapping, with its lines.
type part struct {
	name string // of the entry; what the document is
	lead []byte // blank lines and comments above it; of a document all up to ---
	body []byte
	doc  *document
	at   int // of body in the document

	*spans               // those that follow are of an entry
	key, node *yaml.Node // as they are written; an item of a List has no key
	isItems   bool       // it is the items of a List
}

// object is what a document or an item of a List reads as.
func (p *part) object() *yaml.Node {
	switch {
	case p.isItem():
		return p.node
	case p.doc != nil:
		return p.doc.root
	}
	return nil
}

func (p *part) isItem() bool { return p.node != nil && p.key == nil }

func (p *part) isSealedSecret() bool { return p.is((*walk).wanted) }

func (p *part) isList() bool { return p.is((*walk).isList) }

func (p *part) is(kind func(w *walk, apiVersion, kind string) bool) bool {
	o := p.object()
	return o != nil && kind(&walk{want: kindSealedSecret}, text(get(o, "apiVersion")), text(get(o, "kind")))
}

func (p *part) holdsSealedSecrets() bool {
	return p.doc.root != nil && len(p.doc.sealedSecrets()) > 0
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
			p.name = identity(d.root)
		}
		if names[p.name] {
			return nil, ErrUnmergeable
		}
		names[p.name] = true
		p.cutMarker()
		out = append(out, p)
	}
	return out, nil
}

// identity is what tells an object from others.
func identity(object *yaml.Node) string {
	meta := get(object, "metadata")
	return strings.Join([]string{
		text(get(object, "apiVersion")), text(get(object, "kind")), text(get(meta, "namespace")), text(get(meta, "name")),
	}, " ")
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
	isJSON    bool
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
			if !r.isJSON && !startsDocument(firstContent(merged)) && !hasDirectives(merged) {
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
	case ours.isSealedSecret() && theirs.isSealedSecret():
		r.object = ours.object()
	case ours.isItem() || !ours.isList() || !theirs.isList():
		return r.text(base.body, ours.body, theirs.body, []string{ours.name})
	}
	if ours.isItem() {
		return r.item(base, ours, theirs)
	}
	switch {
	case slices.Equal(way, []string{"metadata", "annotations", AnnotationKey}):
		if out, ok := mergedHint(base, ours, theirs); ok {
			return out, nil
		}
	case len(way) == 3 && way[1] == "encryptedData", slices.Equal(way, []string{"spec", "data"}):
		return r.conflict(ours.body, theirs.body, way), nil
	}
	split, ok := splitAll(base, ours, theirs)
	if !ok {
		return r.text(base.body, ours.body, theirs.body, way)
	}
	return r.layouts(split, way)
}

// splitAll is false for what one of the sides does not write entry by entry.
func splitAll(base, ours, theirs *part) (split [3]*layout, ok bool) {
	for i, p := range []*part{base, ours, theirs} {
		if split[i] = p.split(); split[i] == nil && i > 0 {
			return split, false
		}
	}
	if split[0] == nil {
		split[0] = &layout{}
	}
	return split, true
}

// layouts merges three mappings, or the items of three Lists.
func (r *merging) layouts(m [3]*layout, way []string) ([]byte, error) {
	if r.isJSON {
		return r.braced(m, way)
	}
	head, err := r.text(m[0].head, m[1].head, m[2].head, way)
	if err != nil {
		return nil, err
	}
	entries, err := r.entries(m, way)
	if len(entries) == 0 && len(head) > 0 { // null would do as well, but {} is what was there
		text := bytes.TrimRight(head, "\r\n")
		head = slices.Concat(text, []byte(cmp.Or(m[1].empty, " {}")), head[len(text):])
	}
	return slices.Concat(head, r.stacked(entries)), err
}

// stacked puts merged entries below each other.
func (r *merging) stacked(entries [][]byte) (text []byte) {
	for _, e := range entries {
		text = append(r.ended(text), e...)
	}
	return text
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
	if r.isJSON { // whose commas lines know nothing of
		return r.conflict(ours, theirs, way), nil
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
	return slices.Concat([]byte(r.marker('<', r.OursName)), r.ended(ours), []byte(r.marker('=', "")), r.ended(theirs), []byte(r.marker('>', r.TheirsName)))
}

// marker is a line.
func (r *merging) marker(mark byte, name string) string {
	return strings.TrimRight(strings.Repeat(string(mark), cmp.Or(r.Marker, 7))+" "+name, " ") + r.eol
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
