package keys

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// A classic recipient wraps file keys for an X25519 key in age's format (C2SP,
// age.md, "The X25519 recipient stanza"). age's own computes four scalar
// multiplications for that, which is most of the time that sealing takes; two
// are needed.
type classic struct{ public *ecdh.PublicKey }

const (
	classicPrefix   = "age1"
	classicStanza   = "X25519"
	classicHKDFInfo = "age-encryption.org/v1/X25519"
)

// newClassic takes the key from the recipient's text, which age has checked.
func newClassic(r *age.X25519Recipient) (*classic, error) {
	point, err := keyIn(r.String(), classicPrefix)
	if err != nil {
		return nil, err
	}
	public, err := ecdh.X25519().NewPublicKey(point)
	return &classic{public}, err
}

// Wrap implements [age.Recipient].
func (c *classic) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	shared, err := ephemeral.ECDH(c.public)
	if err != nil {
		return nil, err // a public key without a private one
	}
	share := ephemeral.PublicKey().Bytes()
	aead, err := classicAEAD(shared, slices.Concat(share, c.public.Bytes()))
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{
		Type: classicStanza,
		Args: []string{base64.RawStdEncoding.EncodeToString(share)},
		Body: aead.Seal(nil, make([]byte, aead.NonceSize()), fileKey, nil), //nolint:gosec // the key that the nonce belongs to wraps once
	}}, nil
}

func classicAEAD(shared, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, shared, salt, classicHKDFInfo, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.New(key)
}
