package controller

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"strconv"

	"fuin.dev/controller/api/bitnami"
)

// macs makes the codes that the status carries. Each purpose has a key of its
// own, derived from the one in the cluster.
type macs struct {
	made, outcome, references, lease []byte
}

// macKeySize is the size in bytes of the key in the cluster.
const macKeySize = 32

func newMACs(master []byte) (m macs, err error) {
	for purpose, key := range map[string]*[]byte{
		"made": &m.made, "outcome": &m.outcome, "references": &m.references, "lease": &m.lease,
	} {
		if *key, err = hkdf.Key(sha256.New, master, nil, "fuin/1 status "+purpose, sha256.Size); err != nil {
			return macs{}, err
		}
	}
	return m, nil
}

// of codes a list of parts for one SealedSecret. Lengths are written before
// the parts, so that no two lists are written alike.
func (m macs) of(key []byte, ss *bitnami.SealedSecret, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, part := range append([]string{ss.Namespace, ss.Name, string(ss.UID)}, parts...) {
		writePart(h, part)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func writePart(h hash.Hash, part string) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(part)))
	h.Write(length[:])
	h.Write([]byte(part))
}

// madeMAC covers what a Record says of the Secret that was made.
func (m macs) madeMAC(ss *bitnami.SealedSecret, r *bitnami.Record) string {
	parts := []string{r.SpecDigest, string(r.SecretUID), string(r.Mode)}
	for _, names := range [][]string{r.Keys, r.Labels, r.Annotations} {
		parts = append(parts, joined(names))
	}
	return m.of(m.made, ss, parts...)
}

// joined writes a list as one part.
func joined(names []string) string {
	h := sha256.New()
	for _, name := range names {
		writePart(h, name)
	}
	return string(h.Sum(nil))
}

// outcomeMAC covers the conditions and what they rest on.
func (m macs) outcomeMAC(ss *bitnami.SealedSecret, conditions []bitnami.Condition, rests ...string) string {
	parts := append([]string{strconv.Itoa(len(rests))}, rests...)
	for _, c := range conditions {
		parts = append(parts, c.Type, string(c.Status), c.Reason, c.Message)
	}
	return m.of(m.outcome, ss, parts...)
}

func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
