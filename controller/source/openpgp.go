package source

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// keyring holds OpenPGP keys.
type keyring openpgp.EntityList

const (
	beginKey  = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	endKey    = "-----END PGP PUBLIC KEY BLOCK-----"
	privately = "-----BEGIN PGP PRIVATE KEY"
)

// add reads all armored keys of a file.
func (k *keyring) add(name string, data []byte) (err error) {
	defer func() { // the library is not made for hostile keys
		if recover() != nil {
			err = fail(VerificationFailed, "", "OpenPGP key %.80q cannot be read", name)
		}
	}()
	text := string(data)
	if strings.Contains(text, privately) {
		return fail(VerificationFailed, "put the public key there: gpg --armor --export", "OpenPGP key %.80q is a private key", name)
	}
	for {
		begin := strings.Index(text, beginKey)
		if begin < 0 {
			return nil
		}
		block, rest, ended := strings.Cut(text[begin:], endKey)
		if !ended {
			return fail(VerificationFailed, "export it again: gpg --armor --export", "OpenPGP key %.80q has no end", name)
		}
		text = rest
		entities, err := openpgp.ReadArmoredKeyRing(strings.NewReader(block + endKey + "\n"))
		if err != nil {
			return fail(VerificationFailed, "export it again: gpg --armor --export", "OpenPGP key %.80q cannot be read", name).because(err)
		}
		if *k = append(*k, entities...); len(*k) > maxSigners {
			return fail(VerificationFailed, "", "there are more than %d OpenPGP keys", maxSigners)
		}
	}
}

// check returns the user ID and fingerprint of the key that signed.
func (k keyring) check(m signed, armored string, now time.Time) (signer string, err error) {
	defer func() {
		if recover() != nil {
			signer, err = "", m.fail("", "has an OpenPGP signature that cannot be read")
		}
	}()
	block, err := armor.Decode(strings.NewReader(armored))
	if err != nil || block.Type != openpgp.SignatureType {
		return "", m.fail("", "has an OpenPGP signature that cannot be read").because(err)
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	sig, entity, err := openpgp.VerifyDetachedSignature(openpgp.EntityList(k), bytes.NewReader(m.payload), block.Body, config)
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "", m.fail("add the key to the secret of verify if its owner may sign", "is signed by an OpenPGP key that is not in the secret")
	case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrSignatureExpired):
		return "", m.fail("sign it again, and put the prolonged or new key into the secret", "is signed by an OpenPGP key that has expired")
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "", m.fail("sign it again with another key", "is signed by an OpenPGP key that was revoked")
	case err != nil || entity == nil:
		return "", m.fail("", "was changed after it was signed, or its OpenPGP signature cannot be read").because(err)
	case sig.Hash != crypto.SHA256 && sig.Hash != crypto.SHA384 && sig.Hash != crypto.SHA512:
		return "", m.fail("sign it again with a newer GnuPG", "is signed by a method that is not safe")
	}
	return nameOf(entity), nil
}

func nameOf(e *openpgp.Entity) string {
	name := "unknown"
	if id := e.PrimaryIdentity(); id != nil {
		name = printable(id.Name)
	}
	return name + " (OpenPGP " + strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint)) + ")"
}
