package environment

import (
	"context"
	"errors"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/source"
	"fuin.dev/render"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// pass is one look at one Environment.
type pass struct {
	*Reconciler
	env     *v1alpha1.Environment // as it is read, then as it is reported
	base    *v1alpha1.Environment // as it stands in the cluster
	name    types.NamespacedName
	state   *state
	account *account

	checkout  *source.Checkout
	remotes   []*source.Checkout // bases of other repositories
	set       *render.Set
	referring []referring // the objects of the set, Secrets with references as SealedSecrets
	objects   []*object   // of the set, by stage
	old       inventory   // what was applied before
	live      survey      // what stands in the cluster, where that was looked at
	failed    []v1alpha1.SecretFailure
	errors    []error // of objects that could not be applied
	changed   int     // objects that were written
	pruned    int
	recorded  bool                      // the inventory to come
	kept      []v1alpha1.InventoryEntry // what is not deleted yet
}

// stage is a part of a pass. It returns why the pass ends there, errRested
// when nothing is to be done.
type stage struct {
	name string
	do   func(*pass, context.Context) *failure
}

// stages are the way from a repository to the cluster.
var stages = []stage{
	{"depend", (*pass).depend},
	{"fetch", (*pass).fetch},
	{"render", (*pass).render},
	{"vet", (*pass).vet},
	{"record", (*pass).record},
	{"apply", (*pass).apply},
	{"prune", (*pass).prune},
	{"wait", (*pass).wait},
}

// rested ends a pass that has nothing to do.
var rested = &failure{reason: "Rested"}

// Reconcile brings one Environment to what its source says.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	env, err := r.read(ctx, req.NamespacedName)
	if err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	account, err := r.accounts.of(env, r.Mapper)
	if err != nil {
		return reconcile.Result{}, err
	}
	p := &pass{
		Reconciler: r, env: env.DeepCopy(), base: env, name: req.NamespacedName,
		state: r.state(req.NamespacedName), account: account, live: survey{},
	}
	switch {
	case !env.DeletionTimestamp.IsZero():
		return p.finalize(ctx)
	case env.Spec.Suspend:
		return reconcile.Result{}, p.reportSuspended(ctx)
	}
	return p.reconcile(ctx)
}

// read reads an Environment, and not from a cache that lags behind the last
// status: what is written is the difference to what was read.
func (r *Reconciler) read(ctx context.Context, name types.NamespacedName) (*v1alpha1.Environment, error) {
	env := &v1alpha1.Environment{}
	err := r.API.Get(ctx, name, env)
	if err == nil && IsOlder(env.ResourceVersion, r.state(name).lastWritten()) {
		err = r.Live.Get(ctx, name, env)
	}
	return env, err
}

func (p *pass) reconcile(ctx context.Context) (reconcile.Result, error) {
	if err := p.addFinalizer(ctx); err != nil {
		return reconcile.Result{}, err
	}
	within, cancel := context.WithTimeout(ctx, timeoutOf(p.env))
	defer cancel()
	p.old = inventoryOf(p.env.Status.Inventory).with(p.state.inventory())
	f := p.run(within)
	defer p.releaseAll()
	if ctx.Err() != nil {
		return reconcile.Result{}, ctx.Err() // shutting down: nothing was decided
	}
	return p.report(ctx, f)
}

// run goes from stage to stage, and measures each.
func (p *pass) run(ctx context.Context) *failure {
	for _, s := range stages {
		start := time.Now()
		f := s.do(p, ctx)
		p.Metrics.stage(s.name, time.Since(start))
		switch {
		case f == rested:
			return f
		case f != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return fail("Timeout", "%s took longer than spec.timeout, %s: %s", s.name, timeoutOf(p.env), f.message)
		case f != nil:
			return f
		}
	}
	return p.verdict()
}

// verdict is what becomes of a pass that came to its end.
func (p *pass) verdict() *failure {
	switch {
	case len(p.errors) > 0:
		return fail("ApplyFailed", "%s", sentences(p.errors))
	case len(p.failed) > 0:
		return fail("SecretsFailed", "%s", secretsFailed(p.failed))
	}
	return nil
}

// maxTimeout bounds how long a pass may occupy a worker.
const maxTimeout = time.Hour

func timeoutOf(env *v1alpha1.Environment) time.Duration {
	if t := env.Spec.Timeout.Duration; t > 0 {
		return min(t, maxTimeout)
	}
	return 5 * time.Minute
}
