package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// valueIs checks one value of a Secret.
func (d *demo) valueIs(ctx context.Context, p place, key, want string) error {
	var s corev1.Secret
	if err := d.read(ctx, p, &s); err != nil {
		return err
	}
	if got := string(s.Data[key]); got != want {
		return fmt.Errorf("key %s of Secret %s is %q, and should be %q", key, p, got, want)
	}
	return nil
}

// deployment reads one as it is now.
func (d *demo) deployment(ctx context.Context, p place) (*appsv1.Deployment, error) {
	var out appsv1.Deployment
	return &out, d.read(ctx, p, &out)
}

func (d *demo) read(ctx context.Context, p place, into client.Object) error {
	err := d.at(p.cluster).cluster.Client().Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, into)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}

// imageIs checks which one a Deployment is told to run.
func imageIs(p place, image string) func(context.Context, *demo) error {
	return func(ctx context.Context, d *demo) error {
		deployment, err := d.deployment(ctx, p)
		if err != nil {
			return err
		}
		if got := deployment.Spec.Template.Spec.Containers[0].Image; got != image {
			return fmt.Errorf("%s has image %s, and should have %s", p, got, image)
		}
		return nil
	}
}

// replicaSets are all there are, as CLUSTER/NAMESPACE/NAME, with the Deployment
// that made each.
func (d *demo) replicaSets(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	for _, s := range d.sites {
		var list appsv1.ReplicaSetList
		if err := s.cluster.Client().List(ctx, &list); err != nil {
			return nil, err
		}
		for _, r := range list.Items {
			for _, owner := range r.OwnerReferences {
				found[place{s.name, r.Namespace, r.Name}.String()] = place{s.name, r.Namespace, owner.Name}.String()
			}
		}
	}
	return found, nil
}

// rememberRolls notes the ReplicaSets there are, for onlyRolled.
func rememberRolls(ctx context.Context, d *demo) error {
	sets, err := d.replicaSets(ctx)
	d.rolled = map[string]bool{}
	for name := range sets {
		d.rolled[name] = true
	}
	return err
}

// onlyRolled checks which Deployments, of all in both clusters, made a
// ReplicaSet since rememberRolls.
func onlyRolled(want ...place) func(context.Context, *demo) error {
	return func(ctx context.Context, d *demo) error {
		sets, err := d.replicaSets(ctx)
		if err != nil {
			return err
		}
		var got, expected []string
		for name, deployment := range sets {
			if !d.rolled[name] && !strings.HasPrefix(deployment, production+"/"+systemNamespace) && !strings.HasPrefix(deployment, staging+"/"+systemNamespace) {
				got = append(got, deployment)
			}
		}
		for _, p := range want {
			expected = append(expected, p.String())
		}
		slices.Sort(got)
		slices.Sort(expected)
		if !slices.Equal(got, expected) {
			return fmt.Errorf("new ReplicaSets are of %v, and should be of %v", got, expected)
		}
		return nil
	}
}
