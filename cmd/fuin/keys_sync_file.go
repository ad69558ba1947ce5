package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"fuin.dev/keys"
)

// A publicFile is what a committed file of public keys holds.
type publicFile struct {
	keys     []listedKey
	former   []keys.Former
	broken   bool   // a comment about a former key does not parse
	comments []byte // of people, line by line
	foreign  bool   // the keys are of another cluster
}

// readPublic reads the keys of a file, of which there are none if it is empty
// or missing. What is no file of public keys is an error: it is not replaced.
func readPublic(ctx context.Context, path string) (publicFile, error) {
	data, err := readFile(ctx, path, keys.MaxFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(data)) == 0 {
		return publicFile{}, nil
	}
	if err != nil {
		return publicFile{}, err
	}
	held := publicFile{comments: commentsOf(data)}
	if held.keys, err = parsePublic(data); err != nil {
		return publicFile{}, nameError(path, err)
	}
	if held.former, err = keys.ParseFormer(data); err != nil {
		held.broken = true
	}
	return held, nil
}

// commentsOf are the lines of a file that are comments of people.
func commentsOf(data []byte) (out []byte) {
	for line := range bytes.Lines(data) {
		text := bytes.TrimSpace(line)
		if bytes.HasPrefix(text, []byte("#")) && !bytes.HasPrefix(text, []byte(keys.FormerMark)) {
			out = append(append(out, text...), '\n')
		}
	}
	return out
}

// publicText is a committed file: what age and PEM tools read, and comments.
func publicText(comments []byte, sealing []listedKey, former []keys.Former) []byte {
	var text bytes.Buffer
	text.Write(comments)
	_ = printKeys(&text, sealing, "public") // to memory
	for _, f := range former {
		text.Write(f.Marshal())
	}
	return text.Bytes()
}

// former are the keys that a cluster seals with no more, newest first, then
// those that only the file knows.
func (p *published) former(held publicFile, now time.Time) []keys.Former {
	if !p.asOf.IsZero() {
		now = p.asOf
	}
	var out []keys.Former
	for i, k := range p.ring {
		if holds(p.sealing, k.Fingerprint) {
			continue
		}
		f := keys.Former{Fingerprint: k.Fingerprint, Kind: k.Kind, Fate: keys.Fate(k.State), Since: now}
		if k.State == keys.Active {
			f.Fate, f.Since = keys.WasReplaced, p.successor(i, now)
		}
		out = append(out, held.since(f))
	}
	gone := keys.WasRemoved
	if p.ring == nil { // which keys it has, an older controller does not tell
		gone = keys.WasReplaced
	}
	for _, f := range held.fallen(gone, now) {
		if !p.tells(f.Fingerprint) && !has(out, f.Fingerprint) {
			out = append(out, f)
		}
	}
	return out
}

// fallen are the keys of a file as they are told of if the cluster has them no
// more. Those of another cluster are not told of.
func (h publicFile) fallen(gone keys.Fate, now time.Time) (out []keys.Former) {
	if h.foreign {
		return nil
	}
	for _, f := range h.former {
		if f.Fate.Opens() && gone == keys.WasRemoved {
			f.Fate, f.Since = gone, now
		}
		out = append(out, f)
	}
	for _, k := range h.keys {
		out = append(out, keys.Former{Fingerprint: k.Fingerprint, Kind: k.Kind, Fate: gone, Since: now})
	}
	return out
}

func has(all []keys.Former, fingerprint string) bool {
	return slices.ContainsFunc(all, func(f keys.Former) bool { return f.Fingerprint == fingerprint })
}

// tells reports whether a cluster lists a key.
func (p *published) tells(fingerprint string) bool {
	return holds(p.sealing, fingerprint) || p.find(fingerprint) != nil
}

// successor is when the key was made that came next in its family: since then
// the one at i seals no more.
func (p *published) successor(i int, now time.Time) time.Time {
	for _, newer := range slices.Backward(p.ring[:i]) {
		if family(newer.Kind) == family(p.ring[i].Kind) && !newer.Created.IsZero() {
			return newer.Created
		}
	}
	return now
}

// since keeps the day on which a file first told of a key's fate.
func (h publicFile) since(f keys.Former) keys.Former {
	for _, known := range h.former {
		if known.Fingerprint == f.Fingerprint && known.Fate == f.Fate {
			return known
		}
	}
	return f
}

// differences are lines for people: keys that a file lacks, those that it holds
// though they no longer seal, with what became of them, and those of which it
// tells something else, or nothing.
func (p *published) differences(held publicFile, former []keys.Former) []string {
	var out []string
	for _, k := range p.sealing {
		if !holds(held.keys, k.Fingerprint) {
			out = append(out, fmt.Sprintf("+ %-7s %s", k.Kind, k.Fingerprint))
		}
	}
	for _, k := range held.keys {
		if !holds(p.sealing, k.Fingerprint) {
			out = append(out, fmt.Sprintf("- %-7s %s %s", k.Kind, k.Fingerprint, p.fate(k.Fingerprint)))
		}
	}
	for _, f := range former {
		if !holds(held.keys, f.Fingerprint) && held.since(keys.Former{Fingerprint: f.Fingerprint, Fate: f.Fate}).Since.IsZero() {
			out = append(out, fmt.Sprintf("~ %-7s %s (%s)", f.Kind, f.Fingerprint, f.Fate))
		}
	}
	for _, f := range held.former {
		if holds(held.keys, f.Fingerprint) && holds(p.sealing, f.Fingerprint) {
			out = append(out, fmt.Sprintf("~ %-7s %s (%s)", f.Kind, f.Fingerprint, keys.Active))
		}
	}
	if held.broken {
		out = append(out, "~ a comment about a former key, which does not parse")
	}
	return out
}

// fate is what became of a key that no longer seals.
func (p *published) fate(fingerprint string) string {
	k := p.find(fingerprint)
	switch {
	case k == nil:
		return "(unknown to the cluster)"
	case k.State == keys.Active:
		return "(replaced by a newer one)"
	}
	return "(" + string(k.State) + ")"
}
