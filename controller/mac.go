package controller

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/parts"
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

// of codes a list for one SealedSecret.
func (m macs) of(key []byte, ss *bitnami.SealedSecret, list ...string) string {
	h := hmac.New(sha256.New, key)
	parts.Write(h, ss.Namespace, ss.Name, string(ss.UID))
	parts.Write(h, list...)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// madeMAC covers what a Record says of the Secret that was made.
func (m macs) madeMAC(ss *bitnami.SealedSecret, r *bitnami.Record) string {
	list := []string{r.SpecDigest, string(r.SecretUID), string(r.Mode)}
	for _, names := range [][]string{r.Keys, r.Labels, r.Annotations} {
		list = append(list, joined(names))
	}
	return m.of(m.made, ss, list...)
}

// joined writes a list as one part.
func joined(names []string) string {
	h := sha256.New()
	parts.Write(h, names...)
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
