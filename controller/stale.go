package controller

import (
	"errors"
	"strings"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/vault"
	corev1 "k8s.io/api/core/v1"
)

// References that cannot be read take nothing away: the last good Secret
// stays, and condition Stale tells since when it is, and why.

// unreadable is why references were not read. Another try is made whatever the
// reason: policies, secrets and connections change without a word.
func unreadable(f vault.Failure) *failure {
	return &failure{
		reason: f.Reason, kind: kindReferences, message: bounded(f.Message), hint: remedies[f.Reason],
		again: errUnread, refers: true, connection: f.Connection,
	}
}

// remedies tell what somebody can do, where it is not Vault alone that has to get well.
var remedies = map[string]string{
	vault.NoConnection:   "kubectl get vaultconnections lists those that an administrator made; see docs/vault.md",
	vault.AccountMissing: "deploy/tenant makes the account",
	vault.LoginFailed:    "role, audience and mount are those of the VaultConnection",
	vault.Denied:         "fuin vault policy prints the policy that it needs",
	vault.AbsentValue:    "write it, or add ?optional=true to leave the key out",
}

// kindReferences is what metrics call failures of references.
const kindReferences = "references"

// errUnread marks what another reading of references may mend.
var errUnread = errors.New("references are to be read again")

// unread is the outcome where the references could not be read.
func (o pass) unread(ss *bitnami.SealedSecret, secret *corev1.Secret, known reading) outcome {
	o.readings.tell(ss)
	out := outcome{secret: secret, refers: true, stale: known.failed, lastRead: o.lastRead(ss, known)}
	if o.settled(ss, secret) && isTrue(ss.Status.Conditions, bitnami.Ready) {
		if out.record = o.known(ss); out.record == nil {
			out.record = ss.Status.Fuin
		}
		out.record = out.record.DeepCopy()
		return out
	}
	never := *known.failed
	never.message = "reading its references: " + never.message
	out.failure = &never
	return out
}

// lastRead says when the references were last read. What a status said of that
// before a restart still holds.
func (o pass) lastRead(ss *bitnami.SealedSecret, known reading) string {
	if !known.last.IsZero() {
		return "last read " + known.last.UTC().Format(time.RFC3339)
	}
	if c := conditionOf(ss.Status.Conditions, bitnami.Stale); c != nil && c.Status == corev1.ConditionTrue {
		if said, _, ok := strings.Cut(c.Message, ": "); ok {
			return said
		}
	}
	return "not read since " + o.readings.began.UTC().Format(time.RFC3339)
}

// staleCondition is the condition of an object with references.
func staleCondition(out outcome) bitnami.Condition {
	if out.stale == nil {
		return bitnami.Condition{Type: bitnami.Stale, Status: corev1.ConditionFalse, Reason: "Read", Message: "its references were read when they were due"}
	}
	return bitnami.Condition{
		Type: bitnami.Stale, Status: corev1.ConditionTrue, Reason: out.stale.reason, Message: bounded(out.lastRead + ": " + out.stale.advice()),
	}
}
