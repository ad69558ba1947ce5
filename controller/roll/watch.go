package roll

import (
	"context"
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	sources "sigs.k8s.io/controller-runtime/pkg/source"
)

var (
	secret    = schema.GroupKind{Kind: "Secret"}
	configMap = schema.GroupKind{Kind: "ConfigMap"}
)

type (
	queue   = workqueue.TypedRateLimitingInterface[request]
	partial = metav1.PartialObjectMetadata
)

// watch watches all that every cluster has.
func (r *Roller) watch(c controller.TypedController[request], own cache.Cache) error {
	for _, kind := range apps {
		if err := r.watchKind(c, own, kind); err != nil {
			return err
		}
	}
	if err := c.Watch(sources.TypedKind(r.Secrets, metadata(secret, "v1"), r.onSource(secret))); err != nil {
		return err
	}
	return c.Watch(sources.TypedKind(own, metadata(configMap, "v1"), r.onSource(configMap)))
}

func (r *Roller) watchKind(c controller.TypedController[request], own cache.Cache, kind schema.GroupKind) error {
	version, err := r.version(kind)
	if err != nil {
		return err
	}
	return c.Watch(sources.TypedKind(own, metadata(kind, version), r.onWorkload(kind)))
}

func metadata(kind schema.GroupKind, version string) *partial {
	m := &partial{}
	m.SetGroupVersionKind(kind.WithVersion(version))
	return m
}

// onWorkload queues a workload that has the annotation, or had it, when its
// spec or the annotation changed.
func (r *Roller) onWorkload(kind schema.GroupKind) handler.TypedFuncs[*partial, request] {
	add := func(m *partial, q queue) {
		req := request{kind, client.ObjectKeyFromObject(m)}
		if asks(m) || r.index.has(req) {
			r.index.edited(req, time.Now())
			q.AddAfter(req, quiet)
		}
	}
	return handler.TypedFuncs[*partial, request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*partial], q queue) { add(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*partial], q queue) {
			if e.ObjectOld.Generation != e.ObjectNew.Generation || e.ObjectOld.UID != e.ObjectNew.UID || asks(e.ObjectOld) != asks(e.ObjectNew) {
				add(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*partial], _ queue) {
			r.index.forget(request{kind, client.ObjectKeyFromObject(e.Object)})
		},
	}
}

func asks(m client.Object) bool { return m.GetAnnotations()[AnnotationRoll] == "true" }

// onSource queues the workloads that name a Secret or ConfigMap. One that went
// counts, too: it may have been optional.
func (r *Roller) onSource(kind schema.GroupKind) handler.TypedFuncs[*partial, request] {
	changed := func(m *partial, q queue) {
		for _, req := range r.index.changed(source{kind.Kind, client.ObjectKeyFromObject(m)}, time.Now()) {
			q.AddAfter(req, quiet)
		}
	}
	return handler.TypedFuncs[*partial, request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*partial], q queue) { changed(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*partial], q queue) {
			if e.ObjectOld.ResourceVersion != e.ObjectNew.ResourceVersion {
				changed(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*partial], q queue) { changed(e.Object, q) },
	}
}

// slim keeps what the handlers look at.
func slim(obj any) (any, error) {
	m, ok := obj.(*partial)
	if !ok {
		return obj, nil
	}
	out := &partial{TypeMeta: m.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: unique.Make(m.Namespace).Value(), Name: m.Name, UID: m.UID,
		ResourceVersion: m.ResourceVersion, Generation: m.Generation,
	}}
	if asks(m) {
		out.Annotations = map[string]string{AnnotationRoll: "true"}
	}
	return out, nil
}
