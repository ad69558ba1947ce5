package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
)

// Commands that several steps use.
const (
	waitReady    = "kubectl wait -n shop --for=condition=Ready sealedsecret/database"
	waitStalled  = "kubectl wait -n shop --for=condition=Stalled sealedsecret/database"
	readPassword = "kubectl get secret -n shop database -o jsonpath={.data.password} | base64 -d"
)

func applyParts() []part {
	return []part{
		say(`The overlay is applied as it stands in Git, here with kubectl; any other
			way of applying does as well.`),
		run("kubectl apply -k overlays/production").
			prints("deployment.apps/shop created", "sealedsecret.bitnami.com/database created"),
		run(waitReady).prints("condition met"),
		run("kubectl get sealedsecret,secret -n shop").prints("secret/database", "True"),
		say(`The controller opened it and made the Secret, which the Deployment uses
			like any other. In the cluster the password is there:`),
		run(readPassword).prints(oldPassword),
		claim{"the Secret holds the three values that were sealed", valuesAre(oldPassword)},
		claim{"it is owned by its SealedSecret: deleting that deletes it", secretIsOwned},
	}
}

func alterParts() []part {
	return []part{
		say(`Somebody who can write to the repository changes a single character of
			the sealed password: a capital letter near its end becomes a Z.`),
		run("sed -i '/^    password:/ s/\\(.*\\)[A-Y]\\(....\\)/\\1Z\\2/' \\\n    " + file),
		run("git diff --shortstat").prints("1 insertion(+), 1 deletion(-)"),
		run("kubectl apply -f " + file).prints("configured"),
		run(waitStalled).prints("condition met"),
		run(readMessage("shop")).prints("opening shop/database", `key "password"`, "altered or cut short").
			proving("it is refused, and the message names object, key and reason"),
		run(readPassword).prints(newPassword),
		claim{"the Secret that was there is untouched", valuesAre(newPassword)},
		say(`Git has the way back.`),
		run("git checkout "+file+"\nkubectl apply -f "+file).prints("Updated 1 path", "configured"),
		run(waitReady).prints("condition met"),
	}
}

func moveParts() []part {
	return []part{
		say(`Somebody who may not read the shop's Secrets copies the SealedSecret to a
			namespace of their own, hoping that the controller opens it there.`),
		run("kubectl create namespace intruder").prints("created"),
		run("sed 's/namespace: shop/namespace: intruder/' \\\n" +
			"    " + file + " | kubectl apply -f -").prints("created"),
		run(strings.Replace(waitStalled, "-n shop", "-n intruder", 1)).prints("condition met"),
		run(readMessage("intruder")).prints(`sealed for shop/database, and moved`).
			proving("it is refused: the place is sealed in, beside the value"),
		claim{"no Secret was made in the namespace intruder", intruderHasNothing},
	}
}

func repairParts() []part {
	return []part{
		say(`Git says what a Secret holds. One that was edited by hand is put right at
			once.`),
		run("kubectl patch secret -n shop database \\\n" +
			`    -p '{"stringData": {"password": "by-hand"}}'`).prints("patched"),
		run("kubectl wait -n shop secret/database \\\n" +
			"    --for=jsonpath={.data.password}=" + encoded(newPassword)).prints("condition met"),
		claim{"the Secret is as it was sealed", valuesAre(newPassword)},
	}
}

func restartParts(d *demo) []part {
	return []part{
		say(`Opening costs operations with private keys, and the controller counts
			them.`),
		run(d.metricsLine()).prints("fuin_private_key_operations_total{"),
		act(rememberSecret),
		say(`It is killed and started anew, while nothing else changes.`),
		act(killController),
		startController(d.controllerLine()),
		claim{"it has looked at both SealedSecrets again", bothSeen},
		run(d.metricsLine()).prints(`fuin_private_key_operations_total{kind="hybrid"} 0`),
		claim{"no value was opened, and the Secret was not written", secretIsUnwritten},
		say(`What was opened is remembered in the status of the SealedSecret, in a
			form that nobody but the controller can make.`),
	}
}

// metricsLine reads the counter; kubectl can stand in for curl.
func (d *demo) metricsLine() string {
	get := "curl -s http://" + d.metrics + "/metrics"
	if _, err := exec.LookPath("curl"); err != nil {
		get = "kubectl --kubeconfig /dev/null -s http://" + d.metrics + " get --raw /metrics"
	}
	return get + " |\n    grep '^fuin_private_key'"
}

func readMessage(namespace string) string {
	return "kubectl get sealedsecret -n " + namespace + " database \\\n" +
		"    -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'"
}

func encoded(value string) string { return base64.StdEncoding.EncodeToString([]byte(value)) }

// valuesAre checks all data of the Secret.
func valuesAre(password string) func(context.Context, *demo) error {
	want := encoded(password) + " " + encoded(sessionKey) + " " + encoded(username)
	return func(ctx context.Context, d *demo) error {
		const line = `kubectl get secret -n shop database -o go-template='{{range .data}}{{.}} {{end}}'`
		got, err := d.quietly(ctx, line)
		if err == nil && got != want {
			err = fmt.Errorf("its values are %q, and should be %q", got, want)
		}
		return err
	}
}

func secretIsOwned(ctx context.Context, d *demo) error {
	const line = "kubectl get secret -n shop database -o jsonpath='{.metadata.ownerReferences[*].kind}'"
	owner, err := d.quietly(ctx, line)
	if err == nil && owner != "SealedSecret" {
		err = fmt.Errorf("its owner is %q", owner)
	}
	return err
}

func intruderHasNothing(ctx context.Context, d *demo) error {
	names, err := d.quietly(ctx, "kubectl get secret -n intruder -o name")
	if err == nil && names != "" {
		err = fmt.Errorf("there is %s", names)
	}
	return err
}

const secretVersion = "kubectl get secret -n shop database -o jsonpath='{.metadata.resourceVersion}'"

func rememberSecret(ctx context.Context, d *demo) (err error) {
	d.before, err = d.quietly(ctx, secretVersion)
	return err
}

func secretIsUnwritten(ctx context.Context, d *demo) error {
	now, err := d.quietly(ctx, secretVersion)
	if err == nil && now != d.before {
		err = fmt.Errorf("its resource version was %s and is %s", d.before, now)
	}
	return err
}

// bothSeen waits until the restarted controller shows both SealedSecrets in
// its metrics: it does so once it has dealt with one.
func bothSeen(ctx context.Context, d *demo) error {
	return eventually(ctx, func() error {
		for _, namespace := range []string{"shop", "intruder"} {
			if _, err := d.sample(ctx, "sealed_secrets_controller_condition_info{", `namespace="`+namespace+`"`); err != nil {
				return err
			}
		}
		return nil
	})
}
