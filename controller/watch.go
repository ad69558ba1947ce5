package controller

import (
	"context"
	"math/rand/v2"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fair"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// queue is that of the opener.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// watch runs the opener for every SealedSecret that changes, and for the one
// of the same name when a Secret does.
func (o *opener) watch(mgr manager.Manager) error {
	return builder.ControllerManagedBy(mgr).Named("sealedsecrets").
		For(&bitnami.SealedSecret{}, builder.OnlyMetadata).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(o.namesake)).
		WatchesRawSource(prelude(o.recall)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: o.cfg.Workers, NewQueue: o.newQueue, SkipNameValidation: new(true),
			CacheSyncTimeout: startWithin, RateLimiter: newBackoff(),
		}).
		Complete(o)
}

// startWithin is how long a start may take that reads every Secret of a large
// cluster.
const startWithin = 10 * time.Minute

// newQueue makes the queue: namespaces take turns, and those who wait for
// another try come back with their back-off.
func (o *opener) newQueue(name string, limit workqueue.TypedRateLimiter[reconcile.Request]) queue {
	tenant := func(req reconcile.Request) string { return req.Namespace }
	o.queue = workqueue.NewTypedRateLimitingQueueWithConfig(limit, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{
		Name: name,
		DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{
			Name: name, Queue: fair.NewQueue(o.cfg.Workers, tenant, o.isLate),
		}),
	})
	close(o.queued)
	return o.queue
}

// namesake maps a Secret to the SealedSecret of the same name, if there is one.
func (o *opener) namesake(ctx context.Context, secret client.Object) []reconcile.Request {
	name := client.ObjectKeyFromObject(secret)
	if tenants := o.tenants.Load(); tenants != nil {
		tenants.SecretChanged(name, secret.GetResourceVersion())
	}
	if ss, err := o.cached(ctx, sealedSecret, name); err != nil || ss == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: name}}
}

// queueAll queues every SealedSecret: the ring changed, and with it what opens.
func (o *opener) queueAll(ctx context.Context) error {
	select {
	case <-o.queued:
	case <-ctx.Done():
		return ctx.Err()
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind + "List"))
	if err := o.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range list.Items {
		o.later(client.ObjectKeyFromObject(&list.Items[i]))
	}
	return nil
}

// Backoff of objects that failed for a reason that may pass by itself.
const (
	backoffBase = 100 * time.Millisecond
	backoffMax  = 2 * time.Minute
)

// backoff doubles the wait with every failure, with a fifth of jitter to
// either side, and never gives up.
type backoff struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

func newBackoff() backoff {
	return backoff{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](backoffBase, backoffMax)}
}

// When is how long to wait before the next try.
func (b backoff) When(item reconcile.Request) time.Duration {
	return time.Duration(float64(b.TypedRateLimiter.When(item)) * (0.8 + 0.4*rand.Float64()))
}
