package controller

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/apierror"
	"fuin.dev/controller/environment"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// opener makes the Secret of each SealedSecret. It is the only writer of
// opened Secrets.
type opener struct {
	cache    client.Reader // metadata of SealedSecrets and Secrets
	api      client.Client // straight to the API server
	keyring  *keyring
	operator operator
	render   seal.Renderer
	events   record.EventRecorder
	quota    quota // of events
	metrics  *metrics
	log      *slog.Logger
	cfg      Config
	queue    queue         // made before the first Reconcile
	queued   chan struct{} // closed when it is
	retries  backoff       // of writes that met another writer
	pruned   sync.Once
	bodies   *bodies                                // read at the start
	tide     *tide                                  // of objects done with
	names    locks                                  // of SealedSecrets that are worked on
	tenants  atomic.Pointer[environment.Reconciler] // nil where there are no Environments
	readings *readings                              // of references to Vault
	resolve  resolver                               // nil where there are no VaultConnections

	// What is known of each SealedSecret.
	seen       table[sight]      // as it was last found at rest
	done       table[memo]       // what was made, where no status tells
	searches   table[*search]    // openings that go on later
	unreported table[unreported] // statuses that are written later
}

// pass is one look at one SealedSecret, with the ring as it was at its start:
// what is tried and what is recorded as tried are the same keys.
type pass struct {
	*opener
	ring *keys.Ring
}

// Reconcile brings one SealedSecret's Secret and status to what they should be.
func (o *opener) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	defer o.names.lock(req.NamespacedName)()
	return pass{o, o.keyring.ring.Load()}.reconcile(ctx, req)
}

// reconcile is all that is done. What rests already costs no call.
func (o pass) reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	cached, err := o.load(ctx, req.NamespacedName)
	if err != nil || cached == nil {
		return reconcile.Result{}, err
	}
	if done, res, err := o.reportNow(ctx, cached); done {
		return res, err
	}
	if o.rests(ctx, cached) {
		if due, _ := o.readings.isDue(req.NamespacedName); !due || o.reread(cached) {
			o.comeBack(req.NamespacedName)
			return reconcile.Result{}, nil
		}
	}
	ss, err := o.body(ctx, cached)
	if err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	secret, err := o.secretOf(ctx, ss)
	if err != nil {
		return o.report(ctx, ss, outcome{failure: transient("fetch", "reading its Secret", err)})
	}
	return o.attend(ctx, ss, secret)
}

// attend goes over a SealedSecret that was read in full.
func (o pass) attend(ctx context.Context, ss *bitnami.SealedSecret, secret *corev1.Secret) (reconcile.Result, error) {
	refs, failed := referencesOf(ss)
	switch {
	case failed != nil && !o.settled(ss, secret):
		o.readings.forget(client.ObjectKeyFromObject(ss))
		return o.conclude(ctx, ss, outcome{secret: secret, failure: failed})
	case !refs.none():
		return o.refresh(ctx, ss, secret, refs)
	}
	o.readings.forget(client.ObjectKeyFromObject(ss))
	if o.settled(ss, secret) {
		return o.confirm(ctx, ss, secret)
	}
	return o.conclude(ctx, ss, o.process(ctx, ss, secret, refs.escaped()))
}

// conclude reports an outcome, now or later, or lets the opening go on later.
func (o pass) conclude(ctx context.Context, ss *bitnami.SealedSecret, out outcome) (reconcile.Result, error) {
	switch {
	case out.failure != nil && out.failure.undecided:
		o.later(client.ObjectKeyFromObject(ss))
		return reconcile.Result{}, nil
	case o.mayWait(out):
		o.reportLater(ss, out)
		return reconcile.Result{}, nil
	}
	return o.report(ctx, ss, out)
}

// load reads the SealedSecret from the cache; nil when it is gone or going.
func (o pass) load(ctx context.Context, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	ss, err := o.cached(ctx, sealedSecret, name)
	if err == nil && (ss == nil || ss.DeletionTimestamp != nil) {
		for _, known := range []interface{ forget(types.NamespacedName) }{&o.seen, &o.done, &o.searches, &o.unreported, o.readings, o.metrics} {
			known.forget(name)
		}
		return nil, nil // garbage collection removes the Secret
	}
	return ss, err
}

// sealedSecret is the kind as the cache knows it.
var sealedSecret = bitnami.GroupVersion.WithKind(bitnami.Kind)

// body reads the SealedSecret with its values and its status.
func (o pass) body(ctx context.Context, ss *metav1.PartialObjectMetadata) (*bitnami.SealedSecret, error) {
	if kept := o.bodies.take(client.ObjectKeyFromObject(ss), ss.UID, ss.ResourceVersion); kept != nil {
		return kept, nil
	}
	var full bitnami.SealedSecret
	if err := o.api.Get(ctx, client.ObjectKeyFromObject(ss), &full); err != nil {
		return nil, err
	}
	if full.UID != ss.UID {
		return nil, apierrors.NewNotFound(bitnami.GroupVersion.WithResource("sealedsecrets").GroupResource(), ss.Name)
	}
	full.Spec.Digest = specDigest(&full)
	return &full, nil
}

// secretOf reads the Secret that the SealedSecret names; nil if there is none.
// The cache's word that there is none counts for objects never seen before: the
// worst that can come of it is a create that meets the Secret. For others the
// cache may lag behind what the opener itself made.
func (o pass) secretOf(ctx context.Context, ss *bitnami.SealedSecret) (*corev1.Secret, error) {
	if _, seen := o.seen.get(client.ObjectKeyFromObject(ss)); !seen && ss.Status.Fuin == nil {
		meta, err := o.cached(ctx, corev1.SchemeGroupVersion.WithKind("Secret"), client.ObjectKeyFromObject(ss))
		if err == nil && meta == nil {
			return nil, nil
		}
	}
	var s corev1.Secret
	err := o.api.Get(ctx, client.ObjectKeyFromObject(ss), &s)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// outcome is what became of one SealedSecret.
type outcome struct {
	secret  *corev1.Secret // as it stands now; nil if there is none
	record  *bitnami.Record
	wrote   bool
	random  bool     // a value of it cannot be made a second time
	failure *failure // nil if all is well

	refers   bool     // it holds references to Vault
	stale    *failure // why they could not be read
	lastRead string   // when they last could
}

// process opens the values and makes the Secret, with those of references if it
// has any. It changes nothing unless everything opened.
func (o pass) process(ctx context.Context, ss *bitnami.SealedSecret, secret *corev1.Secret, v *values) outcome {
	fail := func(f *failure) outcome { return outcome{secret: secret, failure: f} }
	mode, failed := o.terms(ss, secret)
	if failed != nil {
		return fail(failed)
	}
	opened, failed := o.open(ctx, ss, v)
	if failed != nil {
		return fail(failed)
	}
	p := newPlan(ss, opened, mode, v)
	o.keepRandom(&p, ss, secret)
	if failed := o.guardKeys(p); failed != nil {
		return fail(failed)
	}
	if failed := o.announceLease(ctx, p); failed != nil {
		return fail(failed)
	}
	written, wrote, failed := o.write(ctx, p, secret)
	if failed != nil {
		return fail(failed)
	}
	record := o.recordOf(p, written)
	o.done.put(client.ObjectKeyFromObject(ss), memo{ss.UID, record})
	return outcome{secret: written, record: record, wrote: wrote, random: len(p.random) > 0}
}

// failure is why a SealedSecret is not served. Its message holds no content.
type failure struct {
	reason  string // of the conditions and the event
	kind    string // of the metric: fetch, status, unseal, update, unmanaged
	message string
	hint    string // what to do about it; may be empty
	target  bool   // it rests on the Secret that stands in the way, too
	again   error  // set if trying again may help without any change

	undecided bool // none at all: not all keys were tried yet

	refers     bool   // references could not be read: they are tried again on their own time
	ofValues   bool   // other values of references may mend it
	connection string // of the Vault that they were to be read from
}

// advice is the message and what to do.
func (f *failure) advice() string {
	if f.hint == "" {
		return f.message
	}
	return f.message + ": " + f.hint
}

// The reasons are the event reasons of Sealed Secrets.
const (
	reasonUnsealed     = "Unsealed"
	reasonUnsealFailed = "ErrUnsealFailed"
	reasonUpdateFailed = "ErrUpdateFailed"
)

func transient(kind, doing string, err error) *failure {
	return &failure{reason: reasonUpdateFailed, kind: kind, message: doing + ": " + apierror.Text(err), again: err}
}

func inTheWay(kind, message string) *failure {
	return &failure{reason: reasonUpdateFailed, kind: kind, message: message, target: true, ofValues: kind == "update"}
}
