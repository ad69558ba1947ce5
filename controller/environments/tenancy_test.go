package environments_test

import (
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trespass is an Environment of one tenant that reaches for what is another's,
// and what is to be said about it.
type trespass struct {
	files        files
	spec         map[string]any
	reason, text string
}

// trespasses of whoever may write everything in one namespace, on another.
func (s *system) trespasses(victim string, private *gittest.Repo, commit string) map[string]trespass {
	git := func(secret string, ref map[string]any) map[string]any {
		g := map[string]any{"url": private.URL(), "ref": ref}
		if secret != "" {
			g["secretRef"] = map[string]any{"name": secret}
		}
		return map[string]any{"source": map[string]any{"git": g}}
	}
	main, pinned := map[string]any{"branch": "main"}, map[string]any{"commit": commit}
	in := func(manifest string) string {
		return strings.Replace(manifest, "metadata: {", "metadata: {namespace: "+victim+", ", 1)
	}
	key := s.Edit(s.Seal(secret("fuin-system", "forged", "identity", "x"), true), func(m map[string]any) {
		at(m, map[string]any{"fuin.dev/sealing-key": "active"}, "spec", "template", "metadata", "labels")
		at(m, "fuin.dev/age-identity", "spec", "template", "type")
	})
	return map[string]trespass{
		"namespace":   {files{"m.yaml": in(configMapOf("m", "1"))}, nil, "NotAllowed", "ConfigMap " + victim + "/m"},
		"target":      {files{"m.yaml": configMapOf("m", "1")}, map[string]any{"targetNamespace": victim}, "NotAllowed", "ConfigMap " + victim + "/m"},
		"sealed":      {files{"s.yaml": s.Seal(secret(victim, "planted", "k", "v"), true)}, nil, "NotAllowed", "SealedSecret " + victim + "/planted"},
		"keys":        {files{"s.yaml": key}, nil, "NotAllowed", "SealedSecret fuin-system/forged"},
		"plain-key":   {files{"s.yaml": secret("fuin-system", "forged", "k", "v")}, map[string]any{"secrets": map[string]any{"plaintext": "Allow"}}, "NotAllowed", "Secret fuin-system/forged"},
		"cluster":     {files{"n.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: planted}\n"}, nil, "NotAllowed", "Namespace planted"},
		"rights":      {files{"r.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: more}\nrules: [{apiGroups: [\"\"], resources: [secrets], verbs: [\"*\"]}]\n"}, nil, "NotAllowed", "Role"},
		"credentials": {files{}, git("git-auth", main), "SecretNotFound", "git-auth"},
		"path":        {files{}, git(victim+"/git-auth", main), "SecretNotRead", "spec.source.git.secretRef"},
		"secrets":     {files{}, git("own", main), "SecretNotRead", "spec.source.git.secretRef"},
		"checkout":    {files{}, git("", main), "AuthenticationFailed", ""},
		"commit":      {files{}, git("", pinned), "AuthenticationFailed", ""},
		"account":     {files{"m.yaml": configMapOf("m", "1")}, map[string]any{"serviceAccountName": "default"}, "NotAllowed", "impersonate"},
		"nobody":      {files{"m.yaml": configMapOf("m", "1")}, map[string]any{"serviceAccountName": "none"}, "NotAllowed", "impersonate"},
	}
}

// TestTenancy: what an Environment may, its account may. It writes nowhere else,
// reads no Secrets but those of its sources, and a private repository that the
// controller holds for one namespace is not shown to another.
func TestTenancy(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	server, victim, ns := gittest.New(t), s.Tenant(), s.Tenant()
	private := server.New(t, "private")
	private.Allow(gittest.Access{Username: "robot", Password: "canary-password"})
	s.Put(secret(victim, "git-auth", "username", "robot", "password", "canary-password"))
	s.Put(secret(ns, "own", "username", "robot", "password", "canary-password"))
	owner := s.environment(private, victim, "owner", map[string]any{"source": map[string]any{"git": map[string]any{
		"url": private.URL(), "ref": map[string]any{"branch": "main"}, "secretRef": map[string]any{"name": "git-auth"},
	}}})
	commit := owner.commit(files{"m.yaml": configMapOf("private", "canary-private")})
	owner.applies()

	all := map[string]*environment{}
	trespasses := s.trespasses(victim, private, commit)
	for name, f := range trespasses {
		all[name] = s.environment(server.New(t, name), ns, name, f.spec)
		all[name].commit(f.files)
	}
	for name, f := range trespasses {
		env := all[name].becomes(metav1.ConditionFalse, f.reason, f.text)
		if len(env.Status.Inventory) > 0 {
			t.Errorf("%s: the inventory has %v", name, env.Status.Inventory)
		}
	}
	for _, gone := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: victim, Name: "m"}}, fuintest.NamedSecret(victim, "planted"),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "private"}}, fuintest.NamedSecret("fuin-system", "forged"),
	} {
		if err := s.Client().Get(t.Context(), client.ObjectKeyFromObject(gone), gone); !apierrors.IsNotFound(err) {
			t.Errorf("%T %s is there: %v", gone, client.ObjectKeyFromObject(gone), err)
		}
	}
	if log := p.Log.String(); strings.Contains(log, "canary-p") {
		t.Error("credentials or content are in the log")
	}
}

// TestNamingAnObjectClaimsNothing: an account that may see an object of another
// namespace, and not write it, keeps nobody from applying it.
func TestNamingAnObjectClaimsNothing(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server, victim, ns := gittest.New(t), s.Tenant(), s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), victim, strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: guests}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: fuin-deployer, namespace: NS}]
`, "NS", ns)))
	claims := s.environment(server.New(t, "claims"), ns, "claims", map[string]any{"targetNamespace": victim})
	claims.commit(files{"m.yaml": configMapOf("m", "theirs")})
	claims.becomes(metav1.ConditionFalse, "ApplyFailed", "cannot patch resource")
	owner := s.environment(server.New(t, "owner"), victim, "owner", nil)
	owner.commit(files{"m.yaml": configMapOf("m", "ours")})
	owner.applies()
	claims.becomes(metav1.ConditionFalse, "Claimed", victim+"/owner")
	if k := owner.configMap("m").Data["k"]; k != "ours" {
		t.Errorf("the object is %q", k)
	}
}

// TestForgedLabels: the label of an Environment on an object that it did not
// apply, even with an entry in its inventory, has nothing pruned that its
// account could not delete; without the entry nothing at all.
func TestForgedLabels(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server, victim, ns := gittest.New(t), s.Tenant(), s.Tenant()
	e := s.environment(server.New(t, "forged"), ns, "forged", nil)
	e.commit(files{"m.yaml": configMapOf("m", "1"), "gone.yaml": configMapOf("gone", "1")})
	e.applies()
	for _, at := range []string{victim, ns} {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: at, Name: "forged", Labels: map[string]string{
			"fuin.dev/environment": "forged", "fuin.dev/environment-namespace": ns,
		}}}
		s.OK(s.Client().Create(t.Context(), m))
	}
	inventory := `{"status":{"inventory":[{"id":"` + victim + `_forged__ConfigMap","v":"v1"},{"id":"` + ns + `_m__ConfigMap","v":"v1"},{"id":"` + ns + `_gone__ConfigMap","v":"v1"},{"id":"nonsense","v":""},{"id":"a_b_c_D","v":"v9"}]}}`
	s.OK(s.Client().Status().Patch(t.Context(), e.Object(), client.RawPatch("application/merge-patch+json", []byte(inventory))))
	e.commit(files{"m.yaml": configMapOf("m", "2")})
	e.Eventually("what left the source is pruned", func() bool { return e.configMap("gone") == nil })
	for _, at := range []string{victim, ns} {
		if err := s.Client().Get(t.Context(), fuintest.Key(at, "forged"), &corev1.ConfigMap{}); err != nil {
			t.Errorf("the labelled object of %s: %v", at, err)
		}
	}
}

// TestUndecodableSpecIsRefused by the API server: in the cluster, one would keep
// all Environments from being read.
func TestUndecodableSpecIsRefused(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.Tenant()
	for field, values := range map[string][]string{
		"interval":           {"abc", "1", "-1s", "9999999h", "99999h99999h99999h99999h99999h", "1s\\n"},
		"timeout":            {"soon", "1d"},
		"retryInterval":      {"1x"},
		"serviceAccountName": {"a:b", "../x", "system:serviceaccount:x:y"},
		"targetNamespace":    {"../kube-system", "A"},
	} {
		for _, value := range values {
			err := s.ApplyYAML(t.Context(), ns, `{"apiVersion": "fuin.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "odd"},
				"spec": {"source": {"git": {"url": "https://git.example/x"}}, "`+field+`": "`+value+`"}}`)
			if err == nil {
				t.Errorf("%s: %s was let in", field, value)
			}
		}
	}
}
