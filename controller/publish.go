package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fuin.dev/keys"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PublicKeys names the ConfigMap, in the controller's namespace, that holds
// what seals: the newest certificate and the newest age recipient. Every
// authenticated user may read it.
const PublicKeys = "fuin-public-keys"

// Keys of the ConfigMap.
const (
	PublicCertificate = "cert.pem"
	PublicRecipients  = "recipients"
	PublicRing        = "keys.json" // all keys, newest first
)

// publicKey is an entry of PublicRing.
type publicKey struct {
	Fingerprint string     `json:"fingerprint"`
	Kind        keys.Kind  `json:"kind"`
	State       keys.State `json:"state"`
	Created     time.Time  `json:"created"`
	Secret      string     `json:"secret"` // its name
}

// public lists what seals now.
func public(ring *keys.Ring) map[string]string {
	out := map[string]string{}
	for _, id := range ring.Sealing() {
		name := PublicCertificate
		if id.Kind().Age() {
			name = PublicRecipients
		}
		out[name] = string(bytes.TrimRight(id.Recipient().Marshal(), "\n")) + "\n"
	}
	return out
}

// sealing lists the public halves of the keys that seal now.
func (k *keyring) sealing() (out []*keys.Recipient) {
	for _, id := range k.ring.Load().Sealing() {
		out = append(out, id.Recipient())
	}
	return out
}

// inventory lists all keys of the ring, as JSON.
func (k *keyring) inventory() (string, error) {
	out := []publicKey{}
	for _, id := range k.ring.Load().All() {
		out = append(out, publicKey{id.Fingerprint(), id.Kind(), id.State(), id.Created().UTC(), k.names[id]})
	}
	text, err := json.MarshalIndent(out, "", "  ") //nolint:gosec // the name of a Secret is none
	return string(text) + "\n", err
}

// published reads the ConfigMap, and makes it if there is none.
func (k *keyring) published(ctx context.Context) (*corev1.ConfigMap, error) {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.cfg.Namespace, Name: PublicKeys}}
	err := k.api.Get(ctx, client.ObjectKeyFromObject(m), m)
	if apierrors.IsNotFound(err) {
		err = k.api.Create(ctx, m, client.FieldOwner(fieldOwner))
	}
	return m, publishing(err)
}

// publish brings the ConfigMap up to date with the ring.
func (k *keyring) publish(ctx context.Context, m *corev1.ConfigMap) error {
	want := public(k.ring.Load())
	ring, err := k.inventory()
	if err != nil {
		return publishing(err)
	}
	if want[PublicRing] = ring; maps.Equal(m.Data, want) {
		return nil
	}
	m.Data = want
	return publishing(k.api.Update(ctx, m, client.FieldOwner(fieldOwner)))
}

func publishing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("publishing the keys that seal: %w", err)
}
