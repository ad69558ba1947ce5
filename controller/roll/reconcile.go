package roll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Field owners: of the annotation that a Roller sets, and of those that stand
// in what an Environment applies.
const (
	FieldOwner       = "fuin-roll"
	environmentOwner = "fuin"
)

// reconcile brings the code of one workload up to date.
func (r *Roller) reconcile(ctx context.Context, coder *Coder, req request) (reconcile.Result, error) {
	left, changed := r.index.settle(req, time.Now())
	if left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	w, err := r.workload(ctx, req)
	switch {
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading %s %s: %s", req.kind.Kind, req.NamespacedName, reason(err))
	case w == nil:
		r.index.forget(req)
		return reconcile.Result{}, nil
	}
	// It is known what the workload names before that is read: no change of it
	// can fall in between.
	uses := render.Uses(w.Object)
	r.index.put(req, uses)
	if ref, ok := render.WorkloadRef(w.Object); ok {
		r.Events.Eventf(w, corev1.EventTypeWarning, "NotRolled", "its pods are those of %s %s: set %s there", ref.Kind, ref.Name, AnnotationRoll)
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.keep(ctx, coder, w, uses, changed)
}

// workload reads one in full; nil if it is gone or does not ask for anything.
func (r *Roller) workload(ctx context.Context, req request) (*unstructured.Unstructured, error) {
	version, err := r.version(req.kind)
	if meta.IsNoMatchError(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	w := &unstructured.Unstructured{}
	w.SetGroupVersionKind(req.kind.WithVersion(version))
	err = r.API.Get(ctx, req.NamespacedName, w)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !asks(w) || w.GetDeletionTimestamp() != nil:
		return nil, nil
	}
	return w, nil
}

// keep sets the code if it is another one. An Environment that sets it is let
// do so.
func (r *Roller) keep(ctx context.Context, coder *Coder, w *unstructured.Unstructured, uses []render.Use, changed []source) error {
	who := fmt.Sprintf("%s %s/%s", w.GetKind(), w.GetNamespace(), w.GetName())
	if ownsCode(w, environmentOwner) {
		if !ownsCode(w, FieldOwner) {
			return nil
		}
		return r.apply(ctx, w, "") // it would stand in the Environment's way
	}
	code, err := coder.Code(ctx, r.API, w.GetNamespace(), uses)
	var missing *MissingError
	switch {
	case errors.As(err, &missing):
		r.Log.Debug("a rollout waits", "workload", who, "for", missing.Error())
		return nil
	case errors.Is(err, ErrTooMany): // until it is another workload
		r.Events.Event(w, corev1.EventTypeWarning, "NotRolled", err.Error())
		return nil
	case err != nil:
		return fmt.Errorf("%s: %s", who, reason(err))
	case code == "" || code == codeOf(w.Object):
		return nil
	}
	if err := r.apply(ctx, w, code); err != nil {
		return err
	}
	r.rolls.WithLabelValues(w.GetKind()).Inc()
	r.Events.Event(w, corev1.EventTypeNormal, "Rolled", "restarting: "+cause(changed))
	return nil
}

func cause(changed []source) string {
	if len(changed) == 0 {
		return "what it names is not what it was"
	}
	names := make([]string, len(changed))
	for i, s := range changed {
		names[i] = s.kind + " " + s.Name
	}
	slices.Sort(names)
	return strings.Join(names, ", ") + " changed"
}

// apply applies the one field, or gives it up. The UID keeps a workload that
// was deleted meanwhile from being made.
func (r *Roller) apply(ctx context.Context, w *unstructured.Unstructured, code string) error {
	patch := &unstructured.Unstructured{}
	patch.SetGroupVersionKind(w.GroupVersionKind())
	patch.SetNamespace(w.GetNamespace())
	patch.SetName(w.GetName())
	patch.SetUID(w.GetUID())
	if code != "" {
		setCode(patch.Object, code)
	}
	err := r.API.Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), client.FieldOwner(FieldOwner), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("restarting %s %s/%s: %s", w.GetKind(), w.GetNamespace(), w.GetName(), reason(err))
	}
	return nil
}

// ownsCode reports whether a manager has applied the code.
func ownsCode(w *unstructured.Unstructured, manager string) bool {
	for _, m := range w.GetManagedFields() {
		if m.Manager != manager || m.Operation != metav1.ManagedFieldsOperationApply || m.FieldsV1 == nil {
			continue
		}
		var fields map[string]any
		if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if field(fields, "f:spec", "f:template", "f:metadata", "f:annotations", "f:"+AnnotationCode) != nil {
			return true
		}
	}
	return false
}
