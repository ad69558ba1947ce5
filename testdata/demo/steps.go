package main

import "context"

const introduction = `Fuin keeps Kubernetes Secrets in Git. A developer seals a
Secret with a cluster's public key; the controller in that cluster, and nobody
else, opens it. This demo shows the whole way of one secret.

The servers are real, and run on this machine for as long as the demo does.
Every command is run as it stands here, and every ✓ was checked. It takes half
a minute and leaves nothing behind.`

// steps is the demo from start to finish.
func steps(d *demo) []step {
	return []step{
		{"A cluster", clusterParts()},
		{"The controller", controllerParts(d)},
		{"A repository, and a Secret that must not get into it", repositoryParts()},
		{"Seal it", sealParts()},
		{"What Git holds", commitParts()},
		{"Apply it", applyParts()},
		{"Change one value", changeParts()},
		{"A sealed value that was altered is refused", alterParts()},
		{"A sealed value that was moved is refused", moveParts()},
		{"An edit by hand is repaired", repairParts()},
		{"A restart opens nothing again", restartParts(d)},
	}
}

func clusterParts() []part {
	return []part{
		say(`etcd, the Kubernetes API server and its controller manager start. There
			is no node, so Pods stay pending; all that concerns Secrets is real.`),
		act(startCluster),
		run("kubectl version").prints("Server Version"),
	}
}

func controllerParts(d *demo) []part {
	return []part{
		say(`An administrator installs Fuin: the SealedSecret resource, a service
			account with the rights it needs, and a Deployment.`),
		run("kubectl apply --server-side -k deploy/base").prints("clusterrolebinding", "deployment"),
		say(`With no node to run the Deployment's Pod, the demo starts the same
			program itself, as the same service account. $DEMO is a temporary directory.`),
		act(writeAccount),
		run("kubectl auth whoami --kubeconfig $DEMO/controller.kubeconfig \\\n" +
			"    -o jsonpath={.status.userInfo.username}").
			prints("system:serviceaccount:fuin-system:fuin-controller"),
		startController(d.controllerLine()),
		claim{"the controller runs; it is no administrator, and may not even delete a Secret", accountIsLimited},
		say(`On its first start it made the cluster's keys: one pair for the
			format of Sealed Secrets (RSA), one for age (hybrid, post-quantum). The
			private halves are Secrets that stay in the cluster.`),
		run("kubectl get secret -n fuin-system").prints("fuin.dev/age-identity", "kubernetes.io/tls"),
		say(`The public halves are for everybody who may log in.`),
		run("fuin keys list cluster").prints("rsa ", "hybrid "),
	}
}

// controllerLine starts the controller: the program of the Deployment, told
// what a Pod would know by itself.
func (d *demo) controllerLine() string {
	return "fuin-controller --kubeconfig $DEMO/controller.kubeconfig \\\n" +
		"    --listen-addr " + d.serving + " --listen-metrics-addr " + d.metrics
}

func accountIsLimited(ctx context.Context, d *demo) error {
	for _, question := range []string{"'*' '*' --all-namespaces", "delete secrets -n " + systemNamespace} {
		line := "kubectl --kubeconfig $DEMO/controller.kubeconfig auth can-i " + question
		if _, err := d.quietly(ctx, `test "$(`+line+`)" = no`); err != nil {
			return err
		}
	}
	return nil
}
