package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// envCluster is a cluster with Fuin and a Git server.
type envCluster struct {
	*kubetest.Cluster
	root string
	id   *keys.Identity
	ctl  *controller
	git  *gittest.Server
	repo *gittest.Repo
	api  dynamic.Interface
	env  string // name and namespace of the first Environment
	asks int
}

// newEnvCluster starts one. Without its controller manager no Deployment makes
// pods: what is measured is applying.
func (b *bench) newEnvCluster(ctx context.Context) (*envCluster, error) {
	c, err := kubetest.Start(ctx, kubetest.Config{})
	if err != nil {
		return nil, err
	}
	e := &envCluster{Cluster: c, root: b.root, id: b.identity()}
	if err := e.fill(ctx, b); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *envCluster) fill(ctx context.Context, b *bench) (err error) {
	if e.git, err = gittest.Start(ctx, gittest.Config{}); err != nil {
		return err
	}
	if e.repo, err = e.git.Repo("app"); err != nil {
		return err
	}
	if e.api, err = dynamic.NewForConfig(e.Admin()); err != nil {
		return err
	}
	if err := e.Apply(ctx, "", filepath.Join(b.root, "deploy", "base", "fuin.dev_environments.yaml")); err != nil {
		return err
	}
	e.ctl, err = setUpFuin(ctx, b, e.Cluster, []*keys.Identity{b.keys.ids[keys.RSA], e.id})
	if err != nil {
		return err
	}
	e.ctl.Args = append(e.ctl.Args, "--leader-elect=false", "--source-dir", filepath.Join(e.Dir, "sources"))
	return e.ControllerManager.Stop()
}

func (e *envCluster) stop() {
	if e.ctl != nil {
		_ = e.ctl.Stop()
	}
	if e.git != nil {
		_ = e.git.Stop()
	}
	_ = e.Stop()
}

// start starts the controller with an Environment of one small object, and
// waits until that is applied.
func (e *envCluster) start(ctx context.Context, name string) error {
	e.env = name
	if err := e.tenant(ctx, name); err != nil {
		return err
	}
	hash, err := e.repo.Commit(ctx, gittest.Commit{Files: map[string]string{"app/first.yaml": config(name, 0, "first")}})
	if err != nil {
		return err
	}
	if err := e.ctl.Start(ctx); err != nil {
		return err
	}
	if err := e.declare(ctx, name, "app", time.Hour); err != nil {
		return err
	}
	_, err = e.applied(ctx, hash, name)
	return err
}

// namespace makes one, unless it is there.
func (e *envCluster) namespace(ctx context.Context, name string) error {
	return client.IgnoreAlreadyExists(e.Client().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

// tenant readies a namespace for Environments, as deploy/tenant does.
func (e *envCluster) tenant(ctx context.Context, ns string) error {
	if err := e.namespace(ctx, ns); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(e.root, "deploy", "tenant", "tenant.yaml"))
	if err != nil {
		return err
	}
	const account = "  - kind: ServiceAccount\n    name: fuin-deployer\n"
	return e.ApplyYAML(ctx, ns, strings.ReplaceAll(string(text), account, account+"    namespace: "+ns+"\n"))
}

// environments is the resource.
var environments = schema.GroupVersionResource{Group: "fuin.dev", Version: "v1alpha1", Resource: "environments"}

// declare makes or changes the Environment of a namespace, of the same name.
func (e *envCluster) declare(ctx context.Context, ns, path string, interval time.Duration) error {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "fuin.dev/v1alpha1", "kind": "Environment",
		"metadata": map[string]any{"namespace": ns, "name": ns},
		"spec": map[string]any{
			"source":   map[string]any{"git": map[string]any{"url": e.repo.URL(), "ref": map[string]any{"branch": "main"}}},
			"path":     path,
			"interval": interval.String(), "wait": false, "prune": true,
		},
	}}
	_, err := e.api.Resource(environments).Namespace(ns).Apply(ctx, ns, u, metav1.ApplyOptions{FieldManager: "bench", Force: true})
	return err
}

// push commits, has the Environment look, and measures until it is applied. The
// annotation does what a webhook does.
func (e *envCluster) push(ctx context.Context, commit gittest.Commit) (sample, error) {
	hash, err := e.repo.Commit(ctx, commit)
	if err != nil {
		return sample{}, err
	}
	m, err := e.ctl.during(ctx, e.Cluster)
	if err != nil {
		return sample{}, err
	}
	s := sample{Load: loadAverage()}
	e.asks++
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"fuin.dev/reconcile":"%d"}}}`, e.asks)
	in := e.api.Resource(environments).Namespace(e.env)
	if _, err := in.Patch(ctx, e.env, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{}); err != nil {
		return s, err
	}
	at, err := e.applied(ctx, hash, e.env)
	if err != nil {
		return s, err
	}
	s.Wall = at.Sub(m.start)
	return s, m.end(ctx, &s)
}

// declareMany makes Environments of directories of the same name, and measures
// until all are applied.
func (e *envCluster) declareMany(ctx context.Context, names []string, set *appSet) (sample, error) {
	hash, err := e.repo.Commit(ctx, gittest.Commit{Files: set.files})
	if err != nil {
		return sample{}, err
	}
	m, err := e.ctl.during(ctx, e.Cluster)
	if err != nil {
		return sample{}, err
	}
	s := sample{Load: loadAverage()}
	group, making := errgroup.WithContext(ctx)
	group.SetLimit(rawWriters)
	for _, name := range names {
		group.Go(func() error { return e.declare(making, name, name, time.Hour) })
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	at, err := e.applied(ctx, hash, names...)
	if err != nil {
		return s, err
	}
	s.Wall = at.Sub(m.start)
	return s, m.end(ctx, &s)
}

// applied waits until Environments have applied a commit, and tells when the
// last of them said so.
func (e *envCluster) applied(ctx context.Context, hash string, names ...string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, workWithin)
	defer cancel()
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	list, err := e.api.Resource(environments).List(ctx, metav1.ListOptions{})
	if err != nil {
		return time.Time{}, err
	}
	from, err := e.api.Resource(environments).Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return time.Time{}, err
	}
	defer from.Stop()
	last := ""
	look := func(u *unstructured.Unstructured) {
		ready, message := hasApplied(u, hash)
		if ready {
			delete(missing, u.GetName())
		} else if missing[u.GetName()] {
			last = message
		}
	}
	for i := range list.Items {
		look(&list.Items[i])
	}
	for len(missing) > 0 {
		event, ok := <-from.ResultChan()
		if !ok {
			return time.Time{}, errors.Join(fmt.Errorf("%d Environments are not applied, one says %q", len(missing), last), ctx.Err())
		}
		if u, ok := event.Object.(*unstructured.Unstructured); ok {
			look(u)
		}
	}
	return time.Now(), nil
}

// hasApplied reports whether an Environment is Ready with a commit.
func hasApplied(u *unstructured.Unstructured, hash string) (applied bool, message string) {
	revision, _, _ := unstructured.NestedString(u.Object, "status", "lastAppliedRevision")
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == "Ready" {
			message, _ = m["message"].(string)
			applied = m["status"] == "True" && strings.HasSuffix(revision, hash)
		}
	}
	return applied, message
}

// compare makes sure that all objects are there, and Secrets hold what was sealed.
func (e *envCluster) compare(ctx context.Context, set *appSet) error {
	for _, want := range set.objects {
		in := e.api.Resource(resources[want.GetKind()]).Namespace(want.GetNamespace())
		got, err := in.Get(ctx, want.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if want.GetKind() != "Secret" {
			continue
		}
		data, _ := json.Marshal(got.Object["data"])
		var is map[string][]byte
		if err := json.Unmarshal(data, &is); err != nil {
			return err
		}
		should, _, _ := unstructured.NestedStringMap(want.Object, "stringData")
		if !maps.EqualFunc(is, should, func(is []byte, should string) bool { return string(is) == should }) {
			return fmt.Errorf("the Secret %s/%s is not what was sealed", want.GetNamespace(), want.GetName())
		}
	}
	return nil
}

// rawCopies are the same objects for namespaces of their own.
func rawCopies(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		o = o.DeepCopy()
		o.SetNamespace("raw-" + o.GetNamespace())
		out = append(out, o)
	}
	return out
}
