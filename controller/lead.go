package controller

import (
	"context"
	"time"

	"fuin.dev/controller/roll"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// watch has every replica look at the keys when a key Secret changes, when a
// new key is asked for, and when the next one is due.
func (k *keyring) watch(mgr manager.Manager, queueAll func(context.Context) error) error {
	one := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: k.cfg.Namespace, Name: "keys"}}
	toOne := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{one}
	})
	published := func(m client.Object) bool { return m.GetNamespace() == k.cfg.Namespace && m.GetName() == PublicKeys }
	err := builder.ControllerManagedBy(mgr).Named("keys").
		WatchesMetadata(&corev1.Secret{}, toOne, builder.WithPredicates(predicate.NewPredicateFuncs(k.mayBeKey))).
		WatchesMetadata(&corev1.ConfigMap{}, toOne, builder.WithPredicates(predicate.NewPredicateFuncs(published))).
		WatchesRawSource(source.Channel(k.trigger, toOne)).
		WithOptions(controller.Options{
			RateLimiter: newBackoff(), SkipNameValidation: new(true), NeedLeaderElection: new(false),
			CacheSyncTimeout: startWithin,
		}).
		Complete(reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
			return k.reconcile(ctx, queueAll)
		}))
	if err != nil {
		return err
	}
	return mgr.Add(manager.RunnableFunc(k.lead)) // such run on the leader
}

// lead makes this replica the one that makes keys, until it ends.
func (k *keyring) lead(ctx context.Context) error {
	k.leads.Store(true)
	k.lookAgain()
	<-ctx.Done()
	return nil
}

// lookAgain has the keys looked at soon.
func (k *keyring) lookAgain() {
	select {
	case k.trigger <- event.GenericEvent{Object: &corev1.Secret{}}:
	default: // it is asked for already
	}
}

// renewOn renews the RSA key each time a signal comes, if this replica leads.
func (k *keyring) renewOn(ctx context.Context, signals <-chan struct{}) {
	for {
		select {
		case <-signals:
			if !k.leads.Load() {
				k.log.Warn("asked for a new key, but another replica leads: ask that one, or use fuin keys rotate")
				continue
			}
			k.forced.Store(time.Now().Unix())
			k.lookAgain()
		case <-ctx.Done():
			return
		}
	}
}

func (k *keyring) mayBeKey(s client.Object) bool {
	labels := s.GetLabels()
	_, rsa := labels[keys.LabelRSA]
	_, age := labels[keys.LabelAge]
	return s.GetNamespace() == k.cfg.Namespace && (rsa || age || s.GetName() == k.cfg.KeyPrefix || k.known(s.GetName()))
}

// reconcile reads the ring. The leader also makes what is due, publishes it,
// and has every SealedSecret looked at if the ring is another. What fails is
// done at the next try.
func (k *keyring) reconcile(ctx context.Context, queueAll func(context.Context) error) (reconcile.Result, error) {
	if err := k.load(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if !k.leads.Load() {
		return reconcile.Result{}, nil
	}
	m, err := k.published(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	next, err := k.renew(ctx, m.Annotations)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := k.publish(ctx, m); err != nil {
		return reconcile.Result{}, err
	}
	return k.soon(next), k.tell(ctx, queueAll)
}

// soon is when to look again. A timer that is days long is cut into hours, as
// clocks are set and machines sleep.
func (k *keyring) soon(next time.Time) reconcile.Result {
	if next.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: min(max(time.Until(next), 10*time.Millisecond), time.Hour)}
}

// tell lets the opener go, or go on with a changed ring.
func (k *keyring) tell(ctx context.Context, queueAll func(context.Context) error) error {
	select {
	case <-k.kept.done:
	default:
		master, err := k.macKey(ctx)
		if err != nil {
			return err
		}
		if k.macs, err = newMACs(master); err != nil {
			return err
		}
		if k.coder, err = roll.NewCoder(master); err != nil {
			return err
		}
		k.told = k.ring.Load().Digest()
		k.kept.happen()
		k.ready.happen()
		return nil
	}
	ring := k.ring.Load()
	if ring.Digest() == k.told {
		return nil
	}
	k.log.Info("the ring changed", "keys", len(ring.All()))
	if err := queueAll(ctx); err != nil {
		return err
	}
	k.told = ring.Digest()
	return nil
}

// rollCoder waits for the key of rollouts, which the leader has.
func (k *keyring) rollCoder(ctx context.Context) (*roll.Coder, error) {
	if err := k.kept.wait(ctx); err != nil {
		return nil, err
	}
	return k.coder, nil
}
