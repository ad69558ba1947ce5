package source

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// Commit is what is told of a commit. Text is what its author wrote, on one
// line, printable and bounded.
type Commit struct {
	Hash    string // SHA-1 in hexadecimal; empty for a local directory
	Author  string // NAME <EMAIL>; nobody vouches for it
	Subject string // the first line of the message
	Time    time.Time
	// Signer is who signed it, if that was demanded and holds: a principal of
	// the allowed signers, or an OpenPGP user ID and fingerprint.
	Signer string
}

// parsed is a commit or an annotated tag: headers, an empty line, a message.
type parsed struct {
	raw     []byte
	headers map[string]string // the first of each
	parents []plumbing.Hash
	message string
}

// The bounds of what commits say.
const (
	maxLine    = 200
	maxParents = 1000
)

var errObject = errors.New("the object is malformed")

func parse(raw []byte) (*parsed, error) {
	head, message, found := bytes.Cut(raw, []byte("\n\n"))
	if !found {
		head, message = bytes.TrimSuffix(raw, []byte("\n")), nil
	}
	p := &parsed{raw: raw, headers: map[string]string{}, message: string(message)}
	last := ""
	for line := range strings.SplitSeq(string(head), "\n") {
		if rest, more := strings.CutPrefix(line, " "); more {
			if last != "" {
				p.headers[last] += "\n" + rest
			}
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		_, again := p.headers[key]
		if last = ""; !again {
			p.headers[key], last = value, key
		} else if single[key] {
			return nil, errObject
		}
		if key == "parent" && len(p.parents) < maxParents {
			p.parents = append(p.parents, plumbing.NewHash(value))
		}
	}
	return p, nil
}

// single are the headers of which there is one: which of two trees would it be
// that was signed?
var single = map[string]bool{
	"tree": true, "author": true, "committer": true, "gpgsig": true, "gpgsig-sha256": true,
	"object": true, "type": true, "tag": true, "tagger": true,
}

// hash reads a header that names an object.
func (p *parsed) hash(key string) (plumbing.Hash, error) {
	if value := p.headers[key]; validCommit(value) {
		return plumbing.NewHash(value), nil
	}
	return plumbing.ZeroHash, errObject
}

func (d *database) commit(h plumbing.Hash) (*parsed, error) {
	raw, err := d.read(h, plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	return parse(raw)
}

func (p *parsed) describe(h plumbing.Hash) Commit {
	subject, _, _ := strings.Cut(strings.TrimLeft(p.message, "\n"), "\n")
	author, when := signature(p.headers["author"])
	return Commit{Hash: h.String(), Author: printable(author), Subject: printable(subject), Time: when}
}

// signature takes NAME <EMAIL> SECONDS ZONE apart.
func signature(s string) (who string, when time.Time) {
	end := strings.LastIndexByte(s, '>')
	if end < 0 {
		return s, time.Time{}
	}
	seconds, _, _ := strings.Cut(strings.TrimSpace(s[end+1:]), " ")
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil && n >= 0 && n < 1<<37 {
		when = time.Unix(n, 0).UTC()
	}
	return s[:end+1], when
}

// printable makes text fit for a status: without control characters, on one
// line, and no longer than maxLine bytes.
func printable(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "�")))
	if len(s) <= maxLine {
		return s
	}
	s = s[:maxLine-len("…")]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// maxPeel is how many tags may stand for tags.
const maxPeel = 8

// peel follows annotated tags to their commit.
func (d *database) peel(h plumbing.Hash) (plumbing.Hash, error) {
	for range maxPeel {
		switch p, ok := d.find(h); {
		case !ok:
			return h, errObject
		case p.kind == plumbing.CommitObject:
			return h, nil
		case p.kind != plumbing.TagObject:
			return h, fail(RefNotFound, "", "the tag stands for no commit")
		}
		tag, err := d.tag(h)
		if err != nil {
			return h, err
		}
		if h, err = tag.hash("object"); err != nil {
			return h, err
		}
	}
	return h, errObject
}

func (d *database) tag(h plumbing.Hash) (*parsed, error) {
	raw, err := d.read(h, plumbing.TagObject)
	if err != nil {
		return nil, err
	}
	return parse(raw)
}

// maxWalk is how many commits are looked at for one that is asked for.
const maxWalk = 200_000

// reaches reports whether a commit is in the history of one of the tips, as
// far as the history is there.
func (d *database) reaches(ctx context.Context, tips []plumbing.Hash, want plumbing.Hash) bool {
	seen := map[plumbing.Hash]bool{}
	queue := tips
	for len(queue) > 0 && len(seen) < maxWalk && ctx.Err() == nil {
		h := queue[0]
		queue = queue[1:]
		if seen[h] {
			continue
		}
		seen[h] = true
		if at, ok := d.find(h); ok && at.kind == plumbing.TagObject {
			h, _ = d.peel(h)
		}
		if h == want {
			return true
		}
		if p, err := d.commit(h); err == nil {
			queue = append(queue, p.parents...)
		}
	}
	return false
}
