package main

import (
	"context"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"syscall"
	"time"

	"fuin.dev/controller/kubetest"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// rawApply is the side that only sends: no repository, no rendering, Secrets
// that are open already. Nothing that applies can be faster by much.
const rawApply = "raw apply"

// rawWriters is how many requests it has under way.
const rawWriters = 8

// resources are those of the kinds that are applied.
var resources = map[string]schema.GroupVersionResource{
	"Secret":     {Version: "v1", Resource: "secrets"},
	"ConfigMap":  {Version: "v1", Resource: "configmaps"},
	"Service":    {Version: "v1", Resource: "services"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
}

// apply sends objects by server-side apply, and measures that.
func apply(ctx context.Context, c *kubetest.Cluster, objects []*unstructured.Unstructured) (sample, error) {
	api, err := dynamic.NewForConfig(c.Admin())
	if err != nil {
		return sample{}, err
	}
	if err := untilRest(ctx, c.APIServer.PID(), c.Etcd.PID()); err != nil {
		return sample{}, err
	}
	before, err := serversOf(c)
	if err != nil {
		return sample{}, err
	}
	runtime.GC()
	s, used, start := sample{Load: loadAverage()}, ownCPU(), time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(rawWriters)
	for _, object := range objects {
		group.Go(func() error { return applyOne(ctx, api, object) })
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	s.Wall, s.CPU = time.Since(start), ownCPU()-used
	after, err := serversOf(c)
	if err != nil {
		return s, err
	}
	s.APIServer, s.Etcd = after.since(before).apiServer, after.since(before).etcd
	return s, nil
}

func applyOne(ctx context.Context, api dynamic.Interface, object *unstructured.Unstructured) error {
	body, err := json.Marshal(object.Object)
	if err != nil {
		return err
	}
	in := api.Resource(resources[object.GetKind()]).Namespace(object.GetNamespace())
	_, err = in.Patch(ctx, object.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "bench", Force: new(true)})
	return err
}

// ownCPU is what this program and the children it has waited for have used.
func ownCPU() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
