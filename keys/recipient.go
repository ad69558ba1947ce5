package keys

import (
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
)

// A Recipient is the public half of a key: what seals. It is immutable.
type Recipient struct {
	kind        Kind
	fingerprint string
	age         age.Recipient     // of the age kinds
	text        string            // of the age kinds: age1…
	public      *rsa.PublicKey    // of RSA
	cert        *x509.Certificate // of RSA; nil for a private key that came without one
}

// Kind tells which encoding the recipient makes.
func (r *Recipient) Kind() Kind { return r.kind }

// Fingerprint names the key: for RSA as Sealed Secrets and ssh-keygen print
// it, for age "SHA256:" and the unpadded base64 of the SHA-256 of the
// recipient string.
func (r *Recipient) Fingerprint() string { return r.fingerprint }

// RSA is the public key of an RSA recipient, else nil.
func (r *Recipient) RSA() *rsa.PublicKey { return r.public }

// Age is the recipient for age.Encrypt, nil for RSA.
func (r *Recipient) Age() age.Recipient { return r.age }

// Certificate is the certificate of an RSA recipient. It is nil for age, and
// for an RSA private key that was read without one.
func (r *Recipient) Certificate() *x509.Certificate { return r.cert }

// Expires is the end of the certificate; zero where there is none.
func (r *Recipient) Expires() time.Time {
	if r.cert == nil {
		return time.Time{}
	}
	return r.cert.NotAfter
}

// Marshal prints the recipient as [ParseRecipients] reads it: one line, or a
// PEM certificate. It is empty for an RSA key without a certificate.
func (r *Recipient) Marshal() []byte {
	switch {
	case r.kind.Age():
		return []byte(r.text + "\n")
	case r.cert == nil:
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.cert.Raw})
}

// String is the recipient string of an age key and the fingerprint of an RSA key.
func (r *Recipient) String() string {
	if r.kind.Age() {
		return r.text
	}
	return r.fingerprint
}

func ageRecipient(kind Kind, r age.Recipient, text string) *Recipient {
	sum := sha256.Sum256([]byte(text))
	return &Recipient{
		kind: kind, age: r, text: text,
		fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]),
	}
}

func classicRecipient(r *age.X25519Recipient) (*Recipient, error) {
	c, err := newClassic(r)
	if err != nil {
		return nil, damagedRecipient()
	}
	return ageRecipient(X25519, c, r.String()), nil
}

// hybridRecipient leaves all to Go's library, and to its refusals, in FIPS mode.
func hybridRecipient(r *age.HybridRecipient) (*Recipient, error) {
	if fips140.Enabled() {
		return ageRecipient(Hybrid, r, r.String()), nil
	}
	h, err := newHybrid(r)
	if err != nil {
		return nil, damagedRecipient()
	}
	return ageRecipient(Hybrid, h, r.String()), nil
}

// bech32Digits are the digits of age's key strings, BIP 173, and bech32Checksum
// how many at the end are no part of the key.
var bech32Digits = base32.NewEncoding("qpzry9x8gf2tvdw0s3jn54khce6mua7l").WithPadding(base32.NoPadding)

const bech32Checksum = 6

// keyIn is the key in a recipient string that age has checked.
func keyIn(text, prefix string) ([]byte, error) {
	digits := strings.TrimPrefix(text, prefix)
	return bech32Digits.DecodeString(digits[:len(digits)-bech32Checksum])
}

func rsaRecipient(public *rsa.PublicKey, cert *x509.Certificate) (*Recipient, error) {
	if bits := public.N.BitLen(); bits < MinRSABits {
		return nil, found("generate a larger one: fuin keys generate --type rsa",
			"an RSA key of %d bits; at least %d are needed", bits, MinRSABits)
	}
	if public.E < 3 || public.E%2 == 0 || public.N.Bit(0) == 0 {
		return nil, found("", "an RSA key whose numbers encrypt nothing")
	}
	fingerprint, err := crypto.PublicKeyFingerprint(public)
	if err != nil {
		return nil, err
	}
	return &Recipient{kind: RSA, public: public, cert: cert, fingerprint: fingerprint}, nil
}

// Compatible reports whether one value can be sealed to all of rs: all hybrid,
// or all classic, or a single certificate. age refuses other mixtures, since
// the weakest recipient decides how long a sealed value stays secret.
func Compatible(rs []*Recipient) error {
	if len(rs) == 0 {
		return found("", "no recipient to seal to")
	}
	first := rs[0].kind
	for _, r := range rs[1:] {
		switch {
		case first == RSA && r.kind == RSA:
			return found("seal to age recipients to reach several clusters", "two certificates; a value is sealed to one")
		case first == RSA || r.kind == RSA:
			return found("name either the certificate or the age recipients", "a certificate mixed with an age recipient")
		case r.kind != first:
			return found("use hybrid (age1pq1…) or classic (age1…) recipients, not both",
				"a hybrid recipient mixed with a classic one")
		}
	}
	return nil
}
