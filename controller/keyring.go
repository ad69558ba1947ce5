package controller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/apierror"
	"fuin.dev/controller/roll"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

const (
	macSecret  = "fuin-mac"
	macType    = "fuin.dev/mac-key"
	macDataKey = "key"
	agePrefix  = "fuin-age-key"
)

// keyring keeps the cluster's ring: read from Secrets, swapped whole. Every
// replica reads it; the leader alone makes keys and publishes them. All methods
// but those of the atomic fields are for one goroutine, that of its reconciler.
type keyring struct {
	api  client.Client // reads and writes straight to the API server
	cfg  Config
	log  *slog.Logger
	ring atomic.Pointer[keys.Ring]
	from atomic.Pointer[map[string]bool] // names of the Secrets it was read from

	names map[*keys.Identity]string // of the Secrets, by what they hold
	told  string                    // digest of the ring that all objects were last queued for

	leads   atomic.Bool
	trigger chan event.GenericEvent // has the keys looked at again
	forced  atomic.Int64            // Unix time of the last signal to renew
	ready   *once                   // there are keys to serve
	kept    *once                   // this replica leads, and the keys and macs are there
	macs    macs                    // once kept
	coder   *roll.Coder             // likewise

	// malformed is told of each Secret that should hold a key and does not.
	malformed func(*corev1.Secret, error)
}

func newKeyring(api client.Client, cfg Config, malformed func(*corev1.Secret, error)) *keyring {
	return &keyring{
		api: api, cfg: cfg, log: cfg.Log, malformed: malformed,
		trigger: make(chan event.GenericEvent, 1), ready: newOnce(), kept: newOnce(),
	}
}

// once is something that happens at most once, and can be waited for.
type once struct {
	done chan struct{}
	do   sync.Once
}

func newOnce() *once { return &once{done: make(chan struct{})} }

func (o *once) happen() { o.do.Do(func() { close(o.done) }) }

func (o *once) wait(ctx context.Context) error {
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load reads all key Secrets and swaps the ring.
func (k *keyring) load(ctx context.Context) error {
	secrets, err := k.list(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys in %s: %w", k.cfg.Namespace, err)
	}
	var ids []*keys.Identity
	names := make(map[*keys.Identity]string, len(secrets))
	from := make(map[string]bool, len(secrets))
	for i := range secrets {
		from[secrets[i].Name] = true
		id, err := k.identity(&secrets[i])
		if err != nil {
			k.log.Error("passing over a key Secret", "namespace", secrets[i].Namespace, "name", secrets[i].Name, "error", err)
			k.malformed(&secrets[i], err)
			continue
		}
		ids = append(ids, id)
		names[id] = secrets[i].Name
	}
	k.names = names
	k.from.Store(&from)
	k.ring.Store(keys.NewRing(ids...))
	if !k.leads.Load() && k.newest(keys.RSA) != nil && k.newest(keys.Hybrid) != nil {
		k.ready.happen() // the leader is when it has made what lacks
	}
	return nil
}

// known reports whether the ring was read from the Secret: one that lost its
// label is no key any more.
func (k *keyring) known(name string) bool {
	from := k.from.Load()
	return from != nil && (*from)[name]
}

// list reads the Secrets that claim to hold keys, those that a SealedSecret
// makes left out: a tenant could bring a key of its own that way.
func (k *keyring) list(ctx context.Context) ([]corev1.Secret, error) {
	var out []corev1.Secret
	for _, label := range []string{keys.LabelRSA, keys.LabelAge} {
		var list corev1.SecretList
		if err := k.api.List(ctx, &list, client.InNamespace(k.cfg.Namespace), client.HasLabels{label}); err != nil {
			return nil, err
		}
		out = append(out, list.Items...)
	}
	var unlabelled corev1.Secret
	err := k.api.Get(ctx, client.ObjectKey{Namespace: k.cfg.Namespace, Name: k.cfg.KeyPrefix}, &unlabelled)
	if err == nil && unlabelled.Labels[keys.LabelRSA] == "" {
		out = append(out, unlabelled)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	trusted := out[:0]
	for _, s := range out {
		if owner := metav1.GetControllerOf(&s); owner == nil || owner.Kind != bitnami.Kind {
			trusted = append(trusted, s)
		}
	}
	return trusted, nil
}

func (k *keyring) identity(s *corev1.Secret) (*keys.Identity, error) {
	return keys.Secret{
		Namespace: s.Namespace, Name: s.Name, Type: string(s.Type), Labels: s.Labels,
		Created: s.CreationTimestamp.Time, Data: s.Data, OrderByAge: k.cfg.OrderByAge,
	}.Identity()
}

// macKey reads the key of the status MACs, or makes it.
func (k *keyring) macKey(ctx context.Context) ([]byte, error) {
	at := client.ObjectKey{Namespace: k.cfg.Namespace, Name: macSecret}
	var s corev1.Secret
	err := k.api.Get(ctx, at, &s)
	if apierrors.IsNotFound(err) {
		master := make([]byte, macKeySize)
		_, _ = rand.Read(master) // never fails
		s = corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name},
			Type:       macType, Data: map[string][]byte{macDataKey: master},
		}
		if err = k.api.Create(ctx, &s); apierrors.IsAlreadyExists(err) {
			err = k.api.Get(ctx, at, &s)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the MAC key %s: %s", at, apierror.Text(err))
	case s.Type != macType || len(s.Data[macDataKey]) != macKeySize:
		return nil, errors.New("the Secret " + at.String() + " holds no MAC key: restore it, or delete it and every status is made anew")
	}
	return s.Data[macDataKey], nil
}
