package environment

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// orphanAfter is how long a deletion is tried before the objects are left
// behind: an Environment never hangs.
const orphanAfter = 10 * time.Minute

func (p *pass) addFinalizer(ctx context.Context) error {
	if controllerutil.ContainsFinalizer(p.env, Finalizer) {
		return nil
	}
	base := p.env.DeepCopy()
	controllerutil.AddFinalizer(p.env, Finalizer)
	err := p.API.Patch(ctx, p.env, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	if err == nil {
		p.base = p.env.DeepCopy()
	}
	return client.IgnoreNotFound(err)
}

// finalize prunes a deleted Environment, or leaves its objects behind: where it
// says so, where its namespace goes, which takes them along, and where its
// account is gone or may not delete.
func (p *pass) finalize(ctx context.Context) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(p.env, Finalizer) {
		return reconcile.Result{}, nil
	}
	p.old = inventoryOf(p.env.Status.Inventory).with(p.state.inventory())
	if p.env.Spec.DeletionPolicy != "Orphan" && len(p.old) > 0 {
		if err := p.pruneAll(ctx); err != nil {
			return reconcile.Result{RequeueAfter: retryOf(p.env)}, nil
		}
	}
	base := p.env.DeepCopy()
	controllerutil.RemoveFinalizer(p.env, Finalizer)
	if err := p.API.Patch(ctx, p.env, client.MergeFrom(base)); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	p.forget(p.name)
	return reconcile.Result{}, nil
}

// errLater is of a deletion that is tried again.
var errLater = errors.New("some objects could not be deleted yet")

func (p *pass) pruneAll(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, timeoutOf(p.env))
	defer cancel()
	if why := p.mustOrphan(within); why != "" {
		p.tell(corev1.EventTypeWarning, "Orphaned", "its objects stay: "+why)
		return nil
	}
	var left []error
	for _, i := range p.left() {
		if err := p.delete(within, i, p.old[i]); err != nil {
			left = append(left, err)
		}
	}
	switch {
	case len(left) == 0:
		return nil
	case time.Since(p.env.DeletionTimestamp.Time) > orphanAfter || allForbidden(left):
		p.tell(corev1.EventTypeWarning, "Orphaned", "objects stay that could not be deleted: "+sentences(left))
		return nil
	}
	p.tell(corev1.EventTypeWarning, "DeletionFailed", sentences(left))
	return errLater
}

// mustOrphan tells why nothing can be deleted.
func (p *pass) mustOrphan(ctx context.Context) string {
	account := &corev1.ServiceAccount{}
	at := types.NamespacedName{Namespace: p.env.Namespace, Name: p.env.Spec.ServiceAccountName}
	err := p.account.reader.Get(ctx, at, account)
	switch {
	case apierrors.IsNotFound(err):
		return "service account " + at.String() + " is gone"
	case apierrors.IsForbidden(err):
		return "" // it need not be allowed to look at itself
	}
	return ""
}

func allForbidden(errs []error) bool {
	for _, err := range errs {
		if !apierrors.IsForbidden(errors.Unwrap(err)) && !apierrors.IsForbidden(err) {
			return false
		}
	}
	return true
}
