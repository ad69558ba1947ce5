package main

import "context"

const introduction = `Fuin keeps Kubernetes Secrets in Git, and the cluster as Git
says. A developer seals a Secret with a cluster's public key; the controller in
that cluster fetches the repository, renders it, opens what is sealed, applies
all of it, and reports. This demo shows the whole way, with a shop that has three
environments in two clusters.

The clusters, the Git server and a Vault are real, and run on this machine for as
long as the demo does. Every command is run as it stands here, and every ✓ was
checked. It takes about a minute and leaves nothing behind.`

// steps is the demo from start to finish.
func steps(d *demo) []step {
	return []step{
		{"Two clusters", clusterParts()},
		{"A controller in each", controllerParts(d)},
		{"A repository, and Secrets that must not get into it", repositoryParts()},
		{"Seal them", sealParts()},
		{"What Git holds", commitParts()},
		{"A place for each environment", tenantParts()},
		{"From Git to the clusters", environmentParts()},
		{"Change one secret: one workload rolls", changeParts()},
		{"A new version, from staging to production", promoteParts()},
		{"A value that stays in Vault", vaultParts()},
		{"A broken value holds up what needs it, and nothing else", breakParts()},
		{"A sealed value that was moved is refused", moveParts()},
		{"The wrong cluster applies nothing", wrongParts()},
		{"An edit by hand is put right", driftParts()},
		{"A restart opens nothing again", restartParts(d.at(production))},
	}
}

func clusterParts() []part {
	return []part{
		say(`etcd, the Kubernetes API server and its controller manager start, twice:
			one cluster is called staging, the other production. They have no nodes:
			no program of the shop runs. The demo itself says of each Pod that it is
			ready, where a kubelet would. All else is real: a Deployment that changes
			gets a new ReplicaSet, which makes the Pods.`),
		act(startClusters),
		run("kubectl config get-contexts -o name").prints(staging, production),
	}
}

func controllerParts(d *demo) []part {
	parts := []part{
		say(`An administrator installs Fuin: two kinds of resource, a service account
			with the rights it needs, and a Deployment.`),
		run("for c in staging production; do\n" +
			"  kubectl --context $c apply --server-side -k deploy/base | tail -n 1\ndone").prints("deployment"),
		say(`With no node to run the Deployment's Pods, the demo starts the same
			program itself, as the same service account. $DEMO is a temporary directory.`),
		act(writeAccounts),
	}
	for _, s := range d.sites {
		parts = append(parts, startController(s))
	}
	return append(parts,
		claim{"they run; neither is an administrator, or may even delete a Secret", accountsAreLimited},
		say(`On its first start each made keys: one pair for the format of Sealed
			Secrets (RSA), one for age (hybrid, post-quantum). The private halves are
			Secrets and stay in the cluster; the public ones are for everybody.`),
		run("kubectl --context production get secret -n fuin-system").prints("fuin.dev/age-identity", "kubernetes.io/tls"),
		run("fuin keys list cluster:production").prints("rsa ", "hybrid "),
	)
}

func accountsAreLimited(ctx context.Context, d *demo) error {
	for _, s := range d.sites {
		for _, question := range []string{"'*' '*' --all-namespaces", "delete secrets -n " + systemNamespace, "create deployments.apps -n default"} {
			line := "kubectl --kubeconfig " + s.config() + " auth can-i " + question
			if _, err := d.quietly(ctx, `test "$(`+line+`)" = no`); err != nil {
				return err
			}
		}
	}
	return nil
}
