package controller

import (
	"context"
	"strings"
	"unique"

	"fuin.dev/controller/api/bitnami"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sight is what the opener last found at rest; while nothing of it changes,
// an event costs no call.
type sight struct {
	uid       types.UID
	gen       int64
	spec      string // digest
	status    string // digest
	opened    bool   // else it rests on the whole ring
	keys      string // that opened it, one behind the other
	worth     string // what they, or the ring, were worth
	secretUID types.UID
	secretRV  string
}

func (o pass) sight(ss *bitnami.SealedSecret, secret metav1.Object) sight {
	s := sight{spec: specDigest(ss)}
	if r := ss.Status.Fuin; r != nil && isTrue(ss.Status.Conditions, bitnami.Ready) {
		s.opened, s.keys = true, unique.Make(strings.Join(r.Keys, " ")).Value()
	}
	s.worth = o.worth(s)
	s.refresh(ss)
	if secret != nil {
		s.secretUID, s.secretRV = secret.GetUID(), secret.GetResourceVersion()
	}
	return s
}

// refresh takes over what a written status says.
func (s *sight) refresh(ss *bitnami.SealedSecret) {
	s.uid, s.gen, s.status = ss.UID, ss.Generation, statusDigest(ss.Status)
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
func (o pass) rests(ctx context.Context, ss *bitnami.SealedSecret) bool {
	v, ok := o.seen.Load(client.ObjectKeyFromObject(ss))
	if !ok {
		return false
	}
	last := v.(sight)
	secret, err := o.cachedSecret(ctx, ss)
	if err != nil {
		return false
	}
	now := last
	now.refresh(ss)
	now.spec, now.worth, now.secretUID, now.secretRV = specDigest(ss), o.worth(last), "", ""
	if secret != nil {
		now.secretUID, now.secretRV = secret.UID, secret.ResourceVersion
	}
	return last == now
}

// cachedSecret is the metadata of the Secret that the cache knows, nil if none.
func (o pass) cachedSecret(ctx context.Context, ss *bitnami.SealedSecret) (*metav1.PartialObjectMetadata, error) {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := o.cache.Get(ctx, client.ObjectKeyFromObject(ss), secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return secret, err
}

func (o pass) remember(ss *bitnami.SealedSecret, secret *corev1.Secret) {
	s := o.sight(ss, nil)
	if secret != nil {
		s = o.sight(ss, secret)
	}
	o.keepSight(client.ObjectKeyFromObject(ss), s)
}
