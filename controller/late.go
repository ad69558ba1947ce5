package controller

import (
	"context"
	"errors"
	"maps"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// What is done late stands behind the other objects of its namespace: an
// opening that used up its trials, and the status of a Secret that was made
// while other objects still wait for theirs.

// search is how far an opening came, for one spec and one ring.
type search struct {
	spec, ring string
	seal.Search
}

// searchOf is the object's search, or a new one if the old one is void.
func (o pass) searchOf(ss *bitnami.SealedSecret) *search {
	name := client.ObjectKeyFromObject(ss)
	if s, ok := o.searches.get(name); ok && s.spec == specDigest(ss) && s.ring == o.ring.Digest() {
		return s
	}
	return &search{spec: specDigest(ss), ring: o.ring.Digest()}
}

// settleSearch keeps a search that is to go on, and forgets one that ended.
func (o pass) settleSearch(ss *bitnami.SealedSecret, s *search, err error) {
	name := client.ObjectKeyFromObject(ss)
	if errors.Is(err, seal.ErrUndecided) {
		o.searches.put(name, s)
		return
	}
	o.searches.forget(name)
}

// isLate tells the queue what stands behind its namespace's others.
func (o *opener) isLate(req reconcile.Request) bool {
	_, searching := o.searches.get(req.NamespacedName)
	_, unreported := o.unreported.get(req.NamespacedName)
	return searching || unreported
}

// later makes an object wait behind its namespace's others.
func (o *opener) later(name types.NamespacedName) {
	o.queue.Add(reconcile.Request{NamespacedName: name})
}

// unreported is the outcome of an opening whose status is not written yet. It
// holds no value.
type unreported struct {
	uid    types.UID
	gen    int64
	scope  map[string]string // the annotations that opening rests on
	said   bool              // it says something new
	status bitnami.SealedSecretStatus
	out    outcome
	sight  sight
}

// maxUnreported bounds the statuses that wait: each takes a kilobyte.
const maxUnreported = 2000

// mayWait reports whether the status can be written later: the Secret is made,
// others wait for theirs, and nothing but the record would be lost with this
// process. Without the record a random value would be made anew.
func (o pass) mayWait(out outcome) bool {
	return out.failure == nil && out.wrote && !out.random && !out.leased() && o.unreported.len() < maxUnreported && o.queue.Len() > 0
}

func (o pass) reportLater(ss *bitnami.SealedSecret, out outcome) {
	name := client.ObjectKeyFromObject(ss)
	u := unreported{
		uid: ss.UID, gen: ss.Generation, scope: scopeOf(ss.Annotations), status: o.statusOf(ss, out),
	}
	u.said = !sameWords(ss.Status.Conditions, u.status.Conditions)
	ss.Status = u.status
	u.sight = o.sight(ss, out.secret)
	out.secret = nil // its values are not kept
	u.out = out
	o.unreported.put(name, u)
	o.later(name)
}

// lookAgain has an object looked at once more if its Secret changed while its
// status waited, or the cache lags: an event of that may have come before.
func (o pass) lookAgain(ctx context.Context, name types.NamespacedName) error {
	s, ok := o.seen.get(name)
	secret, err := o.cached(ctx, corev1.SchemeGroupVersion.WithKind("Secret"), name)
	if err != nil || ok && secret != nil && secret.ResourceVersion == s.secretRV {
		return err
	}
	o.later(name)
	return nil
}

// reportNow writes the status that an earlier turn left, if it still is of
// what stands there.
func (o pass) reportNow(ctx context.Context, cached *metav1.PartialObjectMetadata) (done bool, res reconcile.Result, err error) {
	name := client.ObjectKeyFromObject(cached)
	u, ok := o.unreported.take(name)
	if !ok || u.uid != cached.UID || u.gen != cached.Generation || !maps.Equal(u.scope, cached.Annotations) {
		return false, res, nil
	}
	ss := &bitnami.SealedSecret{ObjectMeta: *cached.ObjectMeta.DeepCopy()}
	if res, err = o.deliver(ctx, ss, u.out, u.status, u.said); err != nil || res.RequeueAfter > 0 {
		if !errors.Is(err, context.Canceled) {
			o.unreported.put(name, u)
		}
		return true, res, err
	}
	u.sight.version = ss.ResourceVersion
	o.keepSight(name, u.sight)
	return true, res, o.lookAgain(ctx, name)
}
