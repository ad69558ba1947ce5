package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"fuin.dev/keys"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
)

// An Opener opens values with identities, tried in their order.
type Opener struct {
	Identities []*keys.Identity

	// Try is called before each private-key operation; its error ends the
	// opening. Nil allows all.
	Try func(*keys.Identity) error

	// Search bounds the trials of [Opener.Object], and keeps how far they came
	// for another turn. Nil tries every key on every value.
	Search *Search

	// Render runs the templates of a SealedSecret; nil refuses objects that
	// have some.
	Render Renderer

	// Final tells [Opener.Manifest] and [Opener.Reseal] where the objects of a
	// file stand, to which their values are bound; nil is where the file says.
	Final Final
}

func (o Opener) try(id *keys.Identity) error {
	if o.Try == nil {
		return nil
	}
	return o.Try(id)
}

// Open opens a sealed value, in standard base64, at the place where it stands.
// It returns the value and the identity that opened it. Errors wrap
// [ErrNoKey] or are an *[Error]; they never hold content.
func (o Opener) Open(at Place, sealed string) ([]byte, *keys.Identity, error) {
	raw, err := decode(sealed)
	if err != nil {
		return nil, nil, err
	}
	if bytes.HasPrefix(raw, []byte(ageMagic)) {
		plain, by, err := o.openAge(raw)
		if err != nil {
			return nil, nil, err
		}
		value, err := unbind(at, plain)
		return value, by, err
	}
	return o.openRSA(raw, at.label())
}

// maxSealed bounds one sealed value, in bytes of base64.
const maxSealed = 2 << 20

var strictBase64 = base64.StdEncoding.Strict()

// decode accepts only the one base64 text that stands for the bytes: Go's
// decoder passes over line breaks, even when strict.
func decode(sealed string) ([]byte, error) {
	if len(sealed) > maxSealed {
		return nil, refuse("", "%d bytes; a sealed value has at most %d", len(sealed), maxSealed)
	}
	raw, err := strictBase64.DecodeString(sealed)
	if err != nil || base64.StdEncoding.EncodedLen(len(raw)) != len(sealed) {
		return nil, refuse("give the value in one line, as it was sealed", "not canonical base64")
	}
	if len(raw) == 0 {
		return nil, refuse("", "empty; a sealed value is not")
	}
	return raw, nil
}

// openRSA tries every key whose size fits. OAEP tells no difference between a
// wrong key, a wrong label and a flipped bit.
func (o Opener) openRSA(raw, label []byte) ([]byte, *keys.Identity, error) {
	size, err := rsaSize(raw)
	if err != nil {
		return nil, nil, err
	}
	tried := 0
	for _, id := range o.Identities {
		if id.Kind() != keys.RSA || id.RSA().Size() != size {
			continue
		}
		if err := o.try(id); err != nil {
			return nil, nil, err
		}
		tried++
		one := map[string]*rsa.PrivateKey{"": id.RSA()}
		if value, err := crypto.HybridDecrypt(rand.Reader, one, raw, label); err == nil {
			return value, id, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: of %d RSA keys tried; it was sealed for another cluster, namespace, name or scope, or altered since",
		ErrNoKey, tried)
}

// rsaSize reads the length of the RSA part, in bytes, and checks that a
// session key and a tag can follow.
func rsaSize(raw []byte) (int, error) {
	const tag = 16
	if len(raw) < 2 {
		return 0, errAltered
	}
	size := int(binary.BigEndian.Uint16(raw))
	if size < keys.MinRSABits/8 || len(raw) < 2+size+tag {
		return 0, refuse("restore it from Git, or seal it again", "no sealed value: neither of the RSA nor of the age encoding, or cut short")
	}
	return size, nil
}
