package keys

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"filippo.io/age"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
)

// An Identity is the private half of a key: what opens. It is immutable and
// may be used by several goroutines.
type Identity struct {
	recipient *Recipient
	created   time.Time
	state     State
	age       age.Identity
	text      string // of the age kinds: AGE-SECRET-KEY-…
	private   *rsa.PrivateKey
}

// Recipient is the public half.
func (i *Identity) Recipient() *Recipient { return i.recipient }

// Kind tells which encoding the identity opens.
func (i *Identity) Kind() Kind { return i.recipient.kind }

// Fingerprint names the key; see [Recipient.Fingerprint].
func (i *Identity) Fingerprint() string { return i.recipient.fingerprint }

// Created is when the key was made, by its certificate, its file or its
// Secret; zero if nothing tells.
func (i *Identity) Created() time.Time { return i.created }

// State is what the cluster that keeps the key does with it; a key from a
// file is active.
func (i *Identity) State() State { return i.state }

// RSA is the private key of an RSA identity, else nil.
func (i *Identity) RSA() *rsa.PrivateKey { return i.private }

// Age is the identity for age.Decrypt, nil for RSA.
func (i *Identity) Age() age.Identity { return i.age }

// String is the fingerprint, so that no fmt verb prints the private key.
func (i *Identity) String() string { return i.Fingerprint() }

// GoString is the fingerprint, so that no fmt verb prints the private key.
func (i *Identity) GoString() string { return i.Fingerprint() }

// Marshal prints the private key as [ParseIdentities] reads it: an age
// identity file with comments, or PEM with the certificate behind the key.
func (i *Identity) Marshal() []byte {
	if i.Kind().Age() {
		return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n",
			i.created.UTC().Format(time.RFC3339), i.recipient.text, i.text)
	}
	return append(i.rsaPEM(), i.recipient.Marshal()...)
}

func (i *Identity) rsaPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(i.private)})
}

// Generate makes a new key of the kind. An RSA key has 4096 bits and a
// self-signed certificate as Sealed Secrets makes it, with common name cn and
// valid for validFor; age takes neither.
func Generate(kind Kind, now time.Time, validFor time.Duration, cn string) (*Identity, error) {
	if kind == RSA {
		return GenerateRSA(4096, now, validFor, cn)
	}
	text, err := generateAge(kind)
	if err != nil {
		return nil, err
	}
	return ageIdentity(text, now)
}

// GenerateRSA makes an RSA key of the given size in bits; see [Generate].
func GenerateRSA(bits int, now time.Time, validFor time.Duration, cn string) (*Identity, error) {
	if bits < MinRSABits {
		return nil, found("", "an RSA key of %d bits; at least %d are needed", bits, MinRSABits)
	}
	private, cert, err := crypto.GeneratePrivateKeyAndCert(bits, validFor, cn)
	if err != nil {
		return nil, fmt.Errorf("generating an RSA key: %w", err)
	}
	id, err := rsaIdentity(private, cert)
	if err != nil {
		return nil, err
	}
	id.created = now
	return id, nil
}

func generateAge(kind Kind) (string, error) {
	switch kind {
	case Hybrid:
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return "", fmt.Errorf("generating an age identity: %w", err)
		}
		return id.String(), nil
	case X25519:
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return "", fmt.Errorf("generating an age identity: %w", err)
		}
		return id.String(), nil
	}
	return "", found("use hybrid, x25519 or rsa", "%q is no kind of key", kind)
}

func ageIdentity(text string, created time.Time) (*Identity, error) {
	parsed, err := age.ParseIdentities(bytes.NewReader([]byte(text)))
	if err != nil || len(parsed) != 1 {
		// age's own message can quote the line, which is a private key.
		return nil, found("compare it with the file it was copied from", "a damaged age identity")
	}
	id := &Identity{age: parsed[0], text: text, created: created, state: Active}
	switch p := parsed[0].(type) {
	case *age.HybridIdentity:
		if id.recipient, err = hybridRecipient(p.Recipient()); err != nil {
			return nil, err
		}
	case *age.X25519Identity:
		if id.recipient, err = classicRecipient(p.Recipient()); err != nil {
			return nil, err
		}
	default:
		return nil, found("", "an age identity of an unknown kind")
	}
	return id, nil
}

func rsaIdentity(private *rsa.PrivateKey, cert *x509.Certificate) (*Identity, error) {
	recipient, err := rsaRecipient(&private.PublicKey, cert)
	if err != nil {
		return nil, err
	}
	id := &Identity{recipient: recipient, private: private, state: Active}
	if cert != nil {
		id.created = cert.NotBefore
	}
	return id, nil
}
