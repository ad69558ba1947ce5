package controller

import (
	"context"
	"errors"
	"slices"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/vault"
	"fuin.dev/render/reference"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// A SealedSecret with references is opened as any other once their values are
// there. They are read beside the queue: a worker never waits for a Vault. At
// the interval they are read again, and if they are what they were, that is all.

// resolver reads references; see vault.Resolver.
type resolver func(context.Context, vault.Request) (vault.Answer, error)

// never is when nothing is read again until something changes.
const never = 10000 * time.Hour

// refresh brings a SealedSecret with references to its Secret, as far as that
// goes without waiting.
func (o pass) refresh(ctx context.Context, ss *bitnami.SealedSecret, secret *corev1.Secret, refs references) (reconcile.Result, error) {
	known := o.readings.get(ss)
	settled := o.settled(ss, secret)
	switch {
	case known.result != nil:
		return o.conclude(ctx, ss, o.renew(ctx, ss, secret, refs, known.result))
	case settled && !isTrue(ss.Status.Conditions, bitnami.Ready):
		o.readings.used(ss, time.Now().Add(never), nil) // no value of Vault's is to blame
		return o.confirm(ctx, ss, secret)
	case known.done != nil:
		return reconcile.Result{}, nil // comes again with the answer
	case known.failed != nil && time.Now().Before(known.due):
		o.comeBack(client.ObjectKeyFromObject(ss))
		return o.conclude(ctx, ss, o.unread(ss, secret, known))
	case settled && time.Now().Before(known.due):
		o.comeBack(client.ObjectKeyFromObject(ss))
		return o.confirm(ctx, ss, secret)
	}
	o.read(ss, secret, refs)
	return reconcile.Result{}, nil
}

// reread reads the references of an object at rest again. It is done if that is all
// there is to do: no call of the API server is made where nothing changed.
func (o pass) reread(m *metav1.PartialObjectMetadata) (done bool) {
	ss, known, ok := o.readings.resting(m)
	if !ok {
		return false
	}
	refs := references{all: known.rest.refs}
	switch {
	case known.result == nil:
		o.readings.read(ss, func(ctx context.Context) (*result, *failure) { return o.ask(ctx, ss, refs.all) })
		return true
	case len(leased(known.result.of)) > 0 || !same(known.rest.mac, o.referencesMAC(ss, refs, known.result.of)):
		return false
	}
	o.readings.used(ss, known.result.next, known.rest)
	o.comeBack(client.ObjectKeyFromObject(m))
	return true
}

// refreshNow is refresh for who waits for the outcome, or for what is read.
func (o pass) refreshNow(ctx context.Context, ss *bitnami.SealedSecret, secret *corev1.Secret, refs references) (f *failure, reading <-chan struct{}) {
	known := o.readings.get(ss)
	settled := o.settled(ss, secret)
	switch early := time.Now().Before(known.due); {
	case known.result != nil:
		return o.concludeNow(ctx, ss, o.renew(ctx, ss, secret, refs, known.result)), nil
	case settled && !isTrue(ss.Status.Conditions, bitnami.Ready):
		return settledFailure(ss), nil
	case known.failed != nil && known.done == nil && early: // the queue will try again
		return o.concludeNow(ctx, ss, o.unread(ss, secret, known)), nil
	case settled && known.done == nil && early:
		return nil, nil
	}
	return nil, o.read(ss, secret, refs)
}

// read has the references read, but for those with a lease that lives.
func (o pass) read(ss *bitnami.SealedSecret, secret *corev1.Secret, refs references) <-chan struct{} {
	lease := o.leaseOf(ss, secret, refs)
	before := ""
	if r := o.known(ss); r != nil {
		before = r.ReferencesMAC
	}
	return o.readings.read(ss, func(ctx context.Context) (*result, *failure) {
		if lease == nil {
			return o.ask(ctx, ss, refs.all)
		}
		res, failed := o.ask(ctx, ss, refs.without(lease.References))
		if failed == nil && refs.mixes(lease) && !same(o.referencesMAC(ss, refs, res.of), before) {
			return o.ask(ctx, ss, refs.all) // a value beside a leased one changed
		}
		return res, failed
	})
}

// ask has the resolver read references as the namespace of the SealedSecret.
func (o *opener) ask(ctx context.Context, ss *bitnami.SealedSecret, refs []reference.Reference) (*result, *failure) {
	res := &result{of: map[string]vault.Value{}, at: time.Now(), next: time.Now().Add(never)}
	if len(refs) == 0 {
		return res, nil
	}
	if o.resolve == nil {
		return nil, unreadable(vault.Failure{Reason: vault.NoConnection, Message: "this cluster serves no VaultConnections: apply deploy/base, and start the controller again"})
	}
	answer, err := o.resolve(ctx, vault.Request{
		Namespace: ss.Namespace, Connection: ss.Annotations[v1alpha1.AnnotationVaultConnection], References: refs,
	})
	if err == nil && len(answer.Values) != len(refs) {
		err = errors.New("the resolver left out values")
	}
	if err != nil {
		o.metrics.errors.WithLabelValues(kindReferences, ss.Namespace).Inc()
		return nil, o.whyUnreadable(err)
	}
	for i, one := range refs {
		res.of[one.String()] = answer.Values[i]
	}
	res.next, res.ends = answer.Next, answer.Ends
	return res, nil
}

func (o *opener) whyUnreadable(err error) *failure {
	var f *vault.Failure
	if errors.As(err, &f) {
		return unreadable(*f)
	}
	return unreadable(vault.Failure{Reason: vault.Unreachable, Message: "reading it was broken off", Again: true})
}

// renew makes the Secret of what was read, unless it has been made of the very
// same.
func (o pass) renew(ctx context.Context, ss *bitnami.SealedSecret, secret *corev1.Secret, refs references, res *result) outcome {
	v, ok := o.valuesOf(ss, secret, refs, res)
	if !ok { // the lease ended, or the Secret changed, while it was read
		o.readings.used(ss, time.Time{}, nil)
		return outcome{secret: secret, failure: &failure{undecided: true}}
	}
	var out outcome
	if r := o.known(ss); r != nil && same(r.ReferencesMAC, v.mac) && !v.leased && o.settled(ss, secret) && isTrue(ss.Status.Conditions, bitnami.Ready) {
		out = outcome{secret: secret, record: r.DeepCopy()}
	} else {
		out = o.process(ctx, ss, secret, v)
	}
	out.refers = true
	o.useUp(ss, &out, v, res)
	return out
}

// useUp drops what was read once it is put to use, and says when to read it
// again. What met another writer is put to use in the next pass.
func (o pass) useUp(ss *bitnami.SealedSecret, out *outcome, v *values, res *result) {
	if f := out.failure; f != nil {
		if f.undecided || f.again != nil {
			return
		}
		if f.ofValues { // which may be others next time
			f.again, f.refers = errUnread, true
		}
	}
	due := res.next
	if v.lease != nil && (v.lease.Renew.Time.Before(due) || out.failure != nil) { // a failure is not to cost a lease each time
		due = v.lease.Renew.Time
	}
	var rest *atRest
	if v.lease == nil && out.failure == nil && len(v.all) <= maxResting {
		rest = restingAt(v.all, v.mac)
	}
	o.readings.used(ss, due, rest)
	o.comeBack(client.ObjectKeyFromObject(ss))
}

// valuesOf brings together what was read and what the Secret keeps. It is not
// ok if that is not all.
func (o pass) valuesOf(ss *bitnami.SealedSecret, secret *corev1.Secret, refs references, res *result) (v *values, ok bool) {
	v = &values{references: refs, of: res.of, mac: o.referencesMAC(ss, refs, res.of)}
	var missing []string
	for _, one := range refs.all {
		if _, read := res.of[one.String()]; !read {
			missing = append(missing, one.String())
		}
	}
	if len(missing) == 0 {
		if ending := leased(res.of); len(ending) > 0 && !res.ends.IsZero() {
			v.lease, v.leased = newLease(ending, res.at, res.ends), true
		}
		return v, true
	}
	lease := o.leaseOf(ss, secret, refs)
	if lease == nil || slices.ContainsFunc(missing, func(one string) bool { return !slices.Contains(lease.References, one) }) {
		return nil, false
	}
	v.lease, v.kept = lease, map[string][]byte{}
	for _, key := range refs.keysOf(lease.References) {
		v.kept[key] = secret.Data[key]
	}
	return v, true
}

// referencesMAC covers values that were read, but for leased ones.
func (o *opener) referencesMAC(ss *bitnami.SealedSecret, refs references, of map[string]vault.Value) string {
	var parts []string
	for _, one := range refs.all {
		value, read := of[one.String()]
		switch {
		case !read || value.Leased:
		case value.Absent:
			parts = append(parts, one.String(), "absent", "")
		default:
			parts = append(parts, one.String(), "value", string(value.Bytes))
		}
	}
	return o.keyring.macs.of(o.keyring.macs.references, ss, parts...)
}

// expectReading has the references of an object that rests read once after a
// start: what changed in Vault meanwhile, nobody told.
func (o pass) expectReading(ss *bitnami.SealedSecret) {
	if refs, failed := referencesOf(ss); failed == nil && !refs.none() {
		o.readings.used(ss, time.Now(), nil)
	}
}

// comeBack has an object looked at when its references are to be read again.
func (o *opener) comeBack(name types.NamespacedName) {
	if due, in := o.readings.isDue(name); due || in > 0 {
		o.queue.AddAfter(reconcile.Request{NamespacedName: name}, in)
	}
}
