package environment

import (
	"context"
	"errors"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/apierror"
	"fuin.dev/controller/source"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fetch takes the revision of the source. While it is the one that was applied
// and nothing drifted, the pass rests.
func (p *pass) fetch(ctx context.Context) *failure {
	asked := p.state.takeAsked(p.env)
	checkout, f := p.take(ctx)
	if f != nil {
		return f
	}
	p.checkout = checkout
	p.env.Status.LastAttemptedRevision = checkout.Revision
	if mode := p.env.Spec.Drift.Mode; mode == "Report" || mode == "Ignore" {
		p.state.undriftAll()
	}
	if asked || !p.state.rests(p.env, checkout.Revision) || !isTrue(p.env.Status.Conditions, v1alpha1.Ready) {
		return nil
	}
	if !p.watches.complete(p.name) {
		p.lookForDrift(ctx)
	}
	if p.state.anyDrifted() {
		return nil
	}
	return rested
}

func (p *pass) take(ctx context.Context) (*source.Checkout, *failure) {
	if dir := p.env.Spec.Source.Directory; dir != "" {
		checkout, err := p.Source.Local(ctx, dir)
		return checkout, sourceFailure(err)
	}
	git, f := p.git(ctx)
	if f != nil {
		return nil, f
	}
	checkout, err := p.Source.Fetch(ctx, git)
	return checkout, sourceFailure(err)
}

// sourceFailure tells what another try may mend from what it cannot.
func sourceFailure(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{reason: "FetchFailed", message: err.Error()}
	if e := (*source.Error)(nil); errors.As(err, &e) {
		f.reason, f.stalled = string(e.Reason), e.Permanent()
	}
	return f
}

// git is the source with what the tenant's Secrets add.
func (p *pass) git(ctx context.Context) (source.Git, *failure) {
	spec := p.env.Spec.Source.Git
	if spec == nil {
		return source.Git{}, stall("InvalidSource", "spec.source has neither git nor directory")
	}
	out := source.Git{
		URL: spec.URL, Submodules: spec.Submodules,
		Ref: source.Ref{Branch: spec.Ref.Branch, Tag: spec.Ref.Tag, Semver: spec.Ref.Semver, Commit: spec.Ref.Commit},
	}
	if spec.SecretRef != nil {
		secret, f := p.secret(ctx, "spec.source.git.secretRef", spec.SecretRef.Name)
		if f != nil {
			return out, f
		}
		out.Auth = authOf(secret)
	}
	if spec.Verify != nil {
		secret, f := p.secret(ctx, "spec.source.git.verify.secretRef", spec.Verify.SecretRef.Name)
		if f != nil {
			return out, f
		}
		out.Verify = &source.Verify{Mode: source.Mode(spec.Verify.Mode), Keys: secret.Data}
	}
	return out, nil
}

func authOf(s *corev1.Secret) source.Auth {
	return source.Auth{
		Username: string(s.Data["username"]), Password: string(s.Data["password"]),
		BearerToken: string(s.Data["bearerToken"]), CAFile: s.Data["caFile"],
		Identity: s.Data["identity"], IdentityPassword: string(s.Data["password"]), KnownHosts: s.Data["known_hosts"],
	}
}

// secret reads a Secret of the Environment's namespace in the tenant's name.
func (p *pass) secret(ctx context.Context, field, name string) (*corev1.Secret, *failure) {
	var s corev1.Secret
	err := p.account.reader.Get(ctx, client.ObjectKey{Namespace: p.env.Namespace, Name: name}, &s)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fail("SecretNotFound", "%s: there is no Secret %s/%s", field, p.env.Namespace, name)
	case err != nil:
		return nil, fail("SecretNotRead", "%s: reading Secret %s/%s as %s: %s", field, p.env.Namespace, name, p.account.user, apierror.Text(err))
	}
	return &s, nil
}

// intervalOf is when a source is asked again.
func intervalOf(env *v1alpha1.Environment) time.Duration {
	if d := env.Spec.Interval.Duration; d > 0 {
		return max(d, time.Second)
	}
	return time.Minute
}
