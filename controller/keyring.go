package controller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	macSecret  = "fuin-mac"
	macType    = "fuin.dev/mac-key"
	macDataKey = "key"
	agePrefix  = "fuin-age-key"
)

// keyring keeps the cluster's ring: read from Secrets, swapped whole.
type keyring struct {
	api  client.Client // reads and writes straight to the API server
	cfg  Config
	log  *slog.Logger
	macs macs
	ring atomic.Pointer[keys.Ring]
	from atomic.Pointer[map[string]bool] // names of the Secrets it was read from
	told string                          // digest of the ring that all objects were last queued for

	// malformed is told of each Secret that should hold a key and does not.
	malformed func(*corev1.Secret, error)
}

// start loads the ring and the MAC key, and makes what a new cluster lacks.
func (k *keyring) start(ctx context.Context) error {
	if err := k.load(ctx); err != nil {
		return err
	}
	if err := k.ensure(ctx); err != nil {
		return err
	}
	master, err := k.macKey(ctx)
	if err != nil {
		return err
	}
	k.told = k.ring.Load().Digest()
	k.macs, err = newMACs(master)
	return err
}

// load reads all key Secrets and swaps the ring.
func (k *keyring) load(ctx context.Context) error {
	secrets, err := k.list(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys in %s: %w", k.cfg.Namespace, err)
	}
	var ids []*keys.Identity
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
	}
	k.from.Store(&from)
	k.ring.Store(keys.NewRing(ids...))
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

// ensure makes an RSA and an age key where no active one is: at the first
// start, and when the last active one was retired or revoked.
func (k *keyring) ensure(ctx context.Context) error {
	if err := k.ensureKind(ctx, keys.RSA, k.cfg.KeyPrefix); err != nil {
		return err
	}
	return k.ensureKind(ctx, keys.Hybrid, agePrefix)
}

// maxNames bounds how many key Secrets are tried in one period.
const maxNames = 10

// ensureKind settles on names beforehand, so that two writers meet in
// AlreadyExists; the next name is for a Secret that exists and seals nothing.
func (k *keyring) ensureKind(ctx context.Context, kind keys.Kind, prefix string) error {
	now := time.Now()
	for n := range maxNames {
		if k.seals(kind) {
			return nil
		}
		name := prefix + "-" + period(now)
		if n > 0 {
			name += fmt.Sprintf("-%d", n+1)
		}
		if err := k.create(ctx, kind, name, now); err != nil {
			return err
		}
		if err := k.load(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("no key seals, though Secrets %s-%s… exist in %s: see the errors above", prefix, period(now), k.cfg.Namespace)
}

// seals reports whether the ring has an active key of the kind's encoding.
func (k *keyring) seals(kind keys.Kind) bool {
	return slices.ContainsFunc(k.ring.Load().Sealing(), func(id *keys.Identity) bool { return id.Kind().Age() == kind.Age() })
}

// period names the 30 days in which a time lies, by their first.
func period(t time.Time) string {
	const length = 720 * time.Hour
	return t.UTC().Truncate(length).Format("20060102")
}

func (k *keyring) create(ctx context.Context, kind keys.Kind, name string, now time.Time) error {
	id, err := k.generate(kind, now)
	if err != nil {
		return err
	}
	key := id.Secret(k.cfg.Namespace, name)
	err = k.api.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: key.Labels},
		Type:       corev1.SecretType(key.Type), Data: key.Data,
	})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil // another replica was first
	case err != nil:
		return fmt.Errorf("keeping a new key in %s/%s: %s", key.Namespace, key.Name, apiMessage(err))
	}
	k.log.Info("made a key", "kind", kind, "fingerprint", id.Fingerprint(), "secret", key.Name)
	return nil
}

func (k *keyring) generate(kind keys.Kind, now time.Time) (*keys.Identity, error) {
	if kind == keys.RSA {
		return keys.GenerateRSA(k.cfg.KeyBits, now, k.cfg.KeyTTL, k.cfg.KeyCN)
	}
	return keys.Generate(kind, now, 0, "")
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
		return nil, fmt.Errorf("reading the MAC key %s: %s", at, apiMessage(err))
	case s.Type != macType || len(s.Data[macDataKey]) != macKeySize:
		return nil, errors.New("the Secret " + at.String() + " holds no MAC key: restore it, or delete it and every status is made anew")
	}
	return s.Data[macDataKey], nil
}
