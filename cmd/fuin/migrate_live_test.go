package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/kubetest"
)

// TestMigrateLive seals what a namespace of a real cluster has, and leaves out
// what the cluster makes.
func TestMigrateLive(t *testing.T) {
	m := newMigrated(t)
	t.Run("writes", m.writes)
	t.Run("takes an owner's on demand", m.takesOwned)
	t.Run("refuses", m.refuses)
}

// migrated is a cluster whose Secrets are sealed.
type migrated struct {
	dir        string // the keys, and what is written
	kubeconfig string // of an administrator
}

func newMigrated(t *testing.T) *migrated {
	t.Helper()
	c, dir := kubetest.New(t, kubetest.Config{}), t.TempDir()
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	m := &migrated{dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := kubetest.WriteKubeconfig(m.kubeconfig, c.Admin(), ""); err != nil {
		t.Fatal(err)
	}
	if err := c.ApplyYAML(t.Context(), "default", liveNamespace); err != nil {
		t.Fatal(err)
	}
	return m
}

// migrate runs the command, which shows no value, whatever it does.
func (m *migrated) migrate(t *testing.T, args ...string) (code int, said, told string) {
	t.Helper()
	u, stdout, stderr := testUI("")
	args = append([]string{"migrate", "live", "--kubeconfig", m.kubeconfig, "-r", filepath.Join(m.dir, "hybrid.pub")}, args...)
	code = u.run(t.Context(), args)
	for _, value := range []string{"correct-horse", "Y29ycmVjdC1ob3JzZQ"} {
		if strings.Contains(stdout.String()+stderr.String(), value) {
			t.Errorf("fuin %s shows a value", strings.Join(args, " "))
		}
	}
	return code, stdout.String(), stderr.String()
}

// value opens a key of manifests.
func (m *migrated) value(t *testing.T, manifests, key string) string {
	t.Helper()
	u, stdout, stderr := testUI(manifests)
	if code := u.run(t.Context(), []string{"open", "-i", filepath.Join(m.dir, "hybrid.txt"), "--key", key, "-"}); code != exitOK {
		t.Errorf("opening %s: %s", key, stderr)
	}
	return stdout.String()
}

// writes seals into files, none of which was there, and says what is left out
// and what comes next.
func (m *migrated) writes(t *testing.T) {
	out := filepath.Join(m.dir, "shop")
	code, said, told := m.migrate(t, "shop", "--out", out)
	if code != exitOK || said != "" {
		t.Fatalf("code %d: %s%s", code, said, told)
	}
	for _, want := range []string{
		"fuin: left out builder-token: a service account's token\n",
		"fuin: left out external: made by ExternalSecret db\n",
		"fuin: left out tls: made by cert-manager\n",
		"fuin: left out none: empty\n",
		"fuin: sealed 2 Secrets in " + out + "\n",
		"fuin: before they are applied: kubectl annotate secret -n shop db sealedsecrets.bitnami.com/managed=true\n",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not said:\n%s", want, told)
		}
	}
	if names := filesOf(t, out); !slices.Equal(names, []string{"db.yaml", "registry.yaml"}) {
		t.Fatalf("written: %q", names)
	}
	m.wrote(t, contentOf(t, filepath.Join(out, "db.yaml")))
	if code, _, told = m.migrate(t, "shop", "--out", out); code != exitError || !strings.Contains(told, "db.yaml: exists already") {
		t.Errorf("a second time: code %d: %s", code, told)
	}
}

// wrote checks a file: it opens to what the cluster has, and keeps what is the
// user's of it, without what is the cluster's.
func (m *migrated) wrote(t *testing.T, text string) {
	t.Helper()
	if got := m.value(t, text, "password"); got != "correct-horse" {
		t.Errorf("the password opens to %q", got)
	}
	for _, not := range []string{"correct-horse", "Y29ycmVjdC1ob3JzZQ", "last-applied", "resourceVersion", "uid"} {
		if strings.Contains(text, not) {
			t.Errorf("%s is in the file:\n%s", not, text)
		}
	}
	for _, want := range []string{`sealedsecrets.bitnami.com/managed: "true"`, "tier: web", "name: db", "namespace: shop"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in the file", want)
		}
	}
}

func (m *migrated) takesOwned(t *testing.T) {
	code, said, told := m.migrate(t, "shop", "--owner", "externalsecret", "--scope", "namespace-wide")
	if code != exitOK || !strings.Contains(said, "name: external") || strings.Contains(said, "ownerReferences") || strings.Count(said, "kind: SealedSecret") != 3 {
		t.Errorf("code %d: %s%s", code, said, told)
	}
}

func (m *migrated) refuses(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		code int
		told string
	}{
		"an empty namespace": {args: []string{"default"}, code: exitError, told: "namespace default of context kubetest"},
		"another context":    {args: []string{"shop", "--from", "cluster:elsewhere"}, code: exitUnreachable},
		"no context":         {args: []string{"shop", "--from", "production"}, code: exitUsage},
	} {
		if code, _, told := m.migrate(t, row.args...); code != row.code || !strings.Contains(told, row.told) {
			t.Errorf("%s: code %d: %s", name, code, told)
		}
	}
}

func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const liveNamespace = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
  labels: {tier: web}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"data":{"password":"Y29ycmVjdC1ob3JzZQ=="}}'
stringData: {password: correct-horse}
---
apiVersion: v1
kind: Secret
metadata:
  name: registry
  namespace: shop
  annotations: {sealedsecrets.bitnami.com/managed: "true"}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: '{"auths":{}}'}
---
apiVersion: v1
kind: Secret
metadata: {name: none, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata:
  name: builder-token
  namespace: shop
  annotations: {kubernetes.io/service-account.name: builder}
type: kubernetes.io/service-account-token
---
apiVersion: v1
kind: Secret
metadata:
  name: tls
  namespace: shop
  annotations: {cert-manager.io/certificate-name: tls}
stringData: {tls.key: correct-horse}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: owner, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata:
  name: external
  namespace: shop
  ownerReferences: [{apiVersion: external-secrets.io/v1, kind: ExternalSecret, name: db, uid: 7d9a3f50-1111-4222-8333-444455556666}]
stringData: {password: correct-horse}
`
