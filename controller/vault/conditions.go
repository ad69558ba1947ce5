package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	ctrlsource "sigs.k8s.io/controller-runtime/pkg/source"
)

// Vault is asked how it is no more often than lookEvery, and no less often than
// lookLeast, while all is well.
const (
	lookEvery = 30 * time.Second
	lookLeast = 5 * time.Minute
)

// idleFor is how long a namespace is remembered that reads nothing.
const idleFor = 12 * time.Hour

// fieldOwner is the name under which statuses are written.
const fieldOwner = client.FieldOwner("fuin")

// Add has a manager look after VaultConnections, on the leader: their statuses,
// and that one which failed is noticed when it answers again.
func (r *Resolver) Add(mgr manager.Manager) error {
	return builder.ControllerManagedBy(mgr).Named("vaultconnections").
		For(&v1alpha1.VaultConnection{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(ctrlsource.Channel(r.trigger, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 4, SkipNameValidation: new(true),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, 30*time.Second),
		}).
		Complete(reconcile.Func(r.reconcile))
}

// changed has the connection's status looked at.
func (c *connection) changed() {
	vc := &v1alpha1.VaultConnection{}
	vc.Name = c.name
	select {
	case c.trigger <- event.GenericEvent{Object: vc}:
	default: // no manager reads it, or it will be looked at soon
	}
}

// recovered is called when the connection answers again.
func (c *connection) recovered() {
	c.Log.Info("a Vault answers again", "connection", c.name)
	c.changed()
	c.Well(c.name)
}

// reconcile asks Vault how it is, if that is due, and writes the status.
func (r *Resolver) reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	vc := &v1alpha1.VaultConnection{}
	if err := r.Cache.Get(ctx, req.NamespacedName, vc); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req.Name)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, err
	}
	c := r.connection(vc)
	if c == nil {
		return reconcile.Result{}, nil
	}
	wait := c.look(ctx)
	c.logins.forgetIdle(time.Now().Add(-idleFor))
	c.passes.forgetIdle(time.Now().Add(-idleFor))
	if err := c.writeStatus(ctx, vc); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{RequeueAfter: wait}, ctx.Err()
}

// look asks Vault how it is, unless it was asked lately or failed just now, and
// returns when to look again.
func (c *connection) look(ctx context.Context) time.Duration {
	if c.invalid != nil {
		return 0
	}
	every := min(max(c.interval, lookEvery), lookLeast)
	if f, until := c.health.state(); f != nil {
		if wait := time.Until(until); wait > 0 {
			return wait + 10*time.Millisecond
		}
	} else if wait := c.seen.due(every); wait > 0 {
		return wait
	}
	c.lookNow(ctx)
	if f, until := c.health.state(); f != nil {
		return max(time.Until(until), 0) + 10*time.Millisecond
	}
	return jittered(every)
}

// lookNow asks what needs no token. A standby is well: it forwards what it is asked.
func (c *connection) lookNow(ctx context.Context) {
	standby := map[string][]string{"standbyok": {"true"}, "perfstandbyok": {"true"}}
	if _, err := c.ask(ctx, call{kind: "health", path: "sys/health", query: standby}); err == nil {
		c.seen.now()
	}
}

// writeStatus writes the conditions if they say something new.
func (c *connection) writeStatus(ctx context.Context, vc *v1alpha1.VaultConnection) error {
	if equality.Semantic.DeepEqual(vc.Status, c.statusOf(vc)) {
		return nil
	}
	live := &v1alpha1.VaultConnection{} // the cache may not have what was last written
	if err := c.API.Get(ctx, client.ObjectKeyFromObject(vc), live); err != nil {
		return err
	}
	base := live.DeepCopy()
	live.Status = c.statusOf(live)
	if live.Generation != c.generation || live.UID != c.uid || equality.Semantic.DeepEqual(base.Status, live.Status) {
		return nil
	}
	return c.API.Status().Patch(ctx, live, client.MergeFrom(base), fieldOwner)
}

// statusOf is the status that the object is to have. Before anybody logged in, as
// after a restart, it stays as true as it was.
func (c *connection) statusOf(vc *v1alpha1.VaultConnection) v1alpha1.VaultConnectionStatus {
	status := *vc.Status.DeepCopy()
	before := meta.FindStatusCondition(status.Conditions, v1alpha1.Authenticated)
	keep := before != nil && before.Status == metav1.ConditionTrue && before.ObservedGeneration == vc.Generation
	status.ObservedGeneration = vc.Generation
	for _, condition := range c.conditions() {
		condition.ObservedGeneration = vc.Generation
		if keep && condition.Type == v1alpha1.Authenticated && condition.Status == metav1.ConditionUnknown {
			continue
		}
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	c.Metrics.observe(c.name, meta.IsStatusConditionTrue(status.Conditions, v1alpha1.Ready))
	return status
}

// conditions are what is known of the connection. Messages say nothing that
// changes from one try to the next.
func (c *connection) conditions() []metav1.Condition {
	f, _ := c.health.state()
	if c.invalid != nil {
		f = c.invalid
	}
	reachable, sealed := reachability(f)
	authenticated := c.authentication()
	ready := metav1.Condition{Type: v1alpha1.Ready, Status: metav1.ConditionTrue, Reason: "Answers"}
	switch {
	case f != nil:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, f.Reason, f.Message
	case authenticated.Status == metav1.ConditionFalse:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, authenticated.Reason, authenticated.Message
	}
	return []metav1.Condition{ready, reachable, authenticated, sealed}
}

func reachability(f *Failure) (reachable, sealed metav1.Condition) {
	reachable = metav1.Condition{Type: v1alpha1.Reachable, Status: metav1.ConditionTrue, Reason: "Answers"}
	sealed = metav1.Condition{Type: v1alpha1.Sealed, Status: metav1.ConditionFalse, Reason: "Unsealed"}
	switch {
	case f == nil:
	case f.Reason == SealedVault:
		sealed.Status, sealed.Reason, sealed.Message = metav1.ConditionTrue, f.Reason, f.Message
	case f.Reason == RateLimited:
		reachable.Message = f.Message
	default:
		reachable.Status, reachable.Reason, reachable.Message = metav1.ConditionFalse, f.Reason, f.Message
		sealed.Status, sealed.Reason = metav1.ConditionUnknown, f.Reason
	}
	return reachable, sealed
}

// named is how many namespaces a condition names.
const named = 3

// authentication tells how the last log-ins went: False if all failed, since one
// namespace that has no rights is its own business.
func (c *connection) authentication() metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.Authenticated, Status: metav1.ConditionTrue, Reason: "LoggedIn"}
	all := c.logins.outcomes()
	if len(all.failed)+all.well == 0 {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, "NotTried", "nobody has logged in yet"
		return condition
	}
	var said []string
	if all.service {
		condition.Reason = "ServiceTokens"
		said = append(said, "the role gives service tokens, which Vault keeps until they end: set token_type=batch")
	}
	if len(all.failed) > 0 {
		said = append(said, "not logged in: "+listed(all.failed))
	}
	if all.well == 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, all.reason
	}
	condition.Message = strings.Join(said, "; ")
	return condition
}

func listed(failed []string) string {
	slices.Sort(failed)
	text := strings.Join(failed[:min(len(failed), named)], "; ")
	if more := len(failed) - named; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// outcomes are how log-ins went.
type outcomes struct {
	well    int
	failed  []string // what failed, by who
	reason  string   // of one that failed
	service bool     // somebody has a service token
}

func (l *logins) outcomes() (all outcomes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for who, known := range l.by {
		switch {
		case known.at.IsZero():
		case known.told == nil:
			all.well++
			all.service = all.service || known.service
		case known.told.Reason == AccountMissing:
			// It never came to Vault.
		default:
			all.failed = append(all.failed, strings.TrimPrefix(who+": ", ": ")+known.told.Message)
			all.reason = max(all.reason, known.told.Reason)
		}
	}
	return all
}
