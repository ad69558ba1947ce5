package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/keys"
)

// The cases of Environments, and of a look that finds nothing to do.
const (
	plainFiles = "plain"
	kustomized = "kustomize"
)

// changes is how often a secret is changed, and everything is applied again, in
// a round.
const changes = 3

// environments runs env-fresh, env-change and env-rest, which need the same
// cluster: objects in a repository, brought to a namespace; then one secret
// changes; then nothing does. The same objects are applied to another namespace
// with nothing around it.
func (b *bench) environments(ctx context.Context) error {
	for round := range b.rounds {
		for _, kind := range []string{plainFiles, kustomized} {
			b.say("Environments, round %d of %d: %s", round+1, b.rounds, kind)
			if err := b.environment(ctx, kind); err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	b.results.note("env-*: the API server runs alone with etcd; %d objects, a fifth of them SealedSecrets of %d values to a hybrid key.",
		b.envObjects(), values)
	return nil
}

// envObjects is how many objects an Environment has.
func (b *bench) envObjects() int { return max(1, b.objects/2/perApp) * perApp }

func (b *bench) environment(ctx context.Context, kind string) error {
	e, err := b.newEnvCluster(ctx)
	if err != nil {
		return err
	}
	defer e.stop()
	if err := b.applyRaw(ctx, e, kind); err != nil {
		return err
	}
	if err := e.start(ctx, "env"); err != nil {
		return err
	}
	set, err := apps("app", "env", b.envObjects()/perApp, e.id)
	if err != nil {
		return err
	}
	if kind == kustomized {
		set.kustomization("app")
	}
	if err := b.fresh500(ctx, e, set, kind); err != nil {
		return e.ctl.explain(err)
	}
	for i := range changes {
		if err := b.change(ctx, e, set, kind, i); err != nil {
			return e.ctl.explain(err)
		}
	}
	return b.rest(ctx, e, kind)
}

// applyRaw is the other side of all three: everything, everything with one
// Secret changed, and everything as it is.
func (b *bench) applyRaw(ctx context.Context, e *envCluster, kind string) error {
	if kind != plainFiles {
		return nil
	}
	set, err := apps("app", "raw", b.envObjects()/perApp, e.id)
	if err != nil {
		return err
	}
	if err := e.namespace(ctx, "raw"); err != nil {
		return err
	}
	for i := range 1 + 2*changes {
		at := row{envFresh, anyCase, rawApply}
		switch {
		case i > changes:
			at.Benchmark = envRest
		case i > 0:
			at.Benchmark = envChange
			secret := set.objects[i*perApp]
			secret.Object["stringData"].(map[string]any)["password"] = fmt.Sprintf("changed-%d", i)
		}
		s, err := apply(ctx, e.Cluster, set.objects)
		if err != nil {
			return err
		}
		b.record(at, s)
	}
	return nil
}

// fresh500 commits the set and waits until all of it is applied.
func (b *bench) fresh500(ctx context.Context, e *envCluster, set *appSet, kind string) error {
	s, err := e.push(ctx, gittest.Commit{Files: set.files, Replace: true})
	if err != nil {
		return err
	}
	b.record(row{envFresh, kind, fuin}, s)
	return e.compare(ctx, set)
}

// change commits another value of one secret.
func (b *bench) change(ctx context.Context, e *envCluster, set *appSet, kind string, i int) error {
	changed := &appSet{files: map[string]string{}}
	if err := changed.addSecret("app", "env", i, e.id, fmt.Sprintf("-changed-%d", i)); err != nil {
		return err
	}
	s, err := e.push(ctx, gittest.Commit{Files: changed.files})
	if err != nil {
		return err
	}
	b.record(row{envChange, kind, fuin}, s)
	return e.compare(ctx, changed)
}

// How long passes are counted, and how often there is one.
const (
	restFor   = 30 * time.Second
	restEvery = time.Second
)

// rest lets the interval come often while nothing changes. What the controller
// and the servers use without any pass is taken off.
func (b *bench) rest(ctx context.Context, e *envCluster, kind string) error {
	idle, err := e.stretch(ctx, restFor/3)
	if err != nil {
		return err
	}
	if err := e.declare(ctx, "env", "app", restEvery); err != nil {
		return err
	}
	busy, err := e.stretch(ctx, restFor)
	if err != nil {
		return err
	}
	if busy.passes < 1 {
		return fmt.Errorf("there was no pass in %s", restFor)
	}
	b.record(row{envRest, kind, fuin}, busy.perPass(idle))
	return nil
}

// record keeps a measurement of a benchmark that is wanted.
func (b *bench) record(at row, s sample) {
	if b.wants(at.Benchmark) {
		b.results.add(at, s)
	}
}

// many runs env-many: small Environments, each with a namespace and an account
// of its own.
func (b *bench) many(ctx context.Context) error {
	n := max(1, b.objects/10)
	e, err := b.newEnvCluster(ctx)
	if err != nil {
		return err
	}
	defer e.stop()
	if err := e.start(ctx, "first"); err != nil {
		return err
	}
	var names []string
	all := &appSet{files: map[string]string{}}
	for i := range n {
		ns := fmt.Sprintf("many-%03d", i)
		set, err := apps(ns, ns, 1, e.id)
		if err != nil {
			return err
		}
		delete(set.files, ns+"/"+nameOf(0)+"/1.yaml")
		set.objects = slices.Delete(set.objects, 2, 3) // four objects each, as others measure it
		for path, text := range set.files {
			all.files[path] = text
		}
		all.objects = append(all.objects, set.objects...)
		if err := e.tenant(ctx, ns); err != nil {
			return err
		}
		names = append(names, ns)
	}
	if err := b.applyMany(ctx, e, all); err != nil {
		return err
	}
	s, err := e.declareMany(ctx, names, all)
	if err != nil {
		return e.ctl.explain(err)
	}
	b.record(row{envMany, anyCase, fuin}, s)
	b.results.note("%s: %d Environments of %d objects, each in a namespace of its own, of one repository.", envMany, n, len(all.objects)/n)
	return e.compare(ctx, all)
}

// applyMany applies the same to other namespaces.
func (b *bench) applyMany(ctx context.Context, e *envCluster, set *appSet) error {
	raw := rawCopies(set.objects)
	for _, o := range raw {
		if err := e.namespace(ctx, o.GetNamespace()); err != nil {
			return err
		}
	}
	s, err := apply(ctx, e.Cluster, raw)
	b.record(row{envMany, anyCase, rawApply}, s)
	return err
}

// identity is the key of the cluster that values are sealed to.
func (b *bench) identity() *keys.Identity { return b.keys.ids[keys.Hybrid] }
