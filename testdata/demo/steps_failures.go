package main

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func breakParts() []part {
	return []part{
		say(`Somebody who can write to the repository changes a single character of
			a sealed password: a capital letter near its end becomes a Z. The same
			commit changes the log level, and the version of the shop.`),
		act(rememberRolls),
		run("sed -i '/^    password:/ s/\\(.*\\)[A-Y]\\(....\\)/\\1Z\\2/' \\\n    " + stagingFile + "\n" +
			"sed -i 's/LOG_LEVEL: info/LOG_LEVEL: error/' base/config.yaml\n" +
			"sed -i 's/1.5.0/1.6.0/' overlays/staging/images.yaml"),
		run("git commit -q -a -m 'Tidy up' && git push -q origin main\n"+
			"fuin wait --context staging overlays/staging || echo exit code $?").
			prints("SecretsFailed", "exit code 3"),
		run("fuin status --context staging -A || echo exit code $?").
			prints("staging/database", "holds back Deployment/shop", "exit code 3"),
		claim{"the message names object, key, file and reason", soon(brokenIsNamed)},
		claim{"the Secret that was there is untouched", valueBecame(place{staging, "staging", "database"}, "password", stagingPassword)},
		claim{"the shop, which needs it, runs as before", imageIs(stagingShop, "registry.example/shop:1.5.0")},
		claim{"everything else went on: the new log level is applied, and the mailer uses it", soon(restWentOn)},
		say(`Git has the way back.`),
		run("git revert --no-edit HEAD | head -n 1\ngit push -q origin main\nfuin wait --context staging overlays/staging").
			prints("Revert", "staging/staging"),
		claim{"staging is Ready, and as it was", soon(revertedStaging)},
	}
}

func brokenIsNamed(ctx context.Context, d *demo) error {
	return d.prints(ctx, "fuin status --context staging staging/staging || true",
		"staging/database", `key "password"`, stagingFile, "altered or cut short")
}

// prints runs a command line that is not shown, and looks for texts in what it
// says, with lines joined that a table folded.
func (d *demo) prints(ctx context.Context, line string, texts ...string) error {
	out, err := d.quietly(ctx, line)
	if err != nil {
		return err
	}
	flat := strings.Join(strings.Fields(out), " ")
	for _, text := range texts {
		if !strings.Contains(flat, text) {
			return fmt.Errorf("%s: the output lacks %q:\n%s", line, text, out)
		}
	}
	return nil
}

func restWentOn(ctx context.Context, d *demo) error {
	var config corev1.ConfigMap
	if err := d.read(ctx, place{staging, "staging", "shop"}, &config); err != nil {
		return err
	}
	if level := config.Data["LOG_LEVEL"]; level != "error" {
		return fmt.Errorf("the log level is %s", level)
	}
	return rolledAmong(ctx, d, stagingMailer)
}

// rolledAmong checks that a Deployment has a new ReplicaSet; others may, too.
func rolledAmong(ctx context.Context, d *demo, want place) error {
	sets, err := d.replicaSets(ctx)
	if err != nil {
		return err
	}
	for name, deployment := range sets {
		if deployment == want.String() && !d.rolled[name] {
			return nil
		}
	}
	return fmt.Errorf("%s has no new ReplicaSet", want)
}

func revertedStaging(ctx context.Context, d *demo) error {
	if err := imageIs(stagingShop, "registry.example/shop:1.5.0")(ctx, d); err != nil {
		return err
	}
	return d.prints(ctx, "fuin status --context staging -A", "staging/staging", "Ready")
}

func moveParts() []part {
	const move = "sed 's/namespace: staging/namespace: intruder/' \\\n    " + stagingFile
	return []part{
		say(`Somebody who may not read staging's Secrets copies a SealedSecret to a
			namespace of their own, hoping that the controller opens it there.`),
		run("kubectl --context staging create namespace intruder").prints("created"),
		run(move + " |\n    kubectl --context staging apply -f -").prints("created"),
		run("kubectl --context staging wait -n intruder --for=condition=Stalled \\\n" +
			"    sealedsecret/database sealedsecret/mail").prints("condition met"),
		run("kubectl --context staging get sealedsecret -n intruder database \\\n" +
			"    -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'").
			prints("sealed for staging/database, and moved").
			proving("it is refused: the place is sealed in, beside the value"),
		claim{"no Secret was made in the namespace intruder", intruderHasNothing},
	}
}

func intruderHasNothing(ctx context.Context, d *demo) error {
	return d.holdsNone(ctx, staging, "intruder", &corev1.SecretList{})
}

// holdsNone checks that a namespace has no objects of a kind.
func (d *demo) holdsNone(ctx context.Context, cluster, namespace string, list client.ObjectList) error {
	if err := d.at(cluster).cluster.Client().List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	n := 0
	switch l := list.(type) {
	case *corev1.SecretList:
		n = len(l.Items)
	case *appsv1.DeploymentList:
		n = len(l.Items)
	}
	if n > 0 {
		return fmt.Errorf("%s of %s holds %d", namespace, cluster, n)
	}
	return nil
}

func wrongParts() []part {
	return []part{
		say(`Production's overlay is applied in the wrong cluster, by a slip: staging
			has other keys, and by .fuin.yaml these paths belong to production. The keys
			that a cluster has are what it is; a context's name is only a name.`),
		run("kubectl --context staging create namespace production").prints("created"),
		act(leaveRepository),
		run("fuin render deploy/tenant --target-namespace production |\n" +
			"  kubectl --context staging apply -f - | tail -n 1").prints("created"),
		act(enterRepository),
		run("kubectl --context staging apply -f environments/production/base.yaml").prints("created"),
		run("fuin wait --context staging production/base || echo exit code $?").
			prints("WrongCluster", "belongs to production", "exit code 3"),
		claim{"nothing was applied: no Deployment and no Secret is there", wrongHasNothing},
		run("kubectl --context staging delete -f environments/production/base.yaml").prints("deleted"),
	}
}

func wrongHasNothing(ctx context.Context, d *demo) error {
	if err := d.holdsNone(ctx, staging, "production", &corev1.SecretList{}); err != nil {
		return err
	}
	return d.holdsNone(ctx, staging, "production", &appsv1.DeploymentList{})
}
