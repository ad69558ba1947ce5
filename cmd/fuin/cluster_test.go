package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestRealCluster seals with the keys of a real API server, as an account
// without any rights but those that the controller gives to all.
func TestRealCluster(t *testing.T) {
	c := kubetest.New(t, kubetest.Config{})
	files, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	config, err := c.As(t.Context(), c.Namespace(t), "default")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := kubetest.WriteKubeconfig(kubeconfig, config, ""); err != nil {
		t.Fatal(err)
	}
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	sealedBy := func(flag, spec, identity string) (code int, said string) {
		return sealAndOpen(t, kubeconfig, flag, spec, filepath.Join(dir, identity))
	}

	if code, said := sealedBy("--cert", "cluster", "rsa.key"); code != exitUnreachable || !strings.Contains(said, "403 Forbidden") {
		t.Errorf("without rights: code %d, %s", code, said)
	}
	publish(t, c, files)
	granted := func() bool { // the API server's authorizer learns of Roles a moment later
		_, said := sealedBy("--cert", "cluster", "rsa.key")
		return !strings.Contains(said, "403 Forbidden")
	}
	for deadline := time.Now().Add(2 * time.Minute); !granted() && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if code, said := sealedBy("--cert", "cluster", "rsa.key"); code != exitOK || !strings.Contains(said, "fuin: sealing for context kubetest (https://") {
		t.Errorf("certificate: code %d, %s", code, said)
	}
	if code, said := sealedBy("-r", "cluster:kubetest", "hybrid.txt"); code != exitOK {
		t.Errorf("recipients: code %d, %s", code, said)
	}

	// A cluster with Sealed Secrets: no ConfigMap, but a service to ask.
	if err := c.Client().Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: fuinNamespace, Name: configMapName}}); err != nil {
		t.Fatal(err)
	}
	if code, said := sealedBy("-r", "cluster", "hybrid.txt"); code != exitUnreachable || !strings.Contains(said, "is fuin-controller installed") {
		t.Errorf("nothing published: code %d, %s", code, said)
	}
	servePeer(t, c, files["rsa.pem"])
	if err := kubetest.WriteKubeconfig(kubeconfig, c.Admin(), ""); err != nil {
		t.Fatal(err)
	}
	if code, said := sealedBy("--cert", "cluster", "rsa.key"); code != exitOK {
		t.Errorf("by the service: code %d, %s", code, said)
	}
}

// sealAndOpen seals a value for the cluster and opens it with its key.
func sealAndOpen(t *testing.T, kubeconfig, flag, spec, identity string) (code int, said string) {
	t.Helper()
	const manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: correct horse}\n"
	u, sealed, stderr := testUI(manifest)
	if code := u.run(t.Context(), []string{"seal", flag, spec, "--kubeconfig", kubeconfig, "-"}); code != exitOK {
		return code, stderr.String()
	}
	u, opened, failed := testUI(sealed.String())
	if code := u.run(t.Context(), []string{"open", "-i", identity, "--key", "password", "-"}); code != exitOK || opened.String() != "correct horse" {
		t.Errorf("%s %s: opening: code %d, %s", flag, spec, code, failed)
	}
	return exitOK, stderr.String()
}

// publish does what fuin-controller does: a ConfigMap that everybody may read.
func publish(t *testing.T, c *kubetest.Cluster, files map[string][]byte) {
	t.Helper()
	create(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fuinNamespace}})
	create(t, c, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: fuinNamespace, Name: configMapName},
		Data:       map[string]string{entryCert: string(files["rsa.pem"]), entryRecipients: string(files["hybrid.pub"])},
	})
	err := c.ApplyYAML(t.Context(), fuinNamespace, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: public-keys}
rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [`+configMapName+`], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: public-keys}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: public-keys}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}]
`)
	if err != nil {
		t.Fatal(err)
	}
}

// servePeer puts a certificate behind the service of Sealed Secrets.
func servePeer(t *testing.T, c *kubetest.Cluster, cert []byte) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/cert.pem", func(w http.ResponseWriter, _ *http.Request) { answer(w, cert) })
	address, err := kubetest.Address()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux}}
	server.Start()
	t.Cleanup(server.Close)
	port := listener.Addr().(*net.TCPAddr).Port
	if err := c.Expose(t.Context(), peerNamespace, peerName, port); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, c *kubetest.Cluster, object client.Object) {
	t.Helper()
	if err := c.Client().Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}
