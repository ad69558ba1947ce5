package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"fuin.dev/controller/vaulttest"
)

// What Vault holds: the token for payments in staging, before and after it is
// replaced, and production's.
const (
	oldToken        = "sample-copper-coin"
	newToken        = "sample-silver-coin"
	productionToken = "sample-golden-coin"
)

// stagingPayments is the workload that uses it.
var stagingPayments = place{staging, "staging", "payments"}

// The files of this step.
const (
	paymentsFile = "overlays/staging/payments.yaml"
	payments     = `apiVersion: v1
kind: Secret
metadata: {name: payments}
stringData:
  token: ref+vault://secret/staging/payments#/token
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: payments}
spec:
  selector: {matchLabels: {app: payments}}
  template:
    metadata: {labels: {app: payments}}
    spec:
      containers:
        - name: payments
          image: registry.example/payments:0.3.0
          envFrom: [{secretRef: {name: payments}}]
`
	curious = `apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: curious, namespace: staging}
spec:
  encryptedData: {}
  template:
    data:
      token: ref+vault://secret/production/payments#/token
`
	connection = `apiVersion: fuin.dev/v1alpha1
kind: VaultConnection
metadata: {name: vault}
spec:
  address: %s
  caBundle: %s
  auth:
    jwt: {mount: jwt, role: fuin, audience: vault}
  refreshInterval: 10s
`
)

func vaultParts() []part {
	return []part{
		say(`The token for payments is not to be in Git at all: it lives in a Vault,
			which starts now. Git says where it is, and nothing more. A workload comes
			with it.`),
		act(startVault),
		run("head -n 5 " + paymentsFile).prints("ref+vault://secret/staging/payments"),
		run("sed -i 's/- secret.yaml/&\\n  - payments.yaml/' overlays/staging/kustomization.yaml"),
		say(`An administrator of the cluster says where Vault is, and one of Vault what
			may be read there: what the files refer to, by the namespace that they are
			for, and nothing else.`),
		run("grep -v caBundle $DEMO/vault.yaml\nkubectl --context staging apply -f $DEMO/vault.yaml").prints("jwt", "created"),
		run("fuin vault policy overlays/staging --connection-file $DEMO/vault.yaml \\\n"+
			"    --mounts $DEMO/mounts.json --accessor $(cat $DEMO/accessor) \\\n    > $DEMO/policy.hcl\ngrep -v '^#' $DEMO/policy.hcl").prints("secret/data/", `"read"`),
		act(writePolicy),
		run("git add . && git commit -q -m Payments && git push -q origin main\n" +
			"fuin wait --context staging overlays/staging 2>/dev/null"),
		claim{"the Secret in the cluster has the token; it was read as namespace staging", soon(valueBecame(stagingPayments, "token", oldToken))},
		say(`In Vault, the token is replaced. Nothing is committed, and nobody tells
			the cluster; this connection looks every ten seconds.`),
		act(rememberRolls),
		act(replaceToken),
		claim{"the Secret follows, and payments has a new ReplicaSet; no other workload has", paymentsFollow},
		say(`Somebody who may write to staging asks for production's token.`),
		run("grep token: $DEMO/curious.yaml\nkubectl --context staging apply -f $DEMO/curious.yaml\n" +
			"kubectl --context staging wait -n staging --for=condition=Ready=false \\\n    sealedsecret/curious").prints("condition met"),
		run("kubectl --context staging get sealedsecret -n staging curious \\\n" +
			"    -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'").
			prints("secret/production/payments").
			proving("Vault refuses it: the controller reads as the namespace, and not as itself"),
		run("kubectl --context staging delete -f $DEMO/curious.yaml").prints("deleted"),
	}
}

// startVault readies a Vault that trusts staging's service accounts, and writes
// the files of this step.
func startVault(ctx context.Context, d *demo) (err error) {
	if d.vault, err = vaulttest.Start(ctx, vaulttest.Config{}); err != nil {
		return err
	}
	if err := d.vault.KV(ctx, "secret", 2); err != nil {
		return err
	}
	if err := d.vault.JWT(ctx, "jwt", d.at(staging).cluster); err != nil {
		return err
	}
	for name, token := range map[string]string{"staging": oldToken, "production": productionToken} {
		if err := d.put(ctx, name, token); err != nil {
			return err
		}
	}
	methods, err := d.vault.Client().Sys().ListAuthWithContext(ctx)
	if err != nil {
		return err
	}
	mounts, err := d.vault.Client().Sys().ListMountsWithContext(ctx)
	if err != nil {
		return err
	}
	listed, err := json.Marshal(mounts)
	if err != nil {
		return err
	}
	for path, text := range map[string]string{
		filepath.Join(d.work, paymentsFile): payments,
		d.path("curious.yaml"):              curious,
		d.path("mounts.json"):               string(listed),
		d.path("accessor"):                  methods["jwt/"].Accessor,
		d.path("vault.yaml"):                fmt.Sprintf(connection, d.vault.Addresses[0], base64.StdEncoding.EncodeToString(d.vault.CA)),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// put writes the token of an environment into Vault.
func (d *demo) put(ctx context.Context, environment, token string) error {
	data := map[string]any{"data": map[string]any{"token": token}}
	return d.vault.Write(ctx, "secret/data/"+environment+"/payments", data)
}

// writePolicy gives Vault the policy that was printed, and the role.
func writePolicy(ctx context.Context, d *demo) error {
	policy, err := os.ReadFile(d.path("policy.hcl"))
	if err != nil {
		return err
	}
	if err := d.vault.Policy(ctx, "fuin", "", string(policy)); err != nil {
		return err
	}
	return d.vault.JWTRole(ctx, "jwt", vaulttest.Role{Name: "fuin", Policies: []string{"fuin"}})
}

func replaceToken(ctx context.Context, d *demo) error { return d.put(ctx, "staging", newToken) }

func paymentsFollow(ctx context.Context, d *demo) error {
	if err := soon(valueBecame(stagingPayments, "token", newToken))(ctx, d); err != nil {
		return err
	}
	return soon(onlyRolled(stagingPayments))(ctx, d)
}
