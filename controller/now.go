package controller

import (
	"context"
	"errors"
	"sync"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/environment"
	"fuin.dev/controller/vault"
	"fuin.dev/render"
	"fuin.dev/seal"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What an Environment applied is opened at once, ahead of the queue.

// locks are one for each SealedSecret that is being worked on: the queue gives
// a name to one worker at a time, and an Environment comes beside the queue.
type locks struct {
	mu   sync.Mutex
	held map[types.NamespacedName]*lock
}

type lock struct {
	sync.Mutex
	users int
}

func (l *locks) lock(name types.NamespacedName) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[types.NamespacedName]*lock{}
	}
	one := l.held[name]
	if one == nil {
		one = &lock{}
		l.held[name] = one
	}
	one.users++
	l.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(l.held, name)
		}
	}
}

// openNow brings a SealedSecret as the API server just returned it to its
// Secret and reports, as the queue would. It returns why the Secret is not as
// it should be, nil if it is.
func (o *opener) openNow(ctx context.Context, ss *bitnami.SealedSecret) *environment.SecretFailure {
	if err := o.keyring.kept.wait(ctx); err != nil {
		return &environment.SecretFailure{Reason: reasonUpdateFailed, Message: "the keys are not there yet", Again: true}
	}
	f := o.nowOrNever(ctx, ss)
	if f == nil {
		return nil
	}
	return &environment.SecretFailure{Reason: f.reason, Message: f.message, Again: f.again != nil || f.undecided}
}

// meetings is how often another writer may be met in one opening, and how often
// its references are waited for.
const meetings = 3

// nowOrNever goes over a SealedSecret that need not be read, unless the queue
// was quicker: then what it left is looked at. While references are read nobody
// else is kept from the object: a worker would wait for a Vault.
func (o *opener) nowOrNever(ctx context.Context, ss *bitnami.SealedSecret) (f *failure) {
	for met, waited := 0, 0; met < meetings; {
		var reading <-chan struct{}
		if f, reading = o.look(ctx, ss); reading == nil {
			if f == nil || !apierrors.IsConflict(f.again) && !apierrors.IsAlreadyExists(f.again) {
				return f
			}
			met++
			continue
		}
		if waited++; waited > meetings {
			return unreadable(vault.Failure{Reason: vault.Unreachable, Message: "it changed meanwhile", Again: true})
		}
		select {
		case <-reading:
		case <-ctx.Done():
			return unreadable(vault.Failure{Reason: vault.Unreachable, Message: "there was no answer in time", Again: true})
		}
	}
	return f
}

// look is one look at a SealedSecret, with the ring as it is. If its references
// are being read, another one is to be taken when that is done.
func (o *opener) look(ctx context.Context, ss *bitnami.SealedSecret) (f *failure, reading <-chan struct{}) {
	name := client.ObjectKeyFromObject(ss)
	defer o.names.lock(name)()
	if u, waits := o.unreported.get(name); waits && u.uid == ss.UID && u.gen == ss.Generation {
		return nil, nil // it is open; its status is the queue's
	}
	if _, seen := o.seen.get(name); seen {
		if err := o.api.Get(ctx, name, ss); err != nil {
			return transient("fetch", "reading it", err), nil
		}
	}
	ss.Spec.Digest = specDigest(ss)
	return pass{o, o.keyring.ring.Load()}.now(ctx, ss)
}

// now is one pass over a SealedSecret as it stands.
func (o pass) now(ctx context.Context, ss *bitnami.SealedSecret) (f *failure, reading <-chan struct{}) {
	secret, err := o.secretOf(ctx, ss)
	if err != nil {
		return transient("fetch", "reading its Secret", err), nil
	}
	refs, failed := referencesOf(ss)
	switch {
	case failed != nil && !o.settled(ss, secret):
		return o.concludeNow(ctx, ss, outcome{secret: secret, failure: failed}), nil
	case !refs.none():
		return o.refreshNow(ctx, ss, secret, refs)
	}
	if o.settled(ss, secret) {
		return settledFailure(ss), nil
	}
	return o.concludeNow(ctx, ss, o.process(ctx, ss, secret, refs.escaped())), nil
}

// concludeNow reports an outcome, and returns its failure.
func (o pass) concludeNow(ctx context.Context, ss *bitnami.SealedSecret, out outcome) *failure {
	if _, err := o.conclude(ctx, ss, out); err != nil && out.failure == nil {
		o.later(client.ObjectKeyFromObject(ss)) // the Secret is made; its status is the queue's
	}
	if f := out.failure; f != nil && f.undecided {
		f.reason, f.message = reasonUnsealFailed, "not all keys were tried yet; the search goes on"
	}
	return out.failure
}

// settledFailure is the failure that a status at rest tells of.
func settledFailure(ss *bitnami.SealedSecret) *failure {
	c := conditionOf(ss.Status.Conditions, bitnami.Ready)
	if c == nil || isTrue(ss.Status.Conditions, bitnami.Ready) {
		return nil
	}
	return &failure{reason: c.Reason, message: c.Message}
}

// tryNow opens a SealedSecret in memory and throws away what it opened.
func (o *opener) tryNow(ctx context.Context, ss *bitnami.SealedSecret) *environment.SecretFailure {
	try, leave := o.operator.turns(ctx, ss.Namespace)
	defer leave()
	_, err := seal.Opener{
		Identities: o.keyring.ring.Load().Candidates(hints(ss), ss.CreationTimestamp.Time), Try: try,
		Render: o.operator.sandboxed(ss.Namespace, leave, o.render),
	}.Object(ctx, objectOf(ss))
	if err == nil {
		return nil
	}
	again := ctx.Err() != nil || errors.Is(err, render.ErrUnavailable) || errors.Is(err, render.ErrClosed)
	return &environment.SecretFailure{Reason: reasonUnsealFailed, Message: bounded(err.Error()), Again: again}
}
