package main

import "context"

// The workloads that change in the steps.
var (
	stagingShop   = place{staging, "staging", "shop"}
	stagingMailer = place{staging, "staging", "mailer"}
	baseShop      = place{production, "production", "base-shop"}
	canaryShop    = place{production, "production", "canary-shop"}
)

func changeParts() []part {
	return []part{
		say(`The mailer's password in staging is rotated. The new one is sealed into
			the file without a cluster, a private key, or a look at the other values.`),
		act(rememberRolls),
		run("printf " + newStamp + " | fuin set -r keys/staging.txt --name mail \\\n    " +
			stagingFile + " SMTP_PASSWORD").withoutCluster(),
		say(`A reviewer sees which value it is, and not what it says.`),
		run("git diff --stat -p -U0").prints("+    SMTP_PASSWORD: ", "-    SMTP_PASSWORD: "),
		pushed("Rotate the password of the mailer", staging, "overlays/staging"),
		claim{"the Secret in the cluster has the new password", soon(valueBecame(place{staging, "staging", "mail"}, "SMTP_PASSWORD", newStamp))},
		claim{"staging's mailer has a new ReplicaSet, and no other workload of either cluster", soon(onlyRolled(stagingMailer))},
		run("kubectl --context staging -n staging get replicaset").prints("mailer-", "shop-"),
	}
}

// pushed commits all changes, pushes them, and waits until directories are
// applied, without a word on what goes on.
func pushed(message, cluster string, dirs ...string) command {
	line := "git commit -q -a -m '" + message + "'\ngit push -q origin main"
	for _, dir := range dirs {
		line += "\nfuin wait --context " + cluster + " " + dir + " 2>/dev/null"
	}
	return run(line)
}

func valueBecame(p place, key, want string) func(context.Context, *demo) error {
	return func(ctx context.Context, d *demo) error { return d.valueIs(ctx, p, key, want) }
}

func promoteParts() []part {
	return []part{
		say(`images.yaml of an overlay says which versions run there, in a form that
			a pipeline can write. Version 1.5.0 goes to staging first.`),
		act(rememberRolls),
		run("sed -i '/shop/ s/1.4.2/1.5.0/' overlays/staging/images.yaml"),
		run("cat overlays/staging/images.yaml").prints("registry.example/shop, newTag: 1.5.0"),
		pushed("shop 1.5.0 to staging", staging, "overlays/staging"),
		claim{"staging's shop runs it, and nothing else changed", soon(onlyRolled(stagingShop))},
		say(`It is promoted by copying the file: to the canary, and then to all.`),
		run("cp overlays/staging/images.yaml overlays/production-canary/"),
		pushed("shop 1.5.0 to the canary", production, "overlays/production-base", "overlays/production-canary"),
		run("fuin status --context production -A --image shop:1.5.0 ||\n    echo exit code $?").prints("canary-shop", "exit code 3"),
		claim{"the canary runs it, and the base does not", soon(onlyRolled(stagingShop, canaryShop))},
		run("cp overlays/staging/images.yaml overlays/production-base/"),
		pushed("shop 1.5.0 to production", production, "overlays/production-base", "overlays/production-canary"),
		run("fuin status --context production -A --image shop:1.5.0").prints("base-shop", "canary-shop"),
		claim{"production runs what staging runs", soon(imageIs(baseShop, "registry.example/shop:1.5.0"))},
	}
}
