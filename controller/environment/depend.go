package environment

import (
	"context"
	"slices"

	"fuin.dev/controller/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// depend waits for the Environments that are to be ready first.
func (p *pass) depend(ctx context.Context) *failure {
	for _, name := range dependenciesOf(p.env) {
		if name == p.name || p.dependsBack(ctx, name, map[types.NamespacedName]bool{}) {
			return stall("DependencyCycle", "Environment %s depends on this one, too", name)
		}
		var other v1alpha1.Environment
		switch err := p.API.Get(ctx, name, &other); {
		case apierrors.IsNotFound(err):
			return fail("DependencyNotReady", "there is no Environment %s", name)
		case err != nil:
			return fail("DependencyNotReady", "reading Environment %s: %s", name, err)
		case !isReady(&other):
			return fail("DependencyNotReady", "Environment %s is not ready", name)
		}
	}
	return nil
}

func isReady(env *v1alpha1.Environment) bool {
	return env.Status.ObservedGeneration == env.Generation && isTrue(env.Status.Conditions, v1alpha1.Ready)
}

func dependenciesOf(env *v1alpha1.Environment) (names []types.NamespacedName) {
	for _, d := range env.Spec.DependsOn {
		name := types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
		if name.Namespace == "" {
			name.Namespace = env.Namespace
		}
		names = append(names, name)
	}
	return names
}

// dependsBack reports whether an Environment waits for this one.
func (p *pass) dependsBack(ctx context.Context, name types.NamespacedName, seen map[types.NamespacedName]bool) bool {
	if seen[name] {
		return false
	}
	seen[name] = true
	var env v1alpha1.Environment
	if err := p.API.Get(ctx, name, &env); err != nil {
		return false
	}
	return slices.ContainsFunc(dependenciesOf(&env), func(next types.NamespacedName) bool {
		return next == p.name || p.dependsBack(ctx, next, seen)
	})
}

// dependents are the Environments that wait for one.
func (r *Reconciler) dependents(ctx context.Context, changed client.Object) (out []reconcile.Request) {
	var all v1alpha1.EnvironmentList
	if err := r.API.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	for i := range all.Items {
		if slices.Contains(dependenciesOf(&all.Items[i]), client.ObjectKeyFromObject(changed)) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return out
}

// readinessChanged lets through what dependents wait for.
var readinessChanged = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Environment)
		after, also := e.ObjectNew.(*v1alpha1.Environment)
		return ok && also && isReady(after) && (!isReady(before) || before.Status.LastAppliedRevision != after.Status.LastAppliedRevision)
	},
}

func isTrue(conditions []metav1.Condition, kind string) bool {
	return slices.ContainsFunc(conditions, func(c metav1.Condition) bool {
		return c.Type == kind && c.Status == metav1.ConditionTrue
	})
}
