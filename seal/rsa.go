package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
)

// sealRSA makes the wire format of Sealed Secrets, whose pkg/crypto opens it:
// the length of the encrypted session key as a big-endian uint16, that key by
// RSA-OAEP with SHA-256, the value by AES-256-GCM. The session key is used
// once, so the nonce is zero.
func sealRSA(to *rsa.PublicKey, value, label []byte) ([]byte, error) {
	session := make([]byte, 32)
	rand.Read(session)
	encrypted, err := encryptOAEP(to, session, label)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(session)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sealed := binary.BigEndian.AppendUint16(nil, uint16(len(encrypted)))
	sealed = append(sealed, encrypted...)
	return gcm.Seal(sealed, make([]byte, gcm.NonceSize()), value, nil), nil //nolint:gosec // the nonce of the format
}

// encryptOAEP is rsa.EncryptOAEP with SHA-256 in a quarter of its time, which
// sealing many values is made of: crypto/rsa prepares the modulus anew for
// each. math/big takes a time that depends on the message; here that is a
// padded session key of this one call, and whoever could time the call would
// see it once.
func encryptOAEP(to *rsa.PublicKey, message, label []byte) ([]byte, error) {
	size := to.Size()
	if fips140.Enabled() || len(message) > size-2*sha256.Size-2 {
		return rsa.EncryptOAEP(sha256.New(), rand.Reader, to, message, label)
	}
	padded := padOAEP(size, message, label)
	power := new(big.Int).Exp(new(big.Int).SetBytes(padded), big.NewInt(int64(to.E)), to.N)
	return power.FillBytes(padded), nil
}

// padOAEP is EME-OAEP of RFC 8017, section 7.1.1, with SHA-256: a zero, a
// masked seed, and a masked block of the label's hash, zeros, a one and the
// message.
func padOAEP(size int, message, label []byte) []byte {
	padded := make([]byte, size)
	seed, block := padded[1:1+sha256.Size], padded[1+sha256.Size:]
	hash := sha256.Sum256(label)
	copy(block, hash[:])
	block[len(block)-len(message)-1] = 1
	copy(block[len(block)-len(message):], message)
	rand.Read(seed)
	mask(block, seed)
	mask(seed, block)
	return padded
}

// mask adds MGF1 of seed (RFC 8017, appendix B.2.1) to out.
func mask(out, seed []byte) {
	for counter := uint32(0); len(out) > 0; counter++ {
		digest := sha256.Sum256(binary.BigEndian.AppendUint32(seed[:len(seed):len(seed)], counter))
		out = out[subtle.XORBytes(out, out, digest[:]):]
	}
}
