package controller

import (
	"context"
	"errors"
	"iter"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/apierror"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// prelude is a source of no events: workers start when it has run.
type prelude func(context.Context) error

// Start starts nothing.
func (prelude) Start(context.Context, queue) error { return nil }

// WaitForSync runs it.
func (p prelude) WaitForSync(ctx context.Context) error { return p(ctx) }

// recall goes through all SealedSecrets and Secrets once, page by page and side
// by side, and notes those that rest: a restart then reads and opens none of
// them. What goes wrong here costs a read of each object later, and nothing else.
func (o *opener) recall(ctx context.Context) error {
	if err := o.keyring.kept.wait(ctx); err != nil {
		return err
	}
	namespaces := o.cfg.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	p := pass{o, o.keyring.ring.Load()}
	for _, namespace := range namespaces {
		if err := p.recognizeAll(ctx, namespace); err != nil && ctx.Err() == nil {
			o.log.Warn("going through the Secrets at the start; the rest is read one by one", "error", apierror.Text(err))
		}
	}
	return ctx.Err()
}

// recognizeAll brings each SealedSecret together with its Secret: both lists
// are in the order of their names.
func (o pass) recognizeAll(ctx context.Context, namespace string) error {
	next, stop := iter.Pull2(o.secrets(ctx, namespace))
	defer stop()
	secret, err, more := next()
	n := 0
	for ss, failed := range o.sealedSecrets(ctx, namespace) {
		if failed != nil {
			return failed
		}
		if n++; n == manyObjects {
			collectAt(gcPercentMany)
		}
		for more && err == nil && keyOf(secret) < keyOf(ss) {
			secret, err, more = next()
		}
		switch {
		case err != nil:
			return err
		case more && keyOf(secret) == keyOf(ss):
			o.recognize(ss, secret)
		default:
			o.recognize(ss, nil)
		}
	}
	return nil
}

// keyOf is how etcd orders objects.
func keyOf(o client.Object) string { return o.GetNamespace() + "/" + o.GetName() }

// recognize notes an object that is as its status says, and keeps another for
// its opening.
func (o pass) recognize(ss *bitnami.SealedSecret, secret *corev1.Secret) {
	ss.Spec.Digest = specDigest(ss)
	switch {
	case ss.DeletionTimestamp != nil:
	case ss.Status.ObservedGeneration == ss.Generation && o.settled(ss, secret):
		o.metrics.observe(ss)
		o.remember(ss, secret)
		o.expectReading(ss)
		o.tide.rise() // what is to be opened counts when that is done
	default:
		o.bodies.put(ss)
	}
}

// secrets lists all Secrets but those that hold Helm's releases, which are
// many, large, and nobody's to open.
func (o *opener) secrets(ctx context.Context, namespace string) iter.Seq2[*corev1.Secret, error] {
	noReleases := fields.OneTermNotEqualSelector("type", "helm.sh/release.v1")
	options := client.ListOptions{Namespace: namespace, FieldSelector: noReleases}
	return inOrder(ctx, options, (*corev1.Secret).Size, func(ctx context.Context, options *client.ListOptions) page[corev1.Secret] {
		var list corev1.SecretList
		err := o.api.List(ctx, &list, options)
		return page[corev1.Secret]{list.Items, list.Continue, err}
	})
}

func (o *opener) sealedSecrets(ctx context.Context, namespace string) iter.Seq2[*bitnami.SealedSecret, error] {
	selector, err := labels.Parse(o.cfg.LabelSelector)
	if err != nil {
		return func(yield func(*bitnami.SealedSecret, error) bool) { yield(nil, err) }
	}
	options := client.ListOptions{Namespace: namespace, LabelSelector: selector}
	return inOrder(ctx, options, sizeOf, func(ctx context.Context, options *client.ListOptions) page[bitnami.SealedSecret] {
		var list bitnami.SealedSecretList
		err := o.api.List(ctx, &list, options)
		return page[bitnami.SealedSecret]{list.Items, list.Continue, err}
	})
}

// A page is a part of a list.
type page[T any] struct {
	items []T
	next  string // where the list goes on; empty at its end
	err   error
}

// A page is to hold about this many bytes: a single object may have over a
// million.
const (
	pageBytes = 1 << 19
	firstPage = 50
	maxPage   = 500
)

// errNoList ends a walk through a list that the API server cannot continue.
var errNoList = errors.New("the list is empty and yet goes on")

// inOrder lists objects page by page. While one is gone through, the next one is
// on its way.
func inOrder[T any](ctx context.Context, options client.ListOptions, size func(*T) int,
	list func(context.Context, *client.ListOptions) page[T],
) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		coming := make(chan page[T], 1) // one that nobody waits for any more keeps nobody
		ask := func(options client.ListOptions) { coming <- list(ctx, &options) }
		options.Limit = firstPage
		go ask(options)
		for more := true; more; {
			p := <-coming
			if more = p.next != ""; more && p.err == nil && len(p.items) == 0 {
				p.err = errNoList
			}
			if p.err != nil {
				yield(nil, p.err)
				return
			}
			if more {
				options.Continue, options.Limit = p.next, p.follower(size)
				go ask(options)
			}
			for i := range p.items {
				if !yield(&p.items[i], nil) {
					return
				}
			}
		}
	}
}

// follower is how many objects the next page is to have, going by this one.
func (p page[T]) follower(size func(*T) int) int64 {
	bytes := 1
	for i := range p.items {
		bytes += size(&p.items[i])
	}
	return min(maxPage, max(1, int64(len(p.items)*pageBytes/bytes)))
}
