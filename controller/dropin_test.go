package controller_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestDropIn puts the controller in the place of a Sealed Secrets controller
// with its CRD, keys and SealedSecrets, and later its own CRD over theirs.
func TestDropIn(t *testing.T) {
	i := newInstallation(t)
	secrets, sealed := i.secretVersions(), i.sealedSecrets()
	i.grant()
	const operations = "fuin_private_key_operations_total"

	p := i.run("--namespace", i.own)
	i.await(bitnami.Ready)
	i.await(bitnami.Synced)
	i.unwritten("taking over", secrets)
	if after := i.sealedSecrets(); !maps.Equal(sealed, after) {
		t.Errorf("more than the status of a SealedSecret was written:\n%v\n%v", sealed, after)
	}
	if n := len(i.rsaKeys()); n != 2 {
		t.Errorf("there are %d RSA keys, want the two that were there", n)
	}
	if served := i.certificate(p.http); served != i.newest {
		t.Errorf("it seals with\n%snot with the newest certificate\n%s", served, i.newest)
	}

	p.stop()
	p = i.run("--namespace", i.own)
	i.seesAll(p)
	i.unwritten("a restart under a CRD that prunes its status", secrets)
	if p.metric(operations) == 0 || !strings.Contains(p.log.String(), "drops status.fuin") {
		t.Error("a restart did not open again, or does not say why")
	}

	p.stop()
	i.ok(i.Apply(t.Context(), "", filepath.Join("..", "deploy", "base", "bitnami.com_sealedsecrets.yaml")))
	p = i.run("--namespace", i.own)
	i.seesAll(p)
	p.stop()
	p = i.run("--namespace", i.own)
	i.seesAll(p)
	i.unwritten("a restart under the own CRD", secrets)
	if n := p.metric(operations); n != 0 || strings.Contains(p.log.String(), "drops status.fuin") {
		t.Errorf("a restart under the own CRD made %v private-key operations", n)
	}
	i.collects()
}

// grant applies the RBAC of deploy/base, for an account beside that of Sealed
// Secrets.
func (i *installation) grant() {
	i.t.Helper()
	rbac, err := os.ReadFile(filepath.Join("..", "deploy", "base", "rbac.yaml"))
	i.ok(err)
	i.ok(i.ApplyYAML(i.t.Context(), "", strings.ReplaceAll(string(rbac), "fuin-system", i.own)))
	account, err := i.As(i.t.Context(), i.own, "fuin-controller")
	i.ok(err)
	i.kubeconfig = filepath.Join(i.t.TempDir(), "kubeconfig")
	i.ok(kubetest.WriteKubeconfig(i.kubeconfig, account, i.own))
}

// secretVersions are the resource versions of all Secrets of the cluster.
func (i *installation) secretVersions() map[client.ObjectKey]string {
	i.t.Helper()
	var list corev1.SecretList
	i.ok(i.Client().List(i.t.Context(), &list))
	out := map[client.ObjectKey]string{}
	for n := range list.Items {
		out[client.ObjectKeyFromObject(&list.Items[n])] = list.Items[n].ResourceVersion
	}
	return out
}

// unwritten checks that the Secrets that were there are as they were, and that
// nothing came but what the controller keeps for itself.
func (i *installation) unwritten(when string, before map[client.ObjectKey]string) {
	i.t.Helper()
	after := i.secretVersions()
	for key, version := range before {
		if after[key] != version {
			i.t.Errorf("%s wrote the Secret %s", when, key)
		}
		delete(after, key)
	}
	for key := range after {
		if key.Namespace != i.own || key.Name != "fuin-mac" && !strings.HasPrefix(key.Name, "fuin-age-key-") {
			i.t.Errorf("%s made the Secret %s", when, key)
		}
	}
}

// sealedSecrets are all SealedSecrets, without their status.
func (i *installation) sealedSecrets() map[string]string {
	i.t.Helper()
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind + "List"))
	i.ok(i.Client().List(i.t.Context(), &list))
	out := map[string]string{}
	for _, item := range list.Items {
		delete(item.Object, "status")
		item.SetManagedFields(nil)
		item.SetResourceVersion("")
		text, err := json.Marshal(item.Object)
		i.ok(err)
		out[item.GetNamespace()+"/"+item.GetName()] = string(text)
	}
	return out
}

func (i *installation) rsaKeys() []corev1.Secret {
	i.t.Helper()
	var list corev1.SecretList
	i.ok(i.Client().List(i.t.Context(), &list, client.HasLabels{keys.LabelRSA}))
	return list.Items
}

// seesAll waits until the controller shows every SealedSecret in its metrics,
// which it does when it is done with one.
func (i *installation) seesAll(p *process) {
	i.t.Helper()
	i.eventually("all SealedSecrets are seen", func() bool {
		shown := p.get("http://" + p.metrics + "/metrics")
		return strings.Count(shown, `condition="Synced"`) == len(i.open)+len(i.shut)
	})
}

// collects deletes SealedSecrets and sees their Secrets collected, both one
// that was taken over and a new one; what was only patched stays.
func (i *installation) collects() {
	i.t.Helper()
	sealed := i.kubeseal([]byte(i.newest)).seal(secret(i.tenant, "new", "k", "v"))
	i.apply(sealed)
	i.opens(i.tenant, "new", "k", "v")
	i.ok(i.Client().Delete(i.t.Context(), namedSealedSecret(i.tenant, "patched")))
	for _, key := range []client.ObjectKey{i.open[0], clientKey(i.tenant, "new")} {
		i.ok(i.Client().Delete(i.t.Context(), namedSealedSecret(key.Namespace, key.Name)))
		i.eventually(key.String()+" is collected", func() bool { return i.secretOf(key.Namespace, key.Name) == nil })
	}
	if kept := i.secretOf(i.tenant, "patched"); kept == nil || string(kept.Data["theirs"]) != "x" {
		i.t.Error("a Secret that was only patched is gone")
	}
}
