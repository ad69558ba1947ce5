package controller

import (
	"context"
	"strings"
	"unique"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/environment"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sight is what the opener last found at rest; while nothing of it changes,
// an event costs no call.
type sight struct {
	uid       string
	version   string // of the SealedSecret
	opened    bool   // else it rests on the whole ring
	keys      string // that opened it, one behind the other
	worth     string // what they, or the ring, were worth
	secretUID string
	secretRV  string
}

func (o pass) sight(ss *bitnami.SealedSecret, secret metav1.Object) sight {
	s := sight{uid: string(ss.UID), version: ss.ResourceVersion}
	if r := ss.Status.Fuin; r != nil && isTrue(ss.Status.Conditions, bitnami.Ready) {
		s.opened, s.keys = true, unique.Make(strings.Join(r.Keys, " ")).Value()
	}
	s.worth = o.worth(s)
	if secret != nil {
		s.secretUID, s.secretRV = string(secret.GetUID()), secret.GetResourceVersion()
	}
	return s
}

// worth names what of the ring a sight rests on: the keys that opened the
// object and what they are worth now, or all keys where none did.
func (o pass) worth(s sight) string {
	if !s.opened {
		return o.ring.Digest()
	}
	worth := ""
	for fingerprint := range strings.FieldsSeq(s.keys) {
		worth += string(o.stateOf(fingerprint)) + " "
	}
	return unique.Make(worth).Value()
}

// rests compares the caches, and the ring, with what was last found at rest.
func (o pass) rests(ctx context.Context, ss *metav1.PartialObjectMetadata) bool {
	last, ok := o.seen.get(client.ObjectKeyFromObject(ss))
	if !ok {
		return false
	}
	if last.uid == string(ss.UID) && last.worth == o.worth(last) && environment.IsOlder(ss.ResourceVersion, last.version) {
		return true // the cache lags behind what was seen already, and will tell what comes after it
	}
	secret, err := o.cached(ctx, corev1.SchemeGroupVersion.WithKind("Secret"), client.ObjectKeyFromObject(ss))
	if err != nil {
		return false
	}
	now := last
	now.uid, now.version, now.worth, now.secretUID, now.secretRV = string(ss.UID), ss.ResourceVersion, o.worth(last), "", ""
	if secret != nil {
		now.secretUID, now.secretRV = string(secret.UID), secret.ResourceVersion
	}
	return last == now
}

// cached is the metadata of an object that the cache knows, nil if none.
func (o *opener) cached(ctx context.Context, kind schema.GroupVersionKind, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(kind)
	err := o.cache.Get(ctx, name, m)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return m, err
}

func (o pass) remember(ss *bitnami.SealedSecret, secret *corev1.Secret) {
	s := o.sight(ss, nil)
	if secret != nil {
		s = o.sight(ss, secret)
	}
	o.keepSight(client.ObjectKeyFromObject(ss), s)
}
