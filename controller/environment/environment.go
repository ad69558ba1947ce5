// Package environment keeps parts of the cluster as directories of
// repositories say: it fetches a revision, renders it, has its SealedSecrets
// opened, applies it, prunes what left it, and reports.
//
// All that concerns a tenant's objects is read and written as the service
// account that the Environment names.
package environment

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fair"
	"fuin.dev/controller/source"
	"fuin.dev/render"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
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

// The labels of every object that an Environment applied.
const (
	LabelName      = "fuin.dev/environment"
	LabelNamespace = "fuin.dev/environment-namespace"
)

// Annotations.
const (
	// AnnotationReconcile on an Environment has it looked at when it changes.
	AnnotationReconcile = "fuin.dev/reconcile"
	// AnnotationPrune "disabled" on an object keeps it when it leaves the source.
	AnnotationPrune = "fuin.dev/prune"
	// AnnotationRecreate "true" lets an object be deleted and made again when a
	// field changed that cannot be changed.
	AnnotationRecreate = "fuin.dev/recreate"
	// AnnotationDrift "ignore" leaves changes of an object in the cluster alone.
	AnnotationDrift = "fuin.dev/drift"
)

// Finalizer lets a deleted Environment prune.
const Finalizer = "fuin.dev/environment"

// FieldOwner is the name under which everything is applied.
const FieldOwner = "fuin"

// Config is what a [Reconciler] works with. All but Log is required.
type Config struct {
	Rest   *rest.Config  // the controller's own account, which impersonates others
	API    client.Client // Environments, read from the cache
	Live   client.Reader // the same, straight from the API server
	Mapper meta.RESTMapper
	Source *source.Store
	Events record.EventRecorder

	// Render renders a directory in the sandbox, for a namespace.
	Render func(ctx context.Context, tenant string, d render.Directory) (*render.Set, error)
	// Open brings a SealedSecret, as it was just applied, to its Secret.
	Open func(context.Context, *bitnami.SealedSecret) *SecretFailure
	// Try opens a SealedSecret in memory and throws away what it opened.
	Try func(context.Context, *bitnami.SealedSecret) *SecretFailure
	// Known tells whether a key of that fingerprint is in the cluster's ring.
	Known func(fingerprint string) bool
	// Annotate puts the code of what a workload names into its pod template, as
	// roll.Coder does, and returns the resource versions of the Secrets that it
	// names, by name, "" for those that are not there.
	Annotate func(ctx context.Context, tenant client.Reader, workload, live map[string]any) (secrets map[string]string, err error)

	Metrics *Metrics
	Workers int // Environments at a time, shared fairly by namespace; default 16
	Log     *slog.Logger
}

// SecretFailure is why a SealedSecret did not open. It holds no content.
type SecretFailure struct {
	Reason, Message string
	Again           bool // another try may help
}

// Reconciler brings Environments to what their sources say.
type Reconciler struct {
	Config
	accounts accounts
	claims   claims
	renders  renders
	watches  *watches
	trigger  chan event.GenericEvent

	mu     sync.Mutex
	states map[types.NamespacedName]*state
}

// New makes a Reconciler; it works once it is added to a manager.
func New(cfg Config) *Reconciler {
	if cfg.Workers == 0 {
		cfg.Workers = 16
	}
	r := &Reconciler{
		Config: cfg, trigger: make(chan event.GenericEvent, 1024),
		states: map[types.NamespacedName]*state{},
	}
	r.accounts.base = cfg.Rest
	r.watches = newWatches(r.drifted, cfg.Log)
	return r
}

// Add runs the Reconciler on the leader.
func (r *Reconciler) Add(mgr manager.Manager) error {
	asked := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, annotationChanged)
	if err := mgr.Add(manager.RunnableFunc(r.watches.run)); err != nil {
		return err
	}
	return builder.ControllerManagedBy(mgr).Named("environments").
		For(&v1alpha1.Environment{}, builder.WithPredicates(asked)).
		Watches(&v1alpha1.Environment{}, handler.EnqueueRequestsFromMapFunc(r.dependents), builder.WithPredicates(readinessChanged)).
		WatchesRawSource(ctrlsource.Channel(r.trigger, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: r.Workers, NewQueue: r.newQueue, SkipNameValidation: new(true),
			// What cannot be written into the status is tried again, too. Each watch that
			// breaks with the API server's connection counts as a try, so these add up at once.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, defaultRetry),
		}).
		Complete(r)
}

// newQueue makes a queue in which namespaces take turns: an Environment that
// waits for its objects, or for a server that never answers, occupies a worker,
// and however many of these a namespace has, one is left for another.
func (r *Reconciler) newQueue(name string, limit workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	tenant := func(req reconcile.Request) string { return req.Namespace }
	late := func(reconcile.Request) bool { return false }
	return workqueue.NewTypedRateLimitingQueueWithConfig(limit, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{
		Name: name,
		DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{
			Name: name, Queue: fair.NewQueue(r.Workers, tenant, late),
		}),
	})
}

// look has an Environment looked at now.
func (r *Reconciler) look(name types.NamespacedName) {
	env := &v1alpha1.Environment{}
	env.Namespace, env.Name = name.Namespace, name.Name
	r.trigger <- event.GenericEvent{Object: env} // its reader only queues
}

// annotationChanged tells that somebody asked for a look.
var annotationChanged = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return true },
	DeleteFunc:  func(event.DeleteEvent) bool { return true },
	GenericFunc: func(event.GenericEvent) bool { return true },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[AnnotationReconcile] != e.ObjectNew.GetAnnotations()[AnnotationReconcile] ||
			e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	},
}

// failure is why an Environment is not Ready. It holds no content.
type failure struct {
	reason  string
	message string
	stalled bool // no further try helps until something is changed
}

func (f *failure) Error() string { return f.reason + ": " + f.message }

func fail(reason, format string, args ...any) *failure {
	return &failure{reason: reason, message: fmt.Sprintf(format, args...)}
}

func stall(reason, format string, args ...any) *failure {
	return &failure{reason: reason, message: fmt.Sprintf(format, args...), stalled: true}
}
