package controller

import (
	"bytes"
	"context"
	"fmt"
	"maps"

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
)

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

// publish brings the ConfigMap up to date with the ring.
func (k *keyring) publish(ctx context.Context) error {
	want := public(k.ring.Load())
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.cfg.Namespace, Name: PublicKeys}, Data: want}
	err := k.api.Create(ctx, m, client.FieldOwner(fieldOwner))
	if err == nil || !apierrors.IsAlreadyExists(err) {
		return publishing(err)
	}
	if err := k.api.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
		return publishing(err)
	}
	if maps.Equal(m.Data, want) {
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
