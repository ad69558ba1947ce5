package source

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Mode tells what must be signed.
type Mode string

// The modes, as in the API.
const (
	HEAD       Mode = "HEAD" // the commit
	Tag        Mode = "Tag"  // the annotated tag
	TagAndHEAD Mode = "TagAndHEAD"
)

// Verify demands signatures, each by one of some keys.
type Verify struct {
	Mode Mode // default: HEAD
	// Keys are armored OpenPGP public keys, or files of allowed SSH signers as
	// in ssh-keygen(1), by a name that tells them apart in errors. Keys that are
	// expired or revoked now are refused, whenever they signed.
	Keys map[string][]byte
}

// signed is something signed.
type signed struct {
	what      string // for errors
	payload   []byte
	signature string // armored
	time      time.Time
}

// The armors of signatures.
const (
	beginSSH = "-----BEGIN SSH SIGNATURE-----"
	beginPGP = "-----BEGIN PGP SIGNATURE-----"
	maxSigs  = 64 << 10
)

// verify checks the signatures that are demanded, and returns who signed the
// commit, or the tag if only that is looked at.
func (t *target) verify(db *database, f found, now time.Time) (signer string, err error) {
	v := t.Verify
	if v == nil {
		return "", nil
	}
	trusted, err := parseSigners(v.Keys)
	if err != nil {
		return "", err
	}
	switch v.Mode {
	case HEAD, "":
		return verifyCommit(db, f, trusted, now)
	case Tag:
		return verifyTag(db, f, trusted, now)
	case TagAndHEAD:
		if _, err := verifyTag(db, f, trusted, now); err != nil {
			return "", err
		}
		return verifyCommit(db, f, trusted, now)
	}
	return "", fail(VerificationFailed, "write HEAD, Tag or TagAndHEAD", "%.20q is no mode of verification", v.Mode)
}

func verifyCommit(db *database, f found, trusted *signers, now time.Time) (string, error) {
	h, err := db.peel(f.object)
	if err != nil {
		return "", err
	}
	commit, err := db.commit(h)
	if err != nil {
		return "", err
	}
	_, when := signature(commit.headers["committer"])
	return trusted.check(signed{"commit " + h.String(), commit.unsigned(), commit.headers["gpgsig"], when}, now)
}

// verifyTag checks the tag object that a name leads to. The object must be of
// that name: else an old release, signed as such, could stand in for a new one.
func verifyTag(db *database, f found, trusted *signers, now time.Time) (string, error) {
	if !f.tag {
		return "", fail(VerificationFailed, "name a tag or a semver range in ref, or set mode: HEAD", "no tag was asked for whose signature could be verified")
	}
	if at, ok := db.find(f.object); !ok || at.kind != plumbing.TagObject {
		return "", fail(VerificationFailed, "make it with `git tag -s`", "tag %q is not annotated and so not signed", f.name)
	}
	tag, err := db.tag(f.object)
	if err != nil {
		return "", err
	}
	if tag.headers["tag"] != f.name {
		return "", fail(VerificationFailed, "", "tag %q leads to a tag that was made under another name", f.name)
	}
	_, when := signature(tag.headers["tagger"])
	end := beginsSignature(tag.raw)
	return trusted.check(signed{"tag " + f.name, tag.raw[:end], string(tag.raw[end:]), when}, now)
}

// unsigned is a commit without its signatures: what was signed.
func (p *parsed) unsigned() []byte {
	head, message := p.raw, []byte(nil)
	if i := bytes.Index(p.raw, []byte("\n\n")); i >= 0 {
		head, message = p.raw[:i+1], p.raw[i+1:]
	}
	var out []byte
	dropping := false
	for line := range bytes.Lines(head) {
		if !bytes.HasPrefix(line, []byte(" ")) {
			key, _, _ := bytes.Cut(line, []byte(" "))
			dropping = string(key) == "gpgsig" || string(key) == "gpgsig-sha256"
		}
		if !dropping {
			out = append(out, line...)
		}
	}
	return append(out, message...)
}

// beginsSignature finds the last line that begins a signature; without one, it
// is the end.
func beginsSignature(raw []byte) int {
	at, end := 0, len(raw)
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(line, []byte(beginSSH)) || bytes.HasPrefix(line, []byte(beginPGP)) {
			end = at
		}
		at += len(line)
	}
	return end
}

// signers are those whose signatures are accepted.
type signers struct {
	ssh []allowed
	pgp keyring
}

// maxSigners bounds a file of allowed signers.
const maxSigners = 10_000

func parseSigners(keys map[string][]byte) (*signers, error) {
	s := &signers{}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var err error
		if bytes.Contains(keys[name], []byte("-----BEGIN PGP")) {
			err = s.pgp.add(name, keys[name])
		} else {
			err = s.allow(name, keys[name])
		}
		if err != nil {
			return nil, err
		}
	}
	if len(s.ssh) == 0 && len(s.pgp) == 0 {
		return nil, fail(VerificationFailed, "put armored OpenPGP keys or a file of allowed SSH signers there", "the secret of verify names nobody whose signature counts")
	}
	return s, nil
}

func (s *signers) check(m signed, now time.Time) (string, error) {
	armored := strings.TrimSpace(m.signature)
	switch {
	case armored == "":
		return "", m.fail("sign it with `git commit -S` or `git tag -s`", "is not signed")
	case len(armored) > maxSigs:
		return "", m.fail("", "has a signature that is too long")
	case strings.HasPrefix(armored, beginSSH):
		return s.checkSSH(m, armored, now)
	case strings.HasPrefix(armored, beginPGP):
		return s.pgp.check(m, armored, now)
	}
	return "", m.fail("sign it with an SSH or OpenPGP key", "has a signature of a kind that is not supported")
}

func (m signed) fail(hint, what string) *Error {
	return fail(VerificationFailed, hint, "%s %s", m.what, what)
}
