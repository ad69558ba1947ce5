// Package seal makes sealed values of plain ones and opens them again, one by
// one or in whole manifests. It knows two encodings, RSA (the wire format of
// Sealed Secrets) and age, and imports nothing of Kubernetes.
//
// Most users need [NewSealer] with [Sealer.Manifest], and [Opener.Manifest].
// A value sealed for one [Place] opens at no other; docs/formats.md has the
// bytes.
package seal

import (
	"encoding/base64"
	"fmt"
	"slices"

	"fuin.dev/keys"
)

// MaxValue bounds one plain value, in bytes. Kubernetes takes 1 MiB a Secret.
const MaxValue = 1 << 20

// A Sealer seals to a fixed set of recipients. It may be used by several
// goroutines.
type Sealer struct {
	recipients []*keys.Recipient
	memory     Memory // nil remembers nothing
}

// A Memory remembers what was sealed, so that sealing the same again need not
// give other bytes. It may be used by several goroutines, and holds no value in
// plain.
type Memory interface {
	// Keep notes that a value was sealed for a place, to keys of these
	// fingerprints.
	Keep(at Place, to []string, value []byte, sealed string)

	// Recall returns what the very same was sealed to before, if that is still
	// at hand.
	Recall(at Place, to []string, value []byte) (sealed string, ok bool)
}

// Remembering is the sealer with a memory: what it seals is kept, and
// [Sealer.Manifest] leaves values as they were sealed before. Nil is none.
func (s *Sealer) Remembering(m Memory) *Sealer {
	out := *s
	out.memory = m
	return &out
}

// again seals a value, or recalls what it was sealed to before.
func (s *Sealer) again(at Place, value []byte) (string, error) {
	if s.memory != nil {
		if sealed, ok := s.memory.Recall(at, s.Fingerprints(), value); ok && isSealed(sealed) {
			return sealed, nil
		}
	}
	return s.Seal(at, value)
}

// NewSealer checks that the recipients can seal together; the error is a
// *[keys.Error].
func NewSealer(recipients ...*keys.Recipient) (*Sealer, error) {
	if err := keys.Compatible(recipients); err != nil {
		return nil, err
	}
	return &Sealer{recipients: recipients}, nil
}

// Recipients are those that it seals to.
func (s *Sealer) Recipients() []*keys.Recipient { return slices.Clone(s.recipients) }

// Fingerprints names the keys that will open what the sealer seals.
func (s *Sealer) Fingerprints() []string {
	out := make([]string, 0, len(s.recipients))
	for _, r := range s.recipients {
		out = append(out, r.Fingerprint())
	}
	return out
}

// Seal seals a value for a place and returns it in standard base64. The
// recipients decide the encoding.
func (s *Sealer) Seal(at Place, value []byte) (string, error) {
	if err := at.check(); err != nil {
		return "", err
	}
	if len(value) > MaxValue {
		return "", refuse("a Secret holds 1 MiB in all", "%d bytes; a value has at most %d", len(value), MaxValue)
	}
	var sealed []byte
	var err error
	if s.recipients[0].Kind() == keys.RSA {
		sealed, err = sealRSA(s.recipients[0].RSA(), value, at.label())
	} else {
		sealed, err = sealAge(s.recipients, at, value)
	}
	if err != nil {
		return "", fmt.Errorf("sealing for %s: %w", at, err)
	}
	text := base64.StdEncoding.EncodeToString(sealed)
	if s.memory != nil {
		s.memory.Keep(at, s.Fingerprints(), value, text)
	}
	return text, nil
}
