package environment

import (
	"context"
	"log/slog"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

// watched names a watch: one for each account, kind and namespace.
type watched struct {
	user string
	kind schemaKind
	place
}

type schemaKind struct{ group, kind string }

// sighting is what a watch saw of a labelled object; live is nil when it was
// deleted.
type sighting struct {
	id   id
	uid  types.UID
	live *metav1.PartialObjectMetadata
}

// watches follow the metadata of what Environments applied, in the names of
// their accounts.
type watches struct {
	tell func(env types.NamespacedName, seen sighting)
	log  *slog.Logger

	mu      sync.Mutex
	ctx     context.Context // of the leader; nil before it leads
	running map[watched]*watcher
	wanted  map[types.NamespacedName]map[watched]bool
	group   sync.WaitGroup
}

type watcher struct {
	account *account
	stop    context.CancelFunc // nil until it runs
	synced  func() bool
	refused bool
	users   int
}

func newWatches(tell func(types.NamespacedName, sighting), log *slog.Logger) *watches {
	return &watches{tell: tell, log: log, running: map[watched]*watcher{}, wanted: map[types.NamespacedName]map[watched]bool{}}
}

// run lets watches run until ctx ends.
func (w *watches) run(ctx context.Context) error {
	w.mu.Lock()
	w.ctx = ctx
	for key, one := range w.running {
		w.start(key, one)
	}
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	w.group.Wait()
	return nil
}

// set makes the watches of an Environment those that it needs now.
func (w *watches) set(env types.NamespacedName, account *account, need map[watched]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.wanted[env]
	for key := range need {
		if !before[key] {
			w.join(key, account)
		}
	}
	for key := range before {
		if !need[key] {
			w.leave(key)
		}
	}
	if len(need) == 0 {
		delete(w.wanted, env)
		return
	}
	w.wanted[env] = need
}

func (w *watches) join(key watched, account *account) {
	one := w.running[key]
	if one == nil {
		one = &watcher{account: account, synced: func() bool { return false }}
		w.running[key] = one
		w.start(key, one)
	}
	one.users++
}

func (w *watches) leave(key watched) {
	one := w.running[key]
	if one.users--; one.users == 0 {
		if one.stop != nil {
			one.stop()
		}
		delete(w.running, key)
	}
}

// complete reports whether all that an Environment applied is being watched.
func (w *watches) complete(env types.NamespacedName) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wanted[env]) == 0 {
		return false
	}
	for key := range w.wanted[env] {
		if one := w.running[key]; one == nil || one.refused || !one.synced() {
			return false
		}
	}
	return true
}

// start runs one watch, once this replica leads. An account that may not watch
// is not asked again: the Environment then looks at its interval.
func (w *watches) start(key watched, one *watcher) {
	if w.ctx == nil {
		return
	}
	ctx, stop := context.WithCancel(w.ctx)
	one.stop = stop
	informer := cache.NewSharedIndexInformer(listWatch(one.account.at(key.resource, key.namespace)),
		&metav1.PartialObjectMetadata{}, 0, cache.Indexers{})
	one.synced = informer.HasSynced
	_ = informer.SetTransform(slim)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsMethodNotSupported(err) {
			w.refuse(one)
		}
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { w.saw(key, obj, false) },
		UpdateFunc: func(_, obj any) { w.saw(key, obj, false) },
		DeleteFunc: func(obj any) { w.saw(key, obj, true) },
	})
	w.group.Go(func() { informer.RunWithContext(ctx) })
}

func (w *watches) refuse(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one.refused = true
	one.stop()
}

// listWatch lists and watches what carries an Environment's label.
func listWatch(in metadata.ResourceInterface) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = LabelName
			return in.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = LabelName
			return in.Watch(ctx, options)
		},
	}
}

// slim keeps what a sighting needs.
func slim(obj any) (any, error) {
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	m.Annotations, m.OwnerReferences, m.Finalizers = nil, nil, nil
	m.Labels = map[string]string{LabelName: m.Labels[LabelName], LabelNamespace: m.Labels[LabelNamespace]}
	return m, nil
}

func (w *watches) saw(key watched, obj any, deleted bool) {
	if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	env := types.NamespacedName{Namespace: m.Labels[LabelNamespace], Name: m.Labels[LabelName]}
	seen := sighting{id: id{key.kind.group, key.kind.kind, m.Namespace, m.Name}, uid: m.UID, live: m}
	if deleted {
		seen.live = nil
	}
	w.tell(env, seen)
}
