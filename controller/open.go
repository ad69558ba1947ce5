package controller

import (
	"context"
	"errors"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/render"
	"fuin.dev/seal"
)

// objectOf is what of a SealedSecret concerns opening.
func objectOf(ss *bitnami.SealedSecret) seal.Object {
	return seal.Object{
		Namespace: ss.Namespace, Name: ss.Name, Annotations: ss.Annotations,
		Values: ss.Spec.EncryptedData, Templates: ss.Spec.Template.Data, Legacy: ss.Spec.Data,
	}
}

// open opens all values in memory, and puts in those of references.
func (o pass) open(ctx context.Context, ss *bitnami.SealedSecret, v *values) (seal.Opened, *failure) {
	o.metrics.requests.Inc()
	refused := func(message string) (seal.Opened, *failure) {
		return seal.Opened{}, &failure{reason: reasonUnsealFailed, kind: "unseal", message: message}
	}
	switch {
	case ss.Spec.Invalid != "":
		return refused("opening " + ss.Namespace + "/" + ss.Name + ": " + ss.Spec.Invalid)
	case o.cfg.RejectLegacy && ss.Spec.Data != nil:
		return refused("opening " + ss.Namespace + "/" + ss.Name + ": the older data field is not accepted; seal it again into encryptedData")
	}
	opened, err := o.openObject(ctx, ss, v)
	if err == nil {
		v.settle(opened.Data)
		return opened, nil
	}
	_, failed := refused(err.Error())
	var templates render.TemplateErrors
	failed.ofValues = v != nil && errors.As(err, &templates)
	failed.undecided = errors.Is(err, seal.ErrUndecided)
	if errors.Is(err, render.ErrUnavailable) || errors.Is(err, render.ErrClosed) || ctx.Err() != nil {
		failed.again = err
	}
	return seal.Opened{}, failed
}

// openObject makes one turn of the object's search.
func (o pass) openObject(ctx context.Context, ss *bitnami.SealedSecret, v *values) (seal.Opened, error) {
	s := o.searchOf(ss)
	s.Trials = objectTrials
	try, leave := o.operator.turns(ctx, ss.Namespace)
	defer leave()
	opened, err := seal.Opener{
		Identities: o.ring.Candidates(hints(ss), ss.CreationTimestamp.Time),
		Try:        try,
		Search:     &s.Search,
		Render:     v.over(o.operator.sandboxed(ss.Namespace, leave, o.render)),
	}.Object(ctx, objectOf(ss))
	o.settleSearch(ss, s, err)
	return opened, err
}

// hints are the keys to try first: those that opened the last spec, if that
// is on record, and those that the object claims. Neither is trusted.
func hints(ss *bitnami.SealedSecret) []string {
	out := objectOf(ss).Hints()
	if r := ss.Status.Fuin; r != nil {
		out = append(out, r.Keys...)
	}
	return out
}
