package seal

import (
	"bytes"
	"slices"
	"strings"
)

// Set seals a value and puts it under a key of a SealedSecret in a file, in
// place of the one that stood there. Every byte but that of the value and of
// the hint [AnnotationKey] stays: comments, order, quoting, line ends, other
// documents. It serves fuin set, and whoever changes single values.
//
// Out was parsed again and compared with the file before it is returned; what
// cannot be changed so is refused.
func (s *Sealer) Set(data []byte, t Target, value []byte) (Result, error) {
	f, err := t.find(data)
	if err != nil {
		return Result{}, err
	}
	sealed, err := f.seal(s, t, value)
	if err != nil {
		return Result{}, err
	}
	changes := []change{{way: encryptedData(t.Key), value: sealed}}
	if hint, changed := f.hintWith(s.Fingerprints()); changed {
		changes = slices.Insert(changes, 0, change{way: hintWay(), value: hint})
	}
	r, err := f.result(data, changes)
	if err != nil {
		return Result{}, err
	}
	if _, ok := f.Templates[t.Key]; ok {
		r.warn(f.line, "key %q is also a template under spec.template.data, which decides what the Secret holds", t.Key)
	}
	if isTemplate(string(value)) {
		r.warn(f.line, "key %q holds {{ … }}; it is sealed as text and never rendered", t.Key)
	}
	if refersToVault(value) {
		r.warn(f.line, "key %q refers to Vault; sealed, it is text that nothing resolves: %s", t.Key, whereReferences)
	}
	return r, r.warnOfCopies(item{key: t.Key, value: value})
}

// Unset removes a key of a SealedSecret in a file, and nothing else: the hint
// [AnnotationKey] stays as it is, also where no value needs it any longer. It
// serves fuin unset; see [Sealer.Set].
func Unset(data []byte, t Target) (Result, error) {
	f, err := t.find(data)
	if err != nil {
		return Result{}, err
	}
	if _, ok := f.Values[t.Key]; !ok {
		return Result{}, f.refuse(f.line, f.keysHint(), "it has no key %.80q", t.Key)
	}
	r, err := f.result(data, []change{{way: encryptedData(t.Key), remove: true}})
	if err != nil {
		return Result{}, err
	}
	if _, ok := f.Templates[t.Key]; ok {
		r.warn(f.line, "a template under spec.template.data still makes key %q", t.Key)
	}
	return r, nil
}

func encryptedData(key string) []string { return []string{"spec", "encryptedData", key} }

func hintWay() []string { return []string{"metadata", "annotations", AnnotationKey} }

// A change is one entry of an object that is set or removed.
type change struct {
	way    []string // the names that lead to it
	value  string
	remove bool
}

// hintWith adds the fingerprints that the annotation lacks.
func (f *found) hintWith(fingerprints []string) (hint string, changed bool) {
	hint = strings.Trim(f.Annotations[AnnotationKey], ", ")
	for _, fingerprint := range fingerprints {
		if !slices.Contains(list(hint), fingerprint) {
			hint, changed = strings.TrimPrefix(hint+","+fingerprint, ","), true
		}
	}
	return hint, changed
}

// result is the file with the changes made.
func (f *found) result(data []byte, changes []change) (Result, error) {
	docs, err := documents(data)
	if err != nil {
		return Result{}, err
	}
	i := slices.IndexFunc(docs, func(d *document) bool { return d.offset == f.offset })
	edited, err := f.edit(docs[i], changes)
	if err != nil {
		return Result{}, docs[i].at(err)
	}
	body := trimMark(data)
	mark := data[:len(data)-len(body)]
	rest := body[f.offset+len(docs[i].raw):]
	r := Result{Out: slices.Concat(mark, body[:f.offset], edited, rest), Objects: []string{f.Namespace + "/" + f.Name}}
	if len(edited) >= LargeObject {
		r.warnOfSize(f.label, len(edited))
	}
	if !f.proven(docs, i, changes, r.Out) {
		return Result{}, f.refuse(f.line, "write it in plain block style, one key a line; nothing was changed",
			"key %.80q: the way it is written cannot be changed safely", last(changes[len(changes)-1].way))
	}
	return r, nil
}

// warnOfCopies looks for plain values in the file that was written.
func (r *Result) warnOfCopies(items ...item) error {
	docs, err := documents(r.Out)
	if err != nil {
		return err
	}
	w := &walk{copies: newCopies(items)}
	for _, d := range docs {
		w.first = d.line
		if !w.warnOfComments(d) && d.root != nil {
			w.warnOfCopies(d, d.raw, 1)
		}
	}
	r.Warnings = append(r.Warnings, w.result.Warnings...)
	return nil
}

// warnOfComments names the first line with a comment that holds a value.
func (w *walk) warnOfComments(d *document) bool {
	line := 0
	for text := range bytes.Lines(d.raw) {
		line++
		at := bytes.IndexByte(text, '#')
		if at < 0 {
			continue
		}
		if key := w.copies.inComment(string(text[at:])); key != "" {
			w.warn(line, "a comment holds the value of key %q in plain; remove it", key)
			return true
		}
	}
	return false
}
