package controller

import (
	"context"
	"errors"

	"fuin.dev/controller/api/bitnami"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// prelude is a source of no events: workers start when it has run.
type prelude func(context.Context) error

// Start starts nothing.
func (prelude) Start(context.Context, queue) error { return nil }

// WaitForSync runs it.
func (p prelude) WaitForSync(ctx context.Context) error { return p(ctx) }

// recall goes through all Secrets once, page by page, and notes those that are
// as their status says: a restart then reads and opens none of them. What goes
// wrong here costs a read of each object later, and nothing else.
func (o *opener) recall(ctx context.Context) error {
	if err := errors.Join(o.keyring.kept.wait(ctx), o.awaitCaches(ctx)); err != nil {
		return err
	}
	namespaces := o.cfg.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	p := pass{o, o.keyring.ring.Load()}
	for _, namespace := range namespaces {
		if err := o.pages(ctx, namespace, func(s *corev1.Secret) { p.recognize(ctx, s) }); err != nil && ctx.Err() == nil {
			o.log.Warn("reading the Secrets at the start; each is read by itself", "error", apiMessage(err))
		}
	}
	return ctx.Err()
}

// awaitCaches waits until the SealedSecrets and the metadata of Secrets are known.
func (o *opener) awaitCaches(ctx context.Context) error {
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	for _, kind := range []client.Object{&bitnami.SealedSecret{}, secrets} {
		if _, err := o.informers.GetInformer(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// recognize notes a Secret that is as the status of its SealedSecret says.
func (o pass) recognize(ctx context.Context, s *corev1.Secret) {
	var ss bitnami.SealedSecret
	name := types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
	if o.cache.Get(ctx, name, &ss) != nil || ss.DeletionTimestamp != nil || ss.Status.ObservedGeneration != ss.Generation {
		return
	}
	if o.settled(&ss, s) {
		o.metrics.observe(&ss)
		o.remember(&ss, s)
	}
}

// A page of Secrets is to hold about this many bytes: a single one may have
// over a million.
const (
	pageBytes = 2 << 20
	firstPage = 50
	maxPage   = 500
)

// pages visits all Secrets of a namespace but those that hold Helm's releases,
// which are many, large, and nobody's to open.
func (o *opener) pages(ctx context.Context, namespace string, visit func(*corev1.Secret)) error {
	options := &client.ListOptions{
		Namespace: namespace, Limit: firstPage,
		FieldSelector: fields.OneTermNotEqualSelector("type", "helm.sh/release.v1"),
	}
	for {
		var page corev1.SecretList
		if err := o.api.List(ctx, &page, options); err != nil {
			return err
		}
		size := 1
		for i := range page.Items {
			visit(&page.Items[i])
			size += page.Items[i].Size()
		}
		if page.Continue == "" {
			return nil
		}
		options.Continue = page.Continue
		options.Limit = min(maxPage, max(1, int64(len(page.Items)*pageBytes/size)))
	}
}
