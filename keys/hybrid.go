package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"

	"filippo.io/age"
	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// A hybrid recipient wraps file keys for an ML-KEM-768 and X25519 key in age's
// format (C2SP, age.md, "The mlkem768x25519 recipient stanza": HPKE with X-Wing),
// in half of the time that age's own takes. age opens what it makes, and opening
// computes the encapsulation once more: a wrong one would not open.
type hybrid struct{ public kem.PublicKey }

const (
	hybridPrefix = "age1pq1"
	hybridStanza = "mlkem768x25519"
	hybridInfo   = "age-encryption.org/mlkem768x25519"
	hybridLabel  = "postquantum" // what age asks of recipients that may stand together
)

// newHybrid takes the key from the recipient's text, which age has checked.
func newHybrid(r *age.HybridRecipient) (*hybrid, error) {
	raw, err := keyIn(r.String(), hybridPrefix)
	if err != nil {
		return nil, err
	}
	point, some, shared := x25519.Key{}, x25519.Key{1}, x25519.Key{}
	copy(point[:], raw[max(len(raw)-len(point), 0):]) // behind ML-KEM's half
	if !x25519.Shared(&shared, &some, &point) {       // age would not seal to it, and nobody could open it
		return nil, errNoPoint
	}
	public, err := hpke.KEM_XWING.Scheme().UnmarshalBinaryPublicKey(raw)
	return &hybrid{public}, err
}

var errNoPoint = errors.New("its X25519 half is of low order: every private key agrees on it")

// Wrap implements [age.Recipient].
func (h *hybrid) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	sender, err := hpke.NewSuite(hpke.KEM_XWING, hpke.KDF_HKDF_SHA256, hpke.AEAD_ChaCha20Poly1305).NewSender(h.public, []byte(hybridInfo))
	if err != nil {
		return nil, err
	}
	share, sealer, err := sender.Setup(rand.Reader)
	if err != nil {
		return nil, err
	}
	body, err := sealer.Seal(fileKey, nil)
	return []*age.Stanza{{Type: hybridStanza, Args: []string{base64.RawStdEncoding.EncodeToString(share)}, Body: body}}, err
}

// WrapWithLabels implements [age.RecipientWithLabels]: age refuses hybrid
// recipients beside others.
func (h *hybrid) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	stanzas, err := h.Wrap(fileKey)
	return stanzas, []string{hybridLabel}, err
}
