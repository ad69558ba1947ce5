package controller

import (
	"context"
	"maps"
	"slices"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/apierror"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is the name under which the controller writes.
const fieldOwner = "fuin"

// write makes the Secret, or changes it if it is not as the plan says.
func (o pass) write(ctx context.Context, p plan, live *corev1.Secret) (s *corev1.Secret, wrote bool, failed *failure) {
	if live == nil {
		s = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.ss.Namespace, Name: p.ss.Name}}
	} else {
		s = live.DeepCopy()
	}
	if failed := p.apply(s, o.known(p.ss)); failed != nil {
		return nil, false, failed
	}
	if live != nil && equality.Semantic.DeepEqual(live, s) {
		return live, false, nil
	}
	if live == nil {
		return s, true, writeFailure(o.api.Create(ctx, s, client.FieldOwner(fieldOwner)))
	}
	return s, true, writeFailure(o.api.Update(ctx, s, client.FieldOwner(fieldOwner)))
}

// writeFailure tells what another try may mend from what it cannot.
func writeFailure(err error) *failure {
	switch {
	case err == nil:
		return nil
	case apierror.IsInvalid(err):
		return inTheWay("update", "writing its Secret: "+apierror.Text(err))
	}
	return transient("update", "writing its Secret", err)
}

// recordOf is what the status keeps of an opening.
func (o pass) recordOf(p plan, s *corev1.Secret) *bitnami.Record {
	r := &bitnami.Record{
		Keys: p.keys, SpecDigest: specDigest(p.ss), SecretUID: s.UID, Mode: p.mode,
		Labels: slices.Sorted(maps.Keys(p.labels)), Annotations: slices.Sorted(maps.Keys(p.annotations)),
	}
	if p.mode == bitnami.Patched && metav1.IsControlledBy(s, p.ss) {
		r.Mode = bitnami.Managed // it is ours as well, and made again once it is deleted
	}
	if p.values != nil {
		r.ReferencesMAC, r.Lease = p.values.mac, p.values.lease
	}
	r.MadeMAC = o.keyring.macs.madeMAC(p.ss, r)
	return r
}
