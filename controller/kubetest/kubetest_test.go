package kubetest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fuin.dev/controller/kubetest"
)

func TestMain(m *testing.M) { kubetest.Main(m) }

func TestServiceAccountHasOnlyGrantedRights(t *testing.T) {
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	config, err := c.As(t.Context(), ns, "default")
	if err != nil {
		t.Fatal(err)
	}
	account := newClient(t, config)
	list := func() error { return account.List(t.Context(), &corev1.SecretList{}, client.InNamespace(ns)) }

	if err := list(); !apierrors.IsForbidden(err) {
		t.Fatalf("a fresh service account lists secrets: %v", err)
	}
	apply(t, c, ns, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [secrets], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default, namespace: `+ns+`}]
`)
	eventually(t, "the granted right is honoured", func() bool { return list() == nil })

	if _, err := c.As(t.Context(), ns, "nobody"); !apierrors.IsNotFound(err) {
		t.Errorf("token of a missing account: %v", err)
	}
}

func TestKubeconfigServesKubectl(t *testing.T) {
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	config, err := c.As(t.Context(), ns, "default")
	if err != nil {
		t.Fatal(err)
	}
	for path, config := range map[string]*rest.Config{"kubernetes-admin": c.Admin(), "default": config} {
		path := filepath.Join(t.TempDir(), path)
		if err := kubetest.WriteKubeconfig(path, config, ns); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), c.Binary("kubectl"), "--kubeconfig", path, "auth", "whoami").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := "kubetest-admin"
		if filepath.Base(path) == "default" {
			want = "system:serviceaccount:" + ns + ":default"
		}
		if !strings.Contains(string(out), want) {
			t.Errorf("kubectl is not %s:\n%s", want, out)
		}
	}
}

func TestOwnedObjectsAreCollected(t *testing.T) {
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "owner"}}
	if err := c.Client().Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	owned := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: ns, Name: "owned",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}},
	}}
	if err := c.Client().Create(t.Context(), owned); err != nil {
		t.Fatal(err)
	}
	if err := c.Client().Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	eventuallyGone(t, c, owned)
}

func TestNamespaceDeletionEnds(t *testing.T) {
	t.Parallel() // the controller manager lets five seconds pass
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	apply(t, c, ns, "{apiVersion: v1, kind: Secret, metadata: {name: a}}")
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := c.Client().Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	eventuallyGone(t, c, object)
}

func TestDeploymentMakesPods(t *testing.T) {
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	apply(t, c, ns, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: app}]}
`)
	eventually(t, "the Deployment has its Pod", func() bool {
		var sets appsv1.ReplicaSetList
		var pods corev1.PodList
		return c.Client().List(t.Context(), &sets, client.InNamespace(ns)) == nil && len(sets.Items) == 1 &&
			c.Client().List(t.Context(), &pods, client.InNamespace(ns)) == nil && len(pods.Items) == 1
	})
}

func TestApplyServesCustomResourcesAtOnce(t *testing.T) {
	c := kubetest.Shared(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "{apiVersion: example.com/v1, kind: Gadget, metadata: {name: one, namespace: gadgets}}",
		"b.yml":  "# nothing but a comment\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: gadgets}}",
		"c.yaml": `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`,
		"kustomization.yaml": "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [a.yaml]}",
		"notes.txt":          "not: [yaml",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Apply(t.Context(), "", dir); err != nil {
		t.Fatal(err)
	}
	gadget := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "example.com/v1", Kind: "Gadget"}}
	if err := c.Client().Get(t.Context(), client.ObjectKey{Namespace: "gadgets", Name: "one"}, gadget); err != nil {
		t.Fatal(err)
	}
}

func TestServiceProxyReachesLocalProcess(t *testing.T) {
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	apply(t, c, ns, `
apiVersion: v1
kind: Service
metadata: {name: existing}
spec: {selector: {app: none}, ports: [{name: web, port: 8080, targetPort: web}, {name: metrics, port: 8081}]}
`)
	for _, target := range []struct{ service, port string }{
		{"fresh", "http"}, {"fresh", "http"}, {"existing", "web"}, {"existing", "8081"},
	} {
		port, text := serve(t)
		if err := c.Expose(t.Context(), ns, target.service, port); err != nil {
			t.Fatal(err)
		}
		eventually(t, target.service+" answers", func() bool {
			return proxyGet(t, c, ns, target.service+":"+target.port) == text
		})
	}
}

func TestServersRestartWithTheirData(t *testing.T) {
	c := kubetest.Shared(t)
	ns := c.Namespace(t)
	apply(t, c, ns, "{apiVersion: v1, kind: Secret, metadata: {name: kept}}")
	kept := client.ObjectKey{Namespace: ns, Name: "kept"}

	for _, server := range []*kubetest.Process{c.APIServer, c.Etcd} {
		before := server.PID()
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		if server.PID() != 0 {
			t.Error("a stopped server has a process")
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if server.PID() == before {
			t.Error("a restarted server has its old process")
		}
		eventually(t, "the stored Secret is read again", func() bool {
			return c.Client().Get(t.Context(), kept, &corev1.Secret{}) == nil
		})
	}
}

func TestUsageOfServers(t *testing.T) {
	c := kubetest.Shared(t)
	for _, server := range []*kubetest.Process{c.Etcd, c.APIServer, c.ControllerManager} {
		used, err := server.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if used.CPU <= 0 || used.Memory < 10<<20 || used.PeakMemory < used.Memory {
			t.Errorf("implausible usage %+v", used)
		}
	}
}

func TestClusterEndsWithItsContext(t *testing.T) {
	kubetest.Require(t, "kube")
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := kubetest.Start(ctx, kubetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "the API server ends", func() bool { return c.APIServer.PID() == 0 })
	if err := c.Stop(); err != nil { // waits for what is still under way
		t.Error(err)
	}
	for _, server := range []*kubetest.Process{c.Etcd, c.APIServer, c.ControllerManager} {
		if server.PID() != 0 {
			t.Errorf("%s runs on", server.Path)
		}
		if err := server.Start(t.Context()); err == nil {
			t.Errorf("%s starts again", server.Path)
		}
	}
	if _, err := os.Stat(c.Dir); !os.IsNotExist(err) {
		t.Errorf("files are left: %v", err)
	}
}

// serve runs an HTTP server where the API server may reach it. It answers with
// the returned text.
func serve(t *testing.T) (port int, text string) {
	t.Helper()
	address, err := kubetest.Address()
	if err != nil {
		t.Skip(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	text = "server at " + listener.Addr().String()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(text))
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().(*net.TCPAddr).Port, text
}

// proxyGet asks a service through the API server, and returns what it said.
func proxyGet(t *testing.T, c *kubetest.Cluster, namespace, service string) string {
	t.Helper()
	proxy, err := rest.HTTPClientFor(c.Admin())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := proxy.Get(c.Admin().Host + "/api/v1/namespaces/" + namespace + "/services/" + service + "/proxy/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func apply(t *testing.T, c *kubetest.Cluster, namespace, stream string) {
	t.Helper()
	if err := c.ApplyYAML(t.Context(), namespace, stream); err != nil {
		t.Fatal(err)
	}
}

func eventuallyGone(t *testing.T, c *kubetest.Cluster, object client.Object) {
	t.Helper()
	eventually(t, object.GetName()+" is gone", func() bool {
		return apierrors.IsNotFound(c.Client().Get(t.Context(), client.ObjectKeyFromObject(object), object))
	})
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !check(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
	}
}
