package controller

import (
	"context"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/vault"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// connections readies the reading of references, where the cluster has the kind
// VaultConnection and lets the controller read it: in place of Sealed Secrets,
// with its RBAC, there are none.
func (o *opener) connections(ctx context.Context, mgr manager.Manager) error {
	o.readings = newReadings(o.later)
	if err := mgr.Add(o.readings); err != nil {
		return err
	}
	err := o.api.List(ctx, &v1alpha1.VaultConnectionList{}, client.Limit(1))
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		o.log.Info("references to Vault are not read: the cluster does not know the kind VaultConnection; apply deploy/base and start again if they should be")
		return nil
	case apierrors.IsForbidden(err):
		o.log.Info("references to Vault are not read: this account may not list VaultConnections; apply deploy/base and start again if they should be")
		return nil
	}
	r := vault.New(vault.Config{
		API: o.api, Cache: mgr.GetCache(), Namespace: o.cfg.Namespace, Well: o.readings.wake,
		Metrics: vault.NewMetrics(ctrlmetrics.Registry), Version: o.cfg.Version, Log: o.log,
	})
	o.resolve = r.Resolve
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		r.Close()
		return nil
	})); err != nil {
		return err
	}
	return r.Add(mgr)
}
