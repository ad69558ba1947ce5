package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"fuin.dev/controller/apierror"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// series is the keys of one encoding.
type series struct {
	kind   keys.Kind
	name   string // behind keys.AnnotationRotate
	prefix string // of Secrets
	period time.Duration
	cutoff time.Time
}

// series are RSA keys, which are renewed as Sealed Secrets renews its own, and
// age identities, which rotate on request only: repositories keep the recipient,
// and a monthly change protects nothing of what is in Git.
func (k *keyring) series() []series {
	period := k.cfg.RenewPeriod
	if period < 0 {
		period = 0
	}
	return []series{
		{kind: keys.RSA, name: "rsa", prefix: k.cfg.KeyPrefix, period: period, cutoff: k.cfg.KeyCutoff},
		{kind: keys.Hybrid, name: "age", prefix: agePrefix},
	}
}

// renew makes the keys that are due, and returns when the next one is: zero for
// never.
func (k *keyring) renew(ctx context.Context, requests map[string]string) (next time.Time, err error) {
	for _, s := range k.series() {
		due, err := k.make(ctx, s, k.requested(s, requests))
		if err != nil {
			return next, err
		}
		if s.cutoff.After(time.Now()) && (due.IsZero() || s.cutoff.Before(due)) {
			due = s.cutoff // it may call for a key when it comes
		}
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next, nil
}

// requested is the latest time, up to now, for which a new key was asked for.
func (k *keyring) requested(s series, requests map[string]string) time.Time {
	asked := []time.Time{s.cutoff}
	if at, err := time.Parse(time.RFC3339, requests[keys.AnnotationRotate+s.name]); err == nil {
		asked = append(asked, at)
	}
	if forced := k.forced.Load(); forced > 0 && s.kind == keys.RSA {
		asked = append(asked, time.Unix(forced, 0))
	}
	now := time.Now()
	asked = slices.DeleteFunc(asked, func(t time.Time) bool { return t.After(now.Add(skew)) })
	slices.SortFunc(asked, time.Time.Compare)
	if len(asked) == 0 {
		return time.Time{}
	}
	return asked[len(asked)-1]
}

// skew is how far another's clock may be ahead of ours.
const skew = time.Minute

// maxNames bounds how many Secrets are tried for one key.
const maxNames = 10

// make makes a key if one is due, and returns when the next one is. It settles
// on the Secret's name beforehand, by the time for which the key is due: two
// writers who see the same ring meet in AlreadyExists. The next name is for a
// Secret that exists and yet seals nothing, such as one that was retired.
func (k *keyring) make(ctx context.Context, s series, requested time.Time) (time.Time, error) {
	due := k.due(s, requested)
	if due.IsZero() || due.After(time.Now()) {
		return due, nil
	}
	for n := range maxNames {
		name := s.prefix + "-" + stamp(due)
		if n > 0 {
			name += fmt.Sprintf("-%d", n+1)
		}
		if err := k.create(ctx, s.kind, name); err != nil {
			return due, err
		}
		if err := k.load(ctx); err != nil {
			return due, err
		}
		if k.isActive(name) {
			return k.following(s, due), nil
		}
	}
	return due, fmt.Errorf("no new %s key seals, though %d Secrets %s-%s… exist in %s: see the errors above",
		s.name, maxNames, s.prefix, stamp(due), k.cfg.Namespace)
}

// isActive reports whether a Secret holds a key that seals, or will.
func (k *keyring) isActive(secret string) bool {
	for id, name := range k.names {
		if name == secret && id.State() == keys.Active {
			return true
		}
	}
	return false
}

// following is when the key after that of due is to be made: not at once, even
// where clocks disagree on when that one was made.
func (k *keyring) following(s series, due time.Time) time.Time {
	next := k.due(s, due)
	if !next.IsZero() && !next.After(due) {
		return time.Now().Add(skew)
	}
	return next
}

// due is when the series needs another key, zero for never. Without any that
// seals it is the begin of the present period, so that two replicas agree.
func (k *keyring) due(s series, requested time.Time) time.Time {
	newest := k.newest(s.kind)
	switch {
	case newest == nil:
		return time.Now().UTC().Truncate(firstPeriod)
	case newest.Created().Before(requested):
		return requested
	case s.period > 0:
		return newest.Created().Add(s.period)
	}
	return time.Time{}
}

// firstPeriod is that in which two replicas give a first key the same name.
const firstPeriod = 720 * time.Hour

// newest is the key of the kind's encoding that seals.
func (k *keyring) newest(kind keys.Kind) *keys.Identity {
	for _, id := range k.ring.Load().Sealing() {
		if id.Kind().Age() == kind.Age() {
			return id
		}
	}
	return nil
}

// stamp writes a time for the name of a Secret.
func stamp(t time.Time) string { return t.UTC().Format("20060102-150405") }

func (k *keyring) create(ctx context.Context, kind keys.Kind, name string) error {
	id, err := k.generate(kind, time.Now())
	if err != nil {
		return err
	}
	key := id.Secret(k.cfg.Namespace, name)
	labels := maps.Clone(k.cfg.KeyLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, key.Labels)
	err = k.api.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels, Annotations: k.cfg.KeyAnnotations},
		Type:       corev1.SecretType(key.Type), Data: key.Data,
	})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil // another replica was first
	case err != nil:
		return fmt.Errorf("keeping a new key in %s/%s: %s", key.Namespace, key.Name, apierror.Text(err))
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
