package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func driftParts() []part {
	return []part{
		say(`Somebody with kubectl and too many rights sets another image in
			production, deletes a ConfigMap, and edits a Secret.`),
		run("kubectl --context production -n production \\\n"+
			"    set image deployment/base-shop web=registry.example/shop:9.9.9\n"+
			"kubectl --context production -n production \\\n"+
			"    delete configmap canary-shop\n"+
			"kubectl --context production -n production \\\n"+
			"    patch secret base-database -p '{\"stringData\": {\"password\": \"by-hand\"}}'").
			prints("image updated", "deleted", "patched"),
		claim{"the image is what Git says again", soon(imageIs(baseShop, "registry.example/shop:1.5.0"))},
		claim{"the ConfigMap is back", soon(configIsBack)},
		claim{"the Secret is as it was sealed", soon(valueBecame(place{production, "production", "base-database"}, "password", productionPassword))},
		claim{"the report tells who changed which field", soon(driftIsTold)},
		run("fuin status --context production production/base | sed -n '/^CHANGED/,$p'").
			prints("kubectl-set", "Repaired"),
	}
}

// soon waits until a check holds.
func soon(check func(context.Context, *demo) error) func(context.Context, *demo) error {
	return func(ctx context.Context, d *demo) error {
		return eventually(ctx, func() error { return check(ctx, d) })
	}
}

func configIsBack(ctx context.Context, d *demo) error {
	err := d.read(ctx, place{production, "production", "canary-shop"}, &corev1.ConfigMap{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("it is not: %w", err)
	}
	return err
}

func driftIsTold(ctx context.Context, d *demo) error {
	if err := d.prints(ctx, "fuin status --context production production/base", "kubectl-set", ".image"); err != nil {
		return err
	}
	return d.prints(ctx, "fuin status --context production production/canary", "canary-shop: Deleted")
}

func restartParts(s *site) []part {
	return []part{
		say(`Opening costs operations with private keys, and the controller counts
			them.`),
		run(s.metricsLine()).prints("fuin_private_key_operations_total{"),
		act(rememberRolls),
		act(rememberSecrets),
		say(`Production's controller is killed and started anew, while nothing else
			changes.`),
		killController(s),
		startController(s),
		claim{"it has looked at the SealedSecrets again", soon(allSeen)},
		run(s.metricsLine()).prints(`fuin_private_key_operations_total{kind="hybrid"} 0`),
		claim{"no value was opened, no Secret was written, and no workload rolled", restartIsQuiet},
		claim{"neither the controllers' logs nor Git hold a value, of all that was seen here", nothingLeaked},
	}
}

// metricsLine reads the counter; kubectl can stand in for curl.
func (s *site) metricsLine() string {
	get := "curl -s http://" + s.metrics + "/metrics"
	if _, err := exec.LookPath("curl"); err != nil {
		get = "kubectl --kubeconfig /dev/null -s http://" + s.metrics + " get --raw /metrics"
	}
	return get + " |\n    grep '^fuin_private_key'"
}

// allSeen checks that the restarted controller shows all SealedSecrets in its
// metrics: it does so once it has dealt with one.
func allSeen(ctx context.Context, d *demo) error {
	for p := range passwords() {
		if p.cluster != production {
			continue
		}
		if _, err := d.at(production).sample(ctx, "sealed_secrets_controller_condition_info{", `name="`+p.name+`"`); err != nil {
			return err
		}
	}
	return d.prints(ctx, "fuin status --context production -A", "production/base", "Ready")
}

func rememberSecrets(ctx context.Context, d *demo) (err error) {
	d.before, err = d.secretVersions(ctx)
	return err
}

// secretVersions are the resource versions of production's Secrets.
func (d *demo) secretVersions(ctx context.Context) (string, error) {
	return d.quietly(ctx, "kubectl --context production get secret -n production \\\n"+
		"    -o jsonpath='{range .items[*]}{.metadata.name}={.metadata.resourceVersion} {end}'")
}

func restartIsQuiet(ctx context.Context, d *demo) error {
	now, err := d.secretVersions(ctx)
	if err == nil && now != d.before {
		err = fmt.Errorf("resource versions were %s and are %s", d.before, now)
	}
	if err != nil {
		return err
	}
	return onlyRolled()(ctx, d)
}

// nothingLeaked searches the controllers' logs and the Git server once more.
func nothingLeaked(ctx context.Context, d *demo) error {
	for _, s := range d.sites {
		log, err := os.ReadFile(s.log)
		if err != nil {
			return err
		}
		if err := holdsNoValue(string(log)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return gitHoldsNoValue(ctx, d)
}
