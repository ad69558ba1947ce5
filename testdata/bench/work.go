package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// workWithin is how long a controller may take before the run is given up.
const workWithin = 20 * time.Minute

// createAll makes the namespaces, then the objects, several at a time.
func createAll(ctx context.Context, c *kubetest.Cluster, objects []*unstructured.Unstructured) error {
	for i := 0; i < len(objects); i += perNamespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: objects[i].GetNamespace()}}
		if err := c.Client().Create(ctx, ns); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, object := range objects {
		g.Go(func() error { return c.Client().Create(ctx, object.DeepCopy()) })
	}
	return g.Wait()
}

// compareAll makes sure that the Secrets are what was sealed.
func compareAll(ctx context.Context, c *kubetest.Cluster, n int) error {
	for i := range n {
		var s corev1.Secret
		if err := c.Client().Get(ctx, client.ObjectKey{Namespace: namespaceOf(i), Name: nameOf(i)}, &s); err != nil {
			return err
		}
		want := plain(i)
		same := func(is []byte, should string) bool { return string(is) == should }
		if !maps.EqualFunc(s.Data, want, same) {
			return fmt.Errorf("the Secret %s/%s is not what was sealed", s.Namespace, s.Name)
		}
	}
	return nil
}

// arrivals counts the objects of a watch, each once.
type arrivals struct {
	from  watch.Interface
	want  int
	seen  map[types.NamespacedName]bool
	found chan struct{} // closed when all are seen
	at    time.Time     // when that was; read after found
	ended chan struct{} // closed when the watch is over
}

// watchSecrets counts the Secrets that are made from now on. Only metadata is
// sent.
func watchSecrets(ctx context.Context, c *kubetest.Cluster, n int) (*arrivals, error) {
	api, err := metadata.NewForConfig(c.Admin())
	if err != nil {
		return nil, err
	}
	secrets := api.Resource(corev1.SchemeGroupVersion.WithResource("secrets"))
	list, err := secrets.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	from, err := secrets.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return nil, err
	}
	a := &arrivals{
		from: from, want: n, seen: map[types.NamespacedName]bool{},
		found: make(chan struct{}), ended: make(chan struct{}),
	}
	go a.look()
	return a, nil
}

func (a *arrivals) look() {
	defer close(a.ended)
	for event := range a.from.ResultChan() {
		object, ok := event.Object.(*metav1.PartialObjectMetadata)
		if !ok || event.Type != watch.Added || !strings.HasPrefix(object.Namespace, "bench-") {
			continue
		}
		a.seen[types.NamespacedName{Namespace: object.Namespace, Name: object.Name}] = true
		if len(a.seen) == a.want && a.at.IsZero() {
			a.at = time.Now()
			close(a.found)
		}
	}
}

// wait returns how long after start the last object arrived.
func (a *arrivals) wait(ctx context.Context, start time.Time) (time.Duration, error) {
	select {
	case <-a.found:
		return a.at.Sub(start), nil
	case <-a.ended:
		return 0, errors.New("the watch of Secrets ended")
	case <-time.After(workWithin):
		return 0, fmt.Errorf("not all Secrets were made in %s", workWithin)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// stop ends the watch.
func (a *arrivals) stop() {
	a.from.Stop()
	<-a.ended
}
