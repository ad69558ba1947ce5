package keys

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"fuin.dev/lazy"
)

// A Former is a key that a cluster seals with no more, as a committed file of
// public keys tells of it: in a comment, which age and PEM tools pass over.
type Former struct {
	Fingerprint string
	Kind        Kind
	Fate        Fate
	Since       time.Time // a day, as far as whoever wrote the file could know
}

// Fate is what became of a key that no longer seals.
type Fate string

// A replaced key is active, and a newer one seals. A removed one is not in the
// cluster any more.
const (
	WasReplaced Fate = "replaced"
	WasRetired  Fate = Fate(Retired)
	WasRevoked  Fate = Fate(Revoked)
	WasRemoved  Fate = "removed"
)

// Opens reports whether the cluster opens what the key sealed.
func (f Fate) Opens() bool { return f == WasReplaced || f == WasRetired }

// maxFormer bounds those of one file. A ring that is renewed monthly needs
// twelve a year.
const maxFormer = 4096

// FormerMark is how the comments about former keys begin.
const FormerMark = "# former key:"

// former matches a line of [Former.Marshal].
var former = lazy.Regexp(`^# former key: (SHA256:[A-Za-z0-9+/]{43}) (rsa|hybrid|x25519) (replaced|retired|revoked|removed) since (\d{4}-\d\d-\d\d)$`)

// Marshal is the comment, a line, that [ParseFormer] reads.
func (f Former) Marshal() []byte {
	return fmt.Appendf(nil, "%s %s %s %s since %s\n", FormerMark, f.Fingerprint, f.Kind, f.Fate, f.Since.UTC().Format(time.DateOnly))
}

// String says what became of the key: "retired since 2026-03-01".
func (f Former) String() string {
	return string(f.Fate) + " since " + f.Since.UTC().Format(time.DateOnly)
}

// ParseFormer reads the former keys of a file of public keys; most have none.
// A line that begins as one and is none is an error, of type *[Error], beside
// which the others are returned: it would otherwise pass for a comment.
func ParseFormer(data []byte) (out []Former, err error) {
	if len(data) > MaxFile {
		return nil, found("", "%d bytes; a file of public keys is small", len(data))
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		if !strings.HasPrefix(text, FormerMark) {
			continue
		}
		if len(out) == maxFormer {
			return out, found("", "more than %d former keys", maxFormer)
		}
		f, ok := parseFormer(text)
		switch {
		case ok:
			out = append(out, f)
		case err == nil:
			err = found("fuin keys sync writes it again", "line %d tells of a former key, and not in the form that is known", number)
		}
	}
	return out, err
}

func parseFormer(line string) (Former, bool) {
	m := former().FindStringSubmatch(line)
	if m == nil {
		return Former{}, false
	}
	since, err := time.Parse(time.DateOnly, m[4])
	return Former{m[1], Kind(m[2]), Fate(m[3]), since}, err == nil
}

// refuseFormer stops sealing with a key that the same file gives up.
func refuseFormer(data []byte, rs []*Recipient) error {
	all, err := ParseFormer(data)
	if err != nil {
		return err
	}
	for _, f := range all {
		for _, r := range rs {
			if r.fingerprint == f.Fingerprint {
				return found("fuin keys sync decides which it is", "%s %s is a key to seal with, and %s", r.kind, r.fingerprint, f)
			}
		}
	}
	return nil
}
