package main

import (
	"context"
	"fmt"
	"strings"
)

func tenantParts() []part {
	return []part{
		say(`An administrator readies a namespace for each environment: deploy/tenant
			makes an account in it, with a Role, and one that could log in to a Vault.
			Whatever an Environment reads and writes is read and written as the first.
			The controller may act as it, and cannot write a Deployment otherwise.`),
		act(leaveRepository),
		run("ready() {\n"+
			"  kubectl --context $1 create namespace $2\n"+
			"  fuin render deploy/tenant --target-namespace $2 |\n"+
			"    kubectl --context $1 apply -f - | tail -n 1\n"+
			"}\n"+
			"ready staging development\nready staging staging\nready production production").
			prints("namespace/development created", "namespace/production created", "serviceaccount/vault-reader created"),
	}
}

func leaveRepository(_ context.Context, d *demo) error {
	d.work = d.root
	d.screen.command("cd -")
	return nil
}

func environmentParts() []part {
	return []part{
		act(enterRepository),
		say(`An Environment is a directory of a repository that a namespace is to be
			like.`),
		run("cat environments/staging/staging.yaml").prints("kind: Environment", "path: overlays/staging"),
		say(`What it makes can be seen without a cluster and without a key, still
			sealed, in the order in which it is applied.`),
		run("fuin render environments/production/canary.yaml -o name").
			prints("sealedsecret.bitnami.com/canary-database", "deployment.apps/canary-shop").withoutCluster(),
		run("for c in staging production; do\n"+
			"  kubectl --context $c apply -f environments/$c\ndone").
			prints("environment.fuin.dev/development created", "environment.fuin.dev/canary created"),
		say(`fuin wait waits until what is checked out here is applied, and all of it
			is ready.`),
		run("fuin wait --context staging overlays/development\n"+
			"fuin wait --context staging overlays/staging\n"+
			"fuin wait --context production overlays/production-base\n"+
			"fuin wait --context production overlays/production-canary").
			prints("development/development", "production/base", "production/canary"),
		run("fuin status -A --context production").prints("production/base", "production/canary", "Ready", "2/2"),
		run("kubectl --context production -n production get secret,deployment").
			prints("secret/base-database", "secret/canary-database", "deployment.apps/base-shop", "3/3"),
		claim{"each environment has the values that were sealed for it", soon(eachHasItsValues)},
		claim{"each workload names its own Secret, by its final name", soon(workloadsNameTheirSecrets)},
	}
}

// A place is a workload or a Secret: a cluster, a namespace, a name.
type place struct{ cluster, namespace, name string }

func (p place) String() string { return p.cluster + "/" + p.namespace + "/" + p.name }

// passwords are those of the shop's database.
func passwords() map[place]string {
	return map[place]string{
		{staging, "development", "database"}:          developmentPassword,
		{staging, "staging", "database"}:              stagingPassword,
		{production, "production", "base-database"}:   productionPassword,
		{production, "production", "canary-database"}: productionPassword,
	}
}

func eachHasItsValues(ctx context.Context, d *demo) error {
	for p, want := range passwords() {
		if err := d.valueIs(ctx, p, "password", want); err != nil {
			return err
		}
	}
	return d.valueIs(ctx, place{production, "production", "base-mail"}, "SMTP_PASSWORD", "sample-sealing-wax")
}

func workloadsNameTheirSecrets(ctx context.Context, d *demo) error {
	for _, variant := range []string{"base", "canary"} {
		deployment, err := d.deployment(ctx, place{production, "production", variant + "-shop"})
		if err != nil {
			return err
		}
		for _, env := range deployment.Spec.Template.Spec.Containers[0].Env {
			if ref := env.ValueFrom.SecretKeyRef; !strings.HasPrefix(ref.Name, variant+"-") {
				return fmt.Errorf("%s names %s", deployment.Name, ref.Name)
			}
		}
	}
	return nil
}
