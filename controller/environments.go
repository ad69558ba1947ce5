package controller

import (
	"context"
	"net/http"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/environment"
	"fuin.dev/controller/fair"
	"fuin.dev/controller/server"
	"fuin.dev/controller/source"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// environments adds the reconciler of Environments, where the cluster has the
// kind and lets the controller read it: in place of Sealed Secrets, with its
// RBAC, there are none.
func (o *opener) environments(ctx context.Context, mgr manager.Manager) (server.Hook, error) {
	if o.cfg.Directory == nil {
		return nil, nil
	}
	err := o.api.List(ctx, &v1alpha1.EnvironmentList{}, client.Limit(1))
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		o.log.Info("Environments are not served: the cluster does not know the kind; apply deploy/base and start again if they should be")
		return nil, nil
	case apierrors.IsForbidden(err):
		o.log.Info("Environments are not served: this account may not list them; apply deploy/base and start again if they should be")
		return nil, nil
	}
	store, err := source.New(source.Config{Dir: o.cfg.SourceDir, LocalRoot: o.cfg.SourceRoot})
	if err != nil {
		o.log.Error("Environments are not served: no place for what is fetched; give --source-dir", "error", err)
		return nil, nil
	}
	if err := mgr.Add(closing{store}); err != nil {
		return nil, err
	}
	r := environment.New(environment.Config{
		Rest: mgr.GetConfig(), API: mgr.GetClient(), Live: mgr.GetAPIReader(), Mapper: mgr.GetRESTMapper(), Source: store, Events: o.events,
		Render: shared(fair.NewRoomyGate(o.cfg.Sandboxes), o.cfg.Directory), Open: o.openNow, Try: o.tryNow,
		Known: func(fingerprint string) bool {
			return o.keyring.ring.Load().Find(fingerprint) != nil
		},
		Annotate: o.annotate,
		Metrics:  environment.NewMetrics(ctrlmetrics.Registry), Log: o.log,
	})
	hook := func(ctx context.Context, namespace, name string, header http.Header, body []byte) (bool, error) {
		return r.Hook(ctx, types.NamespacedName{Namespace: namespace, Name: name}, header, body)
	}
	o.tenants.Store(r)
	return hook, r.Add(mgr)
}

// shared lets a tenant render in as many sandboxes as are free, so that there is
// one for a newcomer: what never ends occupies one until its deadline.
func shared(gate *fair.Gate, directory func(context.Context, render.Directory) (*render.Set, error)) func(context.Context, string, render.Directory) (*render.Set, error) {
	return func(ctx context.Context, tenant string, d render.Directory) (*render.Set, error) {
		if err := gate.Enter(ctx, tenant); err != nil {
			return nil, err
		}
		defer gate.Leave(tenant)
		return directory(ctx, d)
	}
}

// closing closes what the manager's runnables worked with, at its end.
type closing struct{ store *source.Store }

func (c closing) Start(ctx context.Context) error {
	<-ctx.Done()
	return c.store.Close()
}

// NeedLeaderElection is of the manager: every replica has a store.
func (closing) NeedLeaderElection() bool { return false }

// annotate puts the code of what a workload names into its pod template.
func (o *opener) annotate(ctx context.Context, tenant client.Reader, workload, live map[string]any) (map[string]string, error) {
	if err := o.keyring.kept.wait(ctx); err != nil {
		return nil, err
	}
	read := &named{Reader: tenant, secrets: o.api, versions: map[string]string{}}
	err := o.keyring.coder.Annotate(ctx, read, workload, live)
	return read.versions, err
}

// named reads what a workload names: Secrets as the controller, which made most
// of them, and notes their versions; ConfigMaps as the tenant.
type named struct {
	client.Reader
	secrets  client.Reader
	versions map[string]string
}

func (n *named) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if _, secret := obj.(*corev1.Secret); !secret {
		return n.Reader.Get(ctx, key, obj, opts...)
	}
	err := n.secrets.Get(ctx, key, obj, opts...)
	if err == nil || apierrors.IsNotFound(err) {
		n.versions[key.Name] = obj.GetResourceVersion()
	}
	return err
}
