package controller

import (
	"slices"
	"strconv"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// settled reports whether the status proves that nothing is to be done: what
// the last opening saw and made is what stands there now.
func (o pass) settled(ss *bitnami.SealedSecret, secret *corev1.Secret) bool {
	if secret == nil {
		// What left on purpose stays away, also where the CRD drops the record.
		if known := o.known(ss); known != nil && staysAway(known.Mode) && known.SpecDigest == specDigest(ss) {
			return true
		}
	}
	r, conditions := ss.Status.Fuin, ss.Status.Conditions
	switch {
	case r == nil:
		return false
	case !isTrue(conditions, bitnami.Ready):
		// Which of the two failures it was, only the MAC tells.
		return same(r.MAC, o.failedMAC(ss, conditions, nil)) || same(r.MAC, o.failedMAC(ss, conditions, targetOf(ss, secret)))
	case secret == nil:
		return false
	}
	return same(r.MAC, o.openedMAC(ss, r, conditions, secret))
}

// staysAway tells the modes whose Secret is not made again once it is deleted.
func staysAway(m bitnami.Mode) bool { return m == bitnami.Unowned || m == bitnami.Patched }

// memo is the record of an opening by this process: it stands where the status
// could not be written, or the CRD drops it.
type memo struct {
	uid    types.UID
	record *bitnami.Record
}

// known is the record of the last opening, if it is the controller's own; else
// nil.
func (o pass) known(ss *bitnami.SealedSecret) *bitnami.Record {
	if m, ok := o.done.get(client.ObjectKeyFromObject(ss)); ok && m.uid == ss.UID {
		return m.record
	}
	r := ss.Status.Fuin
	if r == nil || r.MadeMAC == "" || !same(r.MadeMAC, o.keyring.macs.madeMAC(ss, r)) {
		return nil
	}
	return r
}

// openedMAC covers an opening: the spec, the keys and what they are worth now,
// and what stands in the Secret.
func (o pass) openedMAC(ss *bitnami.SealedSecret, r *bitnami.Record, conditions []bitnami.Condition, s *corev1.Secret) string {
	rests := []string{"opened", specDigest(ss), string(s.UID), string(r.Mode), contentDigest(s, ss, r.Labels, r.Annotations)}
	for _, fingerprint := range r.Keys {
		rests = append(rests, fingerprint, string(o.stateOf(fingerprint)))
	}
	if r.ReferencesMAC != "" { // records of objects without references are older than it
		rests = append(rests, r.ReferencesMAC)
	}
	return o.keyring.macs.outcomeMAC(ss, conditions, rests...)
}

// stateOf is a key's state, for openings: whether it may open, not whether
// it seals.
func (o pass) stateOf(fingerprint string) keys.State {
	id := o.ring.Find(fingerprint)
	switch {
	case id == nil:
		return "gone"
	case id.State() == keys.Revoked:
		return keys.Revoked
	}
	return keys.Active
}

// failedMAC covers a failure: the spec, the ring and the controller that
// failed, and the Secret in the way if it was one.
func (o pass) failedMAC(ss *bitnami.SealedSecret, conditions []bitnami.Condition, target []string) string {
	rests := append([]string{
		"failed", specDigest(ss), o.ring.Digest(), o.cfg.Version, strconv.FormatBool(o.cfg.RejectLegacy),
	}, target...)
	return o.keyring.macs.outcomeMAC(ss, conditions, rests...)
}

// targetOf is what of a Secret in the way a failure rests on.
func targetOf(ss *bitnami.SealedSecret, s *corev1.Secret) []string {
	if s == nil {
		return []string{"absent"}
	}
	return []string{"present", string(s.UID), contentDigest(s, ss, nil, []string{annotationManaged, annotationPatch})}
}

func conditionOf(conditions []bitnami.Condition, kind string) *bitnami.Condition {
	i := slices.IndexFunc(conditions, func(c bitnami.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &conditions[i]
}

func isTrue(conditions []bitnami.Condition, kind string) bool {
	c := conditionOf(conditions, kind)
	return c != nil && c.Status == corev1.ConditionTrue
}
