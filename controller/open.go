package controller

import (
	"context"
	"errors"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
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

// open opens all values in memory.
func (o pass) open(ctx context.Context, ss *bitnami.SealedSecret) (seal.Opened, *failure) {
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
	ob := objectOf(ss)
	opened, err := seal.Opener{
		Identities: o.ring.Candidates(hints(ss), ss.CreationTimestamp.Time),
		Try:        o.budget(objectOperations),
		Render:     o.render,
	}.Object(ctx, ob)
	if err == nil {
		return opened, nil
	}
	_, failed := refused(err.Error())
	if errors.Is(err, render.ErrUnavailable) || errors.Is(err, render.ErrClosed) || ctx.Err() != nil {
		failed.again = err
	}
	return seal.Opened{}, failed
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

// Budgets of private-key operations. An object of many values needs one each
// once the key is found, and one for each older key before that.
const (
	objectOperations  = 2000
	requestOperations = 200
)

var errBudget = errors.New("too many values that no key opens: the rest was not tried")

// budget counts operations and ends an opening that takes too many.
func (o *opener) budget(operations int) func(*keys.Identity) error {
	return func(id *keys.Identity) error {
		if operations--; operations < 0 {
			return errBudget
		}
		o.metrics.operations.WithLabelValues(string(id.Kind())).Inc()
		return nil
	}
}
