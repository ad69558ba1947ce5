package controller_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestDropIn puts the controller in the place of a Sealed Secrets controller
// with its CRD, keys and SealedSecrets, and later its own CRD over theirs.
func TestDropIn(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	secrets, sealed := i.secretVersions(), i.sealedSecrets()
	i.grant()
	const operations = "fuin_private_key_operations_total"

	p := i.Run(fuintest.Alone, "--namespace", i.own)
	i.await(bitnami.Ready)
	i.await(bitnami.Synced)
	i.unwritten("taking over", secrets)
	if after := i.sealedSecrets(); !maps.Equal(sealed, after) {
		t.Errorf("more than the status of a SealedSecret was written:\n%v\n%v", sealed, after)
	}
	if n := len(i.rsaKeys()); n != 2 {
		t.Errorf("there are %d RSA keys, want the two that were there", n)
	}
	if served := i.certificate(p.HTTP); served != i.newest {
		t.Errorf("it seals with\n%snot with the newest certificate\n%s", served, i.newest)
	}

	p.Stop()
	p = i.Run(fuintest.Alone, "--namespace", i.own)
	i.seesAll(p)
	i.unwritten("a restart under a CRD that prunes its status", secrets)
	if p.Metric(operations) == 0 || !strings.Contains(p.Log.String(), "drops status.fuin") {
		t.Error("a restart did not open again, or does not say why")
	}

	p.Stop()
	i.OK(i.Apply(t.Context(), "", filepath.Join("..", "deploy", "base", "bitnami.com_sealedsecrets.yaml")))
	p = i.Run(fuintest.Alone, "--namespace", i.own)
	i.seesAll(p)
	p.Stop()
	p = i.Run(fuintest.Alone, "--namespace", i.own)
	i.seesAll(p)
	i.unwritten("a restart under the own CRD", secrets)
	if n := p.Metric(operations); n != 0 || strings.Contains(p.Log.String(), "drops status.fuin") {
		t.Errorf("a restart under the own CRD made %v private-key operations", n)
	}
	i.collects()
}

// grant applies the RBAC of deploy/base, for an account beside that of Sealed
// Secrets.
func (i *installation) grant() {
	i.T.Helper()
	rbac, err := os.ReadFile(filepath.Join("..", "deploy", "base", "rbac.yaml"))
	i.OK(err)
	i.OK(i.ApplyYAML(i.T.Context(), "", strings.ReplaceAll(string(rbac), "fuin-system", i.own)))
	account, err := i.As(i.T.Context(), i.own, "fuin-controller")
	i.OK(err)
	i.Kubeconfig = filepath.Join(i.T.TempDir(), "kubeconfig")
	i.OK(kubetest.WriteKubeconfig(i.Kubeconfig, account, i.own))
}

// secretVersions are the resource versions of all Secrets of the cluster.
func (i *installation) secretVersions() map[client.ObjectKey]string {
	i.T.Helper()
	var list corev1.SecretList
	i.OK(i.Client().List(i.T.Context(), &list))
	out := map[client.ObjectKey]string{}
	for n := range list.Items {
		out[client.ObjectKeyFromObject(&list.Items[n])] = list.Items[n].ResourceVersion
	}
	return out
}

// unwritten checks that the Secrets that were there are as they were, and that
// nothing came but what the controller keeps for itself.
func (i *installation) unwritten(when string, before map[client.ObjectKey]string) {
	i.T.Helper()
	after := i.secretVersions()
	for key, version := range before {
		if after[key] != version {
			i.T.Errorf("%s wrote the Secret %s", when, key)
		}
		delete(after, key)
	}
	for key := range after {
		if key.Namespace != i.own || key.Name != "fuin-mac" && !strings.HasPrefix(key.Name, "fuin-age-key-") {
			i.T.Errorf("%s made the Secret %s", when, key)
		}
	}
}

// sealedSecrets are all SealedSecrets, without their status.
func (i *installation) sealedSecrets() map[string]string {
	i.T.Helper()
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind + "List"))
	i.OK(i.Client().List(i.T.Context(), &list))
	out := map[string]string{}
	for _, item := range list.Items {
		delete(item.Object, "status")
		item.SetManagedFields(nil)
		item.SetResourceVersion("")
		text, err := json.Marshal(item.Object)
		i.OK(err)
		out[item.GetNamespace()+"/"+item.GetName()] = string(text)
	}
	return out
}

func (i *installation) rsaKeys() []corev1.Secret {
	i.T.Helper()
	var list corev1.SecretList
	i.OK(i.Client().List(i.T.Context(), &list, client.HasLabels{keys.LabelRSA}))
	return list.Items
}

// seesAll waits until the controller shows every SealedSecret in its metrics,
// which it does when it is done with one.
func (i *installation) seesAll(p *fuintest.Process) {
	i.T.Helper()
	i.Eventually("all SealedSecrets are seen", func() bool {
		shown := p.Get(p.Metrics)
		return strings.Count(shown, `condition="Synced"`) == len(i.open)+len(i.shut)
	})
}

// collects deletes SealedSecrets and sees their Secrets collected, both one
// that was taken over and a new one; what was only patched stays.
func (i *installation) collects() {
	i.T.Helper()
	sealed := i.kubeseal([]byte(i.newest)).seal(secret(i.tenant, "new", "k", "v"))
	i.Put(sealed)
	i.Opens(i.tenant, "new", "k", "v")
	i.OK(i.Client().Delete(i.T.Context(), fuintest.NamedSealedSecret(i.tenant, "patched")))
	for _, key := range []client.ObjectKey{i.open[0], fuintest.Key(i.tenant, "new")} {
		i.OK(i.Client().Delete(i.T.Context(), fuintest.NamedSealedSecret(key.Namespace, key.Name)))
		i.Eventually(key.String()+" is collected", func() bool { return i.Secret(key.Namespace, key.Name) == nil })
	}
	if kept := i.Secret(i.tenant, "patched"); kept == nil || string(kept.Data["theirs"]) != "x" {
		i.T.Error("a Secret that was only patched is gone")
	}
}
