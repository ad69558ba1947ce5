package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fuin.dev/controller/api/bitnami"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// report writes the status, tells events and metrics, and decides on another
// try. A write that only met another writer is tried again without a word.
func (o pass) report(ctx context.Context, ss *bitnami.SealedSecret, out outcome) (reconcile.Result, error) {
	f := out.failure
	req := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(ss)}
	if f != nil && (apierrors.IsConflict(f.again) || apierrors.IsAlreadyExists(f.again)) {
		o.seen.put(req.NamespacedName, sight{}) // the cache lags: the next look asks the API server
		return reconcile.Result{RequeueAfter: o.retries.When(req)}, nil
	}
	o.retries.Forget(req)
	if ctx.Err() != nil {
		return reconcile.Result{}, ctx.Err() // shutting down: nothing was decided
	}
	if f != nil {
		f.message = bounded(f.message)
		if f.kind != kindReferences { // counted when it was read
			o.metrics.errors.WithLabelValues(f.kind, ss.Namespace).Inc()
		}
	}
	status := o.statusOf(ss, out)
	res, err := o.deliver(ctx, ss, out, status, !sameWords(ss.Status.Conditions, status.Conditions))
	if err != nil || res.RequeueAfter > 0 {
		return res, err
	}
	if f != nil && f.refers && f.again != nil {
		return res, nil // references are read again on their own time
	}
	if f != nil && f.again != nil {
		return reconcile.Result{}, fmt.Errorf("%s/%s: %s", ss.Namespace, ss.Name, f.message)
	}
	o.remember(ss, out.secret)
	return reconcile.Result{}, nil
}

// deliver writes the status and tells events and metrics; said is whether it
// says something new.
func (o pass) deliver(ctx context.Context, ss *bitnami.SealedSecret, out outcome, status bitnami.SealedSecretStatus, said bool) (reconcile.Result, error) {
	err := o.writeStatus(ctx, ss, status)
	req := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(ss)}
	switch {
	case apierrors.IsConflict(err): // somebody else was quicker; the cache will have it
		return reconcile.Result{RequeueAfter: o.retries.When(req)}, nil
	case err != nil:
		o.metrics.errors.WithLabelValues("status", ss.Namespace).Inc()
		return reconcile.Result{}, client.IgnoreNotFound(fmt.Errorf("writing the status of %s/%s: %w", ss.Namespace, ss.Name, err))
	}
	o.retries.Forget(req)
	o.tide.rise()
	o.tell(ss, out, said)
	if tenants := o.tenants.Load(); tenants != nil {
		tenants.Opened(req.NamespacedName, out.failure == nil)
	}
	o.metrics.observe(ss)
	return reconcile.Result{}, nil
}

// maxMessage bounds what a status, an event and a log line say, in bytes: an
// object has room for thousands of long keys.
const maxMessage = 2 << 10

func bounded(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " …"
}

// confirm handles an object at rest: its status may still speak of an older
// generation, which changed nothing that counts.
func (o pass) confirm(ctx context.Context, ss *bitnami.SealedSecret, secret *corev1.Secret) (reconcile.Result, error) {
	if ss.Status.ObservedGeneration != ss.Generation {
		status := *ss.Status.DeepCopy()
		observe(&status, ss.Generation)
		if err := o.writeStatus(ctx, ss, status); apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: o.retries.When(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(ss)})}, nil
		} else if err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
	}
	o.metrics.observe(ss)
	o.remember(ss, secret)
	return reconcile.Result{}, nil
}

func observe(s *bitnami.SealedSecretStatus, generation int64) {
	s.ObservedGeneration = generation
	for i := range s.Conditions {
		if s.Conditions[i].Type != bitnami.Synced {
			s.Conditions[i].ObservedGeneration = generation
		}
	}
}

// statusOf is the status that an outcome calls for.
func (o pass) statusOf(ss *bitnami.SealedSecret, out outcome) bitnami.SealedSecretStatus {
	s := bitnami.SealedSecretStatus{Conditions: conditionsOf(ss, out), Fuin: out.record}
	observe(&s, ss.Generation)
	if out.failure == nil {
		s.Fuin.MAC = o.openedMAC(ss, s.Fuin, s.Conditions, out.secret)
		return s
	}
	s.Fuin = &bitnami.Record{}
	if known := o.known(ss); known != nil {
		s.Fuin = known.DeepCopy() // what was made before stays made
	}
	switch {
	case out.failure.again != nil:
		s.Fuin.MAC = "" // never at rest
	case out.failure.target:
		s.Fuin.MAC = o.failedMAC(ss, s.Conditions, targetOf(ss, out.secret))
	default:
		s.Fuin.MAC = o.failedMAC(ss, s.Conditions, nil)
	}
	return s
}

// conditionsOf lists the conditions: three, and Stale where there are references.
// Stalled is what makes kstatus call an object failed; a failure that is tried
// again by itself is none yet.
func conditionsOf(ss *bitnami.SealedSecret, out outcome) []bitnami.Condition {
	f := out.failure
	synced := bitnami.Condition{Type: bitnami.Synced, Status: corev1.ConditionTrue}
	ready := bitnami.Condition{Type: bitnami.Ready, Status: corev1.ConditionTrue, Reason: reasonUnsealed, Message: "its Secret is as it says"}
	stalled := bitnami.Condition{Type: bitnami.Stalled, Status: corev1.ConditionFalse, Reason: reasonUnsealed}
	if f != nil {
		synced.Status, synced.Message = corev1.ConditionFalse, f.message
		ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, f.reason, bounded(f.advice())
		stalled.Reason = f.reason
		if f.again == nil {
			stalled.Status, stalled.Message = corev1.ConditionTrue, "waits for a change of its spec, of the cluster's keys or of the Secret"
		}
	}
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	conditions := []bitnami.Condition{synced, ready, stalled}
	if out.refers {
		conditions = append(conditions, staleCondition(out))
	}
	for i := range conditions {
		date(&conditions[i], conditionOf(ss.Status.Conditions, conditions[i].Type), now)
	}
	return conditions
}

// date keeps the times of a condition that says the same as before.
func date(c, before *bitnami.Condition, now metav1.Time) {
	c.LastUpdateTime, c.LastTransitionTime = now, now
	if before == nil || before.Status != c.Status {
		return
	}
	c.LastTransitionTime = before.LastTransitionTime
	if before.Reason == c.Reason && before.Message == c.Message {
		c.LastUpdateTime = before.LastUpdateTime
	}
}

// writeStatus writes the status if it differs, and leaves in ss what then stands in the
// cluster. Of the object only the metadata is sent: the API server takes
// nothing else from there.
func (o pass) writeStatus(ctx context.Context, ss *bitnami.SealedSecret, status bitnami.SealedSecretStatus) error {
	if equality.Semantic.DeepEqual(ss.Status, status) {
		return nil
	}
	at := &bitnami.SealedSecret{Status: status, ObjectMeta: metav1.ObjectMeta{
		Namespace: ss.Namespace, Name: ss.Name, UID: ss.UID, ResourceVersion: ss.ResourceVersion,
	}}
	if err := o.api.Status().Update(ctx, at, client.FieldOwner(fieldOwner)); err != nil {
		return err
	}
	if at.Status.Fuin == nil {
		o.pruned.Do(func() {
			o.log.Warn("the installed CRD drops status.fuin: every restart opens all SealedSecrets again; install Fuin's CRD, whose spec is the same")
		})
	} else {
		o.done.forget(client.ObjectKeyFromObject(ss)) // the status tells
	}
	ss.Status, ss.ResourceVersion, ss.Labels = at.Status, at.ResourceVersion, at.Labels
	return nil
}

func sameWords(a, b []bitnami.Condition) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Status != b[i].Status || a[i].Message != b[i].Message {
			return false
		}
	}
	return true
}

// tell records an event where something was done or is said anew.
func (o pass) tell(ss *bitnami.SealedSecret, out outcome, said bool) {
	switch {
	case out.failure != nil && said:
		if o.quota.failures.Allow() {
			o.events.Event(ss, corev1.EventTypeWarning, out.failure.reason, bounded(out.failure.advice()))
		}
		if out.failure.again != nil && !out.failure.refers {
			return // the queue logs it, with each try
		}
		o.log.Error("not opened", "namespace", ss.Namespace, "name", ss.Name, "reason", out.failure.reason, "error", out.failure.message)
	case out.stale != nil && said:
		if o.quota.failures.Allow() {
			o.events.Event(ss, corev1.EventTypeWarning, out.stale.reason, bounded("its Secret stays as it is: "+out.stale.advice()))
		}
		o.log.Warn("references could not be read; the Secret stays as it is", "namespace", ss.Namespace, "name", ss.Name, "reason", out.stale.reason, "error", out.stale.message)
	case out.failure == nil && out.stale == nil && (out.wrote || said) && o.quota.successes.Allow():
		o.events.Event(ss, corev1.EventTypeNormal, reasonUnsealed, "SealedSecret unsealed successfully")
	}
}
