package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A keeper is an account that keeps the keys of one namespace.
type keeper struct {
	cluster    *kubetest.Cluster
	namespace  string
	client     client.Client
	kubeconfig string
	stranger   string // a kubeconfig that may only read what is published
}

// The Secrets of a keeper's ring: an old and a new key of each family.
const (
	rsaOld = "sealed-secrets-key-old"
	rsaNew = "sealed-secrets-key-new"
	ageOld = "fuin-age-key-old"
	ageNew = "fuin-age-key-new"
)

func newKeeper(t *testing.T, c *kubetest.Cluster) *keeper {
	k := &keeper{cluster: c, namespace: c.Namespace(t), client: c.Client()}
	files, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{rsaOld: "expired.key", rsaNew: "rsa.key", ageOld: "second.txt", ageNew: "hybrid.txt"} {
		ids, err := keys.ParseIdentities(files[file])
		if err != nil {
			t.Fatal(err)
		}
		k.keep(t, name, ids[0])
	}
	create(t, c, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: configMapName}})
	k.publish(t)
	k.kubeconfig, k.stranger = k.account(t, "keeper"), k.account(t, "stranger")
	k.grant(t)
	return k
}

// keep puts a key into the cluster, as the controller does.
func (k *keeper) keep(t *testing.T, name string, id *keys.Identity) {
	t.Helper()
	s := id.Secret(k.namespace, name)
	create(t, k.cluster, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, Labels: s.Labels},
		Type:       corev1.SecretType(s.Type), Data: s.Data,
	})
}

// id is a key as the controller reads it, dated by its name.
func (k *keeper) id(t *testing.T, name string) *keys.Identity {
	t.Helper()
	var s corev1.Secret
	if err := k.client.Get(t.Context(), client.ObjectKey{Namespace: k.namespace, Name: name}, &s); err != nil {
		t.Fatal(err)
	}
	_, word, _ := strings.Cut(name, "key-")
	age := map[string]time.Duration{"old": year, "new": time.Hour, "ahead": -time.Hour}[word]
	id, err := keys.Secret{
		Namespace: s.Namespace, Name: s.Name, Type: string(s.Type), Labels: s.Labels, Data: s.Data,
		Created: time.Now().Add(-age), OrderByAge: true,
	}.Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// publish writes the ConfigMap as the controller does.
func (k *keeper) publish(t *testing.T) {
	t.Helper()
	var secrets corev1.SecretList
	if err := k.client.List(t.Context(), &secrets, client.InNamespace(k.namespace)); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	var ids []*keys.Identity
	for _, s := range secrets.Items {
		id := k.id(t, s.Name)
		ids, names[id.Fingerprint()] = append(ids, id), s.Name
	}
	ring := keys.NewRing(ids...)
	listed := []ringKey{}
	for _, id := range ring.All() {
		listed = append(listed, ringKey{id.Fingerprint(), id.Kind(), id.State(), id.Created().UTC().Truncate(time.Second), names[id.Fingerprint()]})
	}
	text, err := json.Marshal(listed)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{entryRing: string(text)}
	for _, id := range ring.Sealing() {
		entry := entryCert
		if id.Kind().Age() {
			entry = entryRecipients
		}
		data[entry] = string(id.Recipient().Marshal())
	}
	k.write(t, data)
}

func (k *keeper) write(t *testing.T, data map[string]string) {
	t.Helper()
	published := k.configMap(t)
	published.Data = data
	if err := k.client.Update(t.Context(), published); err != nil {
		t.Fatal(err)
	}
}

func (k *keeper) configMap(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	var published corev1.ConfigMap
	if err := k.client.Get(t.Context(), client.ObjectKey{Namespace: k.namespace, Name: configMapName}, &published); err != nil {
		t.Fatal(err)
	}
	return &published
}

// account makes a service account and returns its kubeconfig.
func (k *keeper) account(t *testing.T, name string) string {
	t.Helper()
	create(t, k.cluster, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: name}})
	config, err := k.cluster.As(t.Context(), k.namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := kubetest.WriteKubeconfig(path, config, ""); err != nil {
		t.Fatal(err)
	}
	return path
}

// grant binds the Role of docs/operations.md to the keeper, and what the
// controller grants everybody to the stranger.
func (k *keeper) grant(t *testing.T) {
	t.Helper()
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	role := regexp.MustCompile("(?s)```yaml\n([^`]*kind: Role\n[^`]*)```").FindSubmatch(docs)
	if role == nil {
		t.Fatal("docs/operations.md has no Role")
	}
	const rest = `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: fuin-key-keeper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: fuin-key-keeper}
subjects: [{kind: ServiceAccount, name: keeper, namespace: NAMESPACE}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: public-keys}
rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [fuin-public-keys], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: public-keys}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: public-keys}
subjects: [{kind: ServiceAccount, name: stranger, namespace: NAMESPACE}]
`
	stream := string(role[1]) + strings.ReplaceAll(rest, "NAMESPACE", k.namespace)
	if err := k.cluster.ApplyYAML(t.Context(), k.namespace, stream); err != nil {
		t.Fatal(err)
	}
	for _, kubeconfig := range []string{k.kubeconfig, k.stranger} {
		k.poll(t, "the right to read what is published", func() bool { // the authorizer learns of Roles a moment later
			code, _, _ := k.as(t.Context(), kubeconfig, "", "list", "cluster")
			return code == exitOK
		})
	}
}

func (k *keeper) poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// run carries out fuin keys VERB as the keeper.
func (k *keeper) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return k.as(t.Context(), k.kubeconfig, "", args...)
}

// as runs it as any account; an answer makes standard input a terminal.
func (k *keeper) as(ctx context.Context, kubeconfig, answer string, args ...string) (code int, stdout, stderr string) {
	u, out, errs := testUI(answer)
	u.isTerminal = func(stream any) bool { return answer != "" && stream == u.stdin }
	code = u.run(ctx, append([]string{"keys", "--kubeconfig", kubeconfig, "--controller-namespace", k.namespace}, args...))
	return code, out.String(), errs.String()
}

// expect checks the exit code and that the output has all of want.
func expect(t *testing.T, what string, code, wantCode int, output string, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("%s: code %d, want %d: %s", what, code, wantCode, output)
	}
	for _, w := range want {
		if !strings.Contains(output, w) {
			t.Errorf("%s: no %q in %s", what, w, output)
		}
	}
}

func (k *keeper) wantStates(t *testing.T, want map[string]keys.State) {
	t.Helper()
	for name, state := range want {
		if got := k.id(t, name).State(); got != state {
			t.Errorf("%s is %s, want %s", name, got, state)
		}
	}
}

func (k *keeper) wantLabel(t *testing.T, name, label, want string) {
	t.Helper()
	var s corev1.Secret
	if err := k.client.Get(t.Context(), client.ObjectKey{Namespace: k.namespace, Name: name}, &s); err != nil {
		t.Fatal(err)
	}
	if s.Labels[label] != want {
		t.Errorf("%s has %s=%q, want %q", name, label, s.Labels[label], want)
	}
}

func readAllOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeAllOf(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
