package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"filippo.io/age"
	"fuin.dev/keys"
)

// ageMagic begins every value of the age encoding; an RSA one begins with the
// length of its RSA part.
const ageMagic = "age-encryption.org/v1\n"

// minPadded is the smallest padded part, in bytes.
const minPadded = 64

// stanzaSize is about how many bytes a hybrid recipient takes.
const stanzaSize = 1600

// maxStanzas bounds the recipients of one value.
const maxStanzas = 64

// binding is the public part of the first line: all but the value's length.
func (p Place) binding() string {
	switch p.Scope {
	case ClusterWide:
		return "fuin/1 cluster-wide "
	case NamespaceWide:
		return "fuin/1 namespace-wide " + p.Namespace + " "
	}
	return "fuin/1 strict " + p.Namespace + " " + p.Name + " " + p.Key + " "
}

// bind writes the binding line, the value and the padding. The length is
// padded along with the value, since its digits would tell it roughly.
func bind(at Place, value []byte) []byte {
	binding, length := at.binding(), strconv.Itoa(len(value))+"\n"
	out := make([]byte, len(binding)+padded(len(length)+len(value)))
	n := copy(out, binding)
	n += copy(out[n:], length)
	copy(out[n:], value)
	return out
}

// unbind returns the value if it was bound to the place.
func unbind(at Place, plain []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(plain, []byte(at.binding()))
	if !ok {
		return nil, errMoved(at, plain)
	}
	digits, padding, ok := bytes.Cut(rest, []byte("\n"))
	length, err := strconv.Atoi(string(digits))
	if !ok || err != nil || strconv.Itoa(length) != string(digits) || length < 0 || length > len(padding) {
		return nil, refuse("", "its binding line is damaged")
	}
	if len(rest) != padded(len(digits)+1+length) || len(bytes.Trim(padding[length:], "\x00")) > 0 {
		return nil, refuse("", "its padding is damaged")
	}
	return padding[:length:length], nil
}

// errMoved tells where the value belongs. It names only what is formed like
// Kubernetes' names: the line comes from whoever sealed the value.
func errMoved(at Place, plain []byte) error {
	line, _, _ := bytes.Cut(plain[:min(len(plain), 1024)], []byte("\n"))
	f := strings.Split(string(line), " ")
	switch {
	case f[0] != "fuin/1":
		break
	case len(f) == 6 && f[1] == string(Strict) && isName(f[2]) && isName(f[3]) && f[4] == at.Key:
		return refuse("seal it again where it stands", "sealed for %s/%s, and moved", f[2], f[3])
	case len(f) == 6 && f[1] == string(Strict) && isName(f[2]) && isName(f[3]) && IsKey(f[4]):
		return refuse("seal it again where it stands", "sealed for %s/%s key %q, and moved", f[2], f[3], f[4])
	case len(f) == 4 && f[1] == string(NamespaceWide) && isName(f[2]):
		return refuse("seal it again where it stands", "sealed for namespace %s (namespace-wide), and moved", f[2])
	case len(f) == 3 && f[1] == string(ClusterWide):
		return refuse("seal it again with the scope it stands under", "sealed cluster-wide, and stands under another scope")
	}
	return refuse("seal it again with fuin", "it is no value that fuin sealed")
}

// padded is the size to which n bytes are padded: 64, or above that Padmé
// (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
// Communication with PURBs", 2019), which adds at most 12 %.
func padded(n int) int {
	if n <= minPadded {
		return minPadded
	}
	e := bits.Len(uint(n)) - 1
	s := bits.Len(uint(e))
	mask := 1<<(e-s) - 1
	return (n + mask) &^ mask
}

func sealAge(to []*keys.Recipient, at Place, value []byte) ([]byte, error) {
	recipients := make([]age.Recipient, 0, len(to))
	for _, r := range to {
		recipients = append(recipients, r.Age())
	}
	var out bytes.Buffer
	out.Grow(len(to)*stanzaSize + padded(len(value)) + 512)
	w, err := age.Encrypt(&out, recipients...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(bind(at, value)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// openAge tries the identities in order and returns the bound plaintext.
func (o Opener) openAge(sealed []byte) ([]byte, *keys.Identity, error) {
	t := &trial{opener: o}
	plain, err := t.decrypt(sealed, t)
	if err != nil {
		return nil, nil, err
	}
	return plain, t.opened, nil
}

var errAltered = refuse("restore it from Git, or seal it again", "altered or cut short after it was sealed")

// trial is the one identity age sees: it tries all, counts, and remembers
// which opened.
type trial struct {
	opener  Opener
	opened  *keys.Identity
	refused error
}

// decrypt runs age, which sees the trial as the given identity.
func (t *trial) decrypt(sealed []byte, as age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), as)
	switch {
	case t.refused != nil:
		return nil, t.refused
	case t.opened == nil && errors.Is(err, age.ErrIncorrectIdentity):
		return nil, fmt.Errorf("%w: it was sealed for other recipients, or altered since", ErrNoKey)
	case err != nil:
		return nil, errAltered // age's own message describes the header
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, errAltered
	}
	return plain, nil
}

func (t *trial) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if t.refused = bounded(stanzas); t.refused != nil {
		return nil, t.refused
	}
	for _, id := range t.opener.Identities {
		for _, s := range stanzas {
			fileKey, err := t.one(id, s)
			if err != nil {
				return nil, err
			}
			if fileKey != nil {
				t.opened = id
				return fileKey, nil
			}
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func bounded(stanzas []*age.Stanza) error {
	if len(stanzas) > maxStanzas {
		return refuse("", "%d recipients; a value has at most %d", len(stanzas), maxStanzas)
	}
	return nil
}

// one tries an identity on a stanza: one private-key operation, none if the
// stanza is of another type. The file key is nil if it does not open.
func (t *trial) one(id *keys.Identity, s *age.Stanza) (fileKey []byte, err error) {
	if stanzaType[id.Kind()] != s.Type {
		return nil, nil
	}
	if t.refused = t.opener.try(id); t.refused != nil {
		return nil, t.refused
	}
	fileKey, _ = id.Age().Unwrap([]*age.Stanza{s}) // fails if it is of another key, or damaged
	return fileKey, nil
}

// stanzaType is what age calls the stanzas of each kind.
var stanzaType = map[keys.Kind]string{keys.X25519: "X25519", keys.Hybrid: "mlkem768x25519"}
