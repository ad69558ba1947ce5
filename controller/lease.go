package controller

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/vault"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Values with a lease are read once for each lease. While it lives, they stay
// what the Secret has: the status tells until when, under a code that covers
// them, so that neither a restart nor an edit of another key costs a lease.

// minLease is how soon, at most, leases are fetched anew: a Vault that gives none
// worth having is not to be asked without end.
const minLease = 2 * time.Second

// newLease is that of values which were read just now: all are fetched anew
// between half and two thirds of the way to the end of the first.
func newLease(written []string, now, ends time.Time) *bitnami.Lease {
	life := max(ends.Sub(now), 0)
	after := max(minLease, time.Duration(float64(life)*(0.5+rand.Float64()/6)))
	return &bitnami.Lease{
		References: written,
		Ends:       metav1.NewTime(ends.Truncate(time.Second)), Renew: metav1.NewTime(now.Add(after).Truncate(time.Second)),
	}
}

// leaseOf is the lease of what stands in the Secret, if it lives and is not to
// be fetched anew yet; else nil. Its own code proves it, whatever else of a
// record is lost.
func (o pass) leaseOf(ss *bitnami.SealedSecret, secret *corev1.Secret, refs references) *bitnami.Lease {
	for _, r := range o.records(ss) {
		l := r.Lease
		if l == nil || secret == nil || !time.Now().Before(l.Renew.Time) {
			continue
		}
		if code, ok := o.leaseMAC(ss, l, refs, secret.Data); ok && same(l.MAC, code) {
			return l
		}
	}
	return nil
}

// records are what this process and the status know.
func (o pass) records(ss *bitnami.SealedSecret) (all []*bitnami.Record) {
	if m, ok := o.done.get(client.ObjectKeyFromObject(ss)); ok && m.uid == ss.UID {
		all = append(all, m.record)
	}
	if ss.Status.Fuin != nil {
		all = append(all, ss.Status.Fuin)
	}
	return all
}

// leaseMAC covers a lease and what it was made of and into: the values of its
// keys and their templates, and all of the spec where a template takes more than
// references from it. It is not ok if a key has no value.
func (o pass) leaseMAC(ss *bitnami.SealedSecret, l *bitnami.Lease, refs references, data map[string][]byte) (code string, ok bool) {
	parts := []string{ss.Annotations[v1alpha1.AnnotationVaultConnection], joined(l.References), l.Ends.UTC().Format(time.RFC3339), l.Renew.UTC().Format(time.RFC3339)}
	keys := refs.keysOf(l.References)
	for _, key := range keys {
		value, there := data[key]
		if !there {
			return "", false
		}
		text := ss.Spec.Template.Data[key]
		parts = append(parts, key, string(value), text)
		if strings.Contains(text, "{{") {
			parts = append(parts, specDigest(ss))
		}
	}
	return o.keyring.macs.of(o.keyring.macs.lease, ss, parts...), len(keys) > 0
}

// mixes tells whether a key with a leased reference holds another one, too.
func (r references) mixes(l *bitnami.Lease) bool {
	var others []string
	for _, one := range r.without(l.References) {
		others = append(others, one.String())
	}
	beside := r.keysOf(others)
	return slices.ContainsFunc(r.keysOf(l.References), func(key string) bool {
		_, found := slices.BinarySearch(beside, key)
		return found
	})
}

// leased lists the values of an answer that end.
func leased(of map[string]vault.Value) (written []string) {
	for one, value := range of {
		if value.Leased {
			written = append(written, one)
		}
	}
	slices.Sort(written)
	return written
}

// announceLease records a lease before the Secret is written that has its
// values: a controller that is killed in between finds the record, and if it has
// written the Secret fetches nothing twice.
func (o pass) announceLease(ctx context.Context, p plan) *failure {
	ss, v := p.ss, p.values
	if v == nil || !v.leased {
		return nil
	}
	v.lease.MAC, _ = o.leaseMAC(ss, v.lease, v.references, p.data)
	status := *ss.Status.DeepCopy()
	switch known := o.known(ss); {
	case known != nil:
		status.Fuin = known.DeepCopy()
	case status.Fuin == nil:
		status.Fuin = &bitnami.Record{}
	}
	status.Fuin.Lease = v.lease
	if err := o.writeStatus(ctx, ss, status); err != nil {
		return transient("status", "recording a lease in its status", err)
	}
	return nil
}

// leased tells whether the Secret holds values with a lease.
func (out outcome) leased() bool { return out.record != nil && out.record.Lease != nil }
