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

	"fuin.dev/keys"
)

// MaxValue bounds one plain value, in bytes. Kubernetes takes 1 MiB a Secret.
const MaxValue = 1 << 20

// A Sealer seals to a fixed set of recipients. It may be used by several
// goroutines.
type Sealer struct {
	recipients []*keys.Recipient
}

// NewSealer checks that the recipients can seal together; the error is a
// *[keys.Error].
func NewSealer(recipients ...*keys.Recipient) (*Sealer, error) {
	if err := keys.Compatible(recipients); err != nil {
		return nil, err
	}
	return &Sealer{recipients: recipients}, nil
}

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
	return base64.StdEncoding.EncodeToString(sealed), nil
}
