package roll

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Config is what a [Roller] works with. All fields but Namespaces are required.
type Config struct {
	Rest    *rest.Config  // for watches of its own
	API     client.Client // reads and patches, straight at the API server; knows core/v1
	Secrets cache.Cache   // has the metadata of the Secrets of all Namespaces

	// Coder waits for the cluster's MAC key.
	Coder      func(context.Context) (*Coder, error)
	Namespaces []string // watched; empty: all
	Events     record.EventRecorder
	Log        *slog.Logger
}

// Roller keeps the codes of workloads with [AnnotationRoll]. It watches
// metadata only, and reads what an annotated workload names when that changes.
type Roller struct {
	Config
	index *index
	rolls *prometheus.CounterVec
}

// New makes a Roller, whose metric goes to the registry.
func New(cfg Config, registry prometheus.Registerer) *Roller {
	r := &Roller{Config: cfg, index: newIndex(), rolls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "fuin", Name: "rolls_total", Help: "Restarts of workloads because what they name changed, by kind.",
	}, []string{"kind"})}
	for _, kind := range append(apps[:len(apps):len(apps)], rollout) {
		r.rolls.WithLabelValues(kind.Kind)
	}
	registry.MustRegister(r.rolls)
	return r
}

// Start runs until ctx ends; a manager calls it on the replica that leads. What
// the account may not do, or the cluster does not have, is waited for: nothing
// else that the process does depends on it.
func (r *Roller) Start(ctx context.Context) error {
	if !r.until(ctx, "rollouts wait for their RBAC: apply deploy/roll", r.permitted) {
		return nil
	}
	coder, err := r.Coder(ctx)
	if err != nil {
		return nil //nolint:nilerr // ctx has ended
	}
	for ctx.Err() == nil {
		if err := r.run(ctx, coder); err != nil && ctx.Err() == nil {
			r.Log.Error("rollouts stand still; will try again", "error", reason(err))
			wait(ctx, retryAfter)
		}
	}
	return nil
}

const (
	retryAfter     = 10 * time.Second
	syncWithin     = 10 * time.Minute // a start that reads the names of all ConfigMaps of a large cluster
	lookForRollout = 20 * time.Second
)

// until tries until something holds, and is told once why it does not.
func (r *Roller) until(ctx context.Context, otherwise string, holds func(context.Context) error) bool {
	told := false
	for ctx.Err() == nil {
		err := holds(ctx)
		if err == nil {
			return true
		}
		if !told {
			r.Log.Error(otherwise, "error", reason(err))
			told = true
		}
		wait(ctx, retryAfter)
	}
	return false
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// permitted tries to list what is to be watched.
func (r *Roller) permitted(ctx context.Context) error {
	for _, kind := range append(apps[:len(apps):len(apps)], configMap) {
		if err := r.lists(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

func (r *Roller) lists(ctx context.Context, kind schema.GroupKind) error {
	namespaces := r.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	version, err := r.version(kind)
	if err != nil {
		return err
	}
	for _, namespace := range namespaces {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.WithVersion(version).GroupVersion().WithKind(kind.Kind + "List"))
		if err := r.API.List(ctx, list, client.InNamespace(namespace), client.Limit(1)); err != nil {
			return err
		}
	}
	return nil
}

// version is the one of a kind that the API server prefers.
func (r *Roller) version(kind schema.GroupKind) (string, error) {
	mapping, err := r.API.RESTMapper().RESTMapping(kind)
	if err != nil {
		return "", err
	}
	return mapping.GroupVersionKind.Version, nil
}

// run watches and reconciles until ctx ends or the watches fail to begin.
func (r *Roller) run(ctx context.Context, coder *Coder) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	own, err := r.newCache()
	if err != nil {
		return err
	}
	c, err := controller.NewTypedUnmanaged("rolls", controller.TypedOptions[request]{
		Reconciler: reconcile.TypedFunc[request](func(ctx context.Context, req request) (reconcile.Result, error) {
			return r.reconcile(ctx, coder, req)
		}),
		MaxConcurrentReconciles: 4, SkipNameValidation: new(true), CacheSyncTimeout: syncWithin,
	})
	if err != nil {
		return err
	}
	if err := r.watch(c, own); err != nil {
		return err
	}
	ended := make(chan struct{}, 2)
	go func() { _ = own.Start(ctx); ended <- struct{}{} }()
	go func() { r.watchRollouts(ctx, c, own); ended <- struct{}{} }()
	err = c.Start(ctx)
	cancel()
	<-ended
	<-ended
	return err
}

func (r *Roller) newCache() (cache.Cache, error) {
	options := cache.Options{Scheme: r.API.Scheme(), Mapper: r.API.RESTMapper(), DefaultTransform: slim}
	for _, namespace := range r.Namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return cache.New(r.Rest, options)
}

// watchRollouts begins to watch Argo Rollouts once there are some to watch.
func (r *Roller) watchRollouts(ctx context.Context, c controller.TypedController[request], own cache.Cache) {
	told := false
	for ctx.Err() == nil {
		err := r.lists(ctx, rollout)
		switch {
		case err == nil:
			if err := r.watchKind(c, own, rollout); err == nil {
				return
			}
		case !told && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err):
			r.Log.Error("Argo Rollouts are left alone", "error", reason(err))
			told = true
		}
		wait(ctx, lookForRollout)
	}
}

// reason is an error of the API server without what it quotes: what is invalid
// can be a value.
func reason(err error) string {
	why := apierrors.ReasonForError(err)
	switch _, _, denied := strings.Cut(err.Error(), " denied "); {
	case denied: // a policy says what it likes
	case why == metav1.StatusReasonUnknown, why == metav1.StatusReasonForbidden, why == metav1.StatusReasonNotFound, why == metav1.StatusReasonConflict:
		return err.Error()
	}
	return fmt.Sprintf("the API server refuses: %s", why)
}
