package controller_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
)

// kubeseal is the command of Sealed Secrets.
type kubeseal struct {
	t    testing.TB
	path string
	cert string // the file to seal with
}

// kubeseal seals with a certificate.
func (s *system) kubeseal(certificate []byte) kubeseal {
	s.T.Helper()
	k := kubeseal{t: s.T, path: kubetest.NeedPeers(s.T).Kubeseal, cert: filepath.Join(s.T.TempDir(), "cert.pem")}
	s.OK(os.WriteFile(k.cert, certificate, 0o600))
	return k
}

// try runs it. It finds no configuration but what the arguments name.
func (k kubeseal) try(stdin string, args ...string) (stdout string, err error) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.path, args...)
	cmd.Env = []string{"HOME=" + k.t.TempDir()}
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubeseal %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return string(out), nil
}

// run is try where nothing may fail.
func (k kubeseal) run(stdin string, args ...string) string {
	k.t.Helper()
	out, err := k.try(stdin, args...)
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

// seal seals a manifest.
func (k kubeseal) seal(manifest string, args ...string) string {
	k.t.Helper()
	return k.run(manifest, append([]string{"--cert", k.cert}, args...)...)
}

// raw seals one value.
func (k kubeseal) raw(value string, args ...string) string {
	k.t.Helper()
	return k.run(value, append([]string{"--cert", k.cert, "--raw", "--from-file", "/dev/stdin"}, args...)...)
}

// upstreamDir is the source tree of Sealed Secrets.
func upstreamDir(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/bitnami-labs/sealed-secrets").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// upstreamRBAC is what Sealed Secrets' manifests grant its controller.
const upstreamRBAC = `
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: sealed-secrets-controller, namespace: NAMESPACE}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: secrets-unsealer}
rules:
  - {apiGroups: [bitnami.com], resources: [sealedsecrets], verbs: [get, list, watch]}
  - {apiGroups: [bitnami.com], resources: [sealedsecrets/status], verbs: [update]}
  - {apiGroups: [""], resources: [secrets], verbs: [get, list, create, update, delete, watch]}
  - {apiGroups: [""], resources: [events], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sealed-secrets-controller}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: secrets-unsealer}
subjects: [{kind: ServiceAccount, name: sealed-secrets-controller, namespace: NAMESPACE}]
`

// newUpstream is a cluster of its own with Sealed Secrets' CRD and RBAC, its
// controller's account in the namespace. There is nothing of Fuin in it.
func newUpstream(t testing.TB, namespace string) *system {
	t.Helper()
	kubetest.NeedPeers(t)
	needMounts(t)
	s := &system{&fuintest.System{Cluster: kubetest.New(t, kubetest.Config{}), T: t}}
	s.OK(s.Apply(t.Context(), "", filepath.Join(upstreamDir(t), "helm", "sealed-secrets", "crds")))
	s.OK(s.ApplyYAML(t.Context(), "", strings.ReplaceAll(upstreamRBAC, "NAMESPACE", namespace)))
	return s
}

// inPod gives a process what a pod finds at the place of its account, in a
// mount namespace of its own: nothing on the machine changes.
const inPod = `mount -t tmpfs tmpfs /var/run
mkdir -p /var/run/secrets/kubernetes.io
cp -r "$0" /var/run/secrets/kubernetes.io/serviceaccount
exec "$@"`

// unshare is the start of a command whose mounts are its own, also for those
// who are not root where the machine allows it.
func unshare() []string {
	if os.Geteuid() == 0 {
		return []string{"unshare", "--mount"}
	}
	return []string{"unshare", "--mount", "--map-root-user"}
}

// needMounts skips a test where no process can have mounts of its own.
func needMounts(t testing.TB) {
	t.Helper()
	probe := append(unshare(), "mount", "-t", "tmpfs", "tmpfs", "/var/run")
	if out, err := exec.CommandContext(t.Context(), probe[0], probe[1:]...).CombinedOutput(); err != nil {
		t.Skipf("the Sealed Secrets controller reads its account at a fixed path; to mount one there takes root, or user namespaces: %v: %s", err, out)
	}
}

// upstream is a running Sealed Secrets controller.
type upstream struct {
	*kubetest.Process
	http string
}

// runUpstream starts the Sealed Secrets controller as a pod of the namespace
// would run it, and waits until it serves. It ends with the test.
func (s *system) runUpstream(namespace string, args ...string) upstream {
	s.T.Helper()
	api, err := url.Parse(s.Admin().Host)
	s.OK(err)
	address := s.FreeAddress()
	command, log := unshare(), filepath.Join(s.T.TempDir(), "sealed-secrets.log")
	u := upstream{http: "http://" + address, Process: &kubetest.Process{
		Path: command[0],
		Args: append(append(command[1:], "sh", "-ec", inPod, s.accountDir(namespace), kubetest.NeedPeers(s.T).Controller,
			"--listen-addr", address, "--listen-metrics-addr", s.FreeAddress(), "--key-size", "2048",
			"--kubeclient-qps", "1000", "--kubeclient-burst", "1000", // its 5 a second would be what the test waits for
		), args...),
		Env:   []string{"PATH=" + os.Getenv("PATH"), "KUBERNETES_SERVICE_HOST=" + api.Hostname(), "KUBERNETES_SERVICE_PORT=" + api.Port()},
		Log:   log,
		Ready: healthy("http://" + address + "/healthz"),
	}}
	s.T.Cleanup(func() {
		if err := u.Stop(); err != nil {
			s.T.Error(err)
		}
		if said, err := os.ReadFile(log); s.T.Failed() && err == nil {
			s.T.Logf("Sealed Secrets said:\n%s", said)
		}
	})
	s.OK(u.Start(s.T.Context()))
	return u
}

// accountDir holds the files of the controller's account, as in a pod.
func (s *system) accountDir(namespace string) string {
	s.T.Helper()
	account, err := s.As(s.T.Context(), namespace, "sealed-secrets-controller")
	s.OK(err)
	dir := s.T.TempDir()
	for name, data := range map[string][]byte{
		"token": []byte(account.BearerToken), "ca.crt": account.CAData, "namespace": []byte(namespace),
	} {
		s.OK(os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return dir
}

func healthy(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := fetch(ctx, address)
		return err
	}
}

// fetch reads a page that must answer with 200.
func fetch(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", address, resp.Status)
	}
	return body.String(), nil
}

// certificate is what the controller seals with now.
func (s *system) certificate(server string) string {
	s.T.Helper()
	cert, err := fetch(s.T.Context(), server+"/v1/cert.pem")
	s.OK(err)
	_, err = keys.ParseRecipients([]byte(cert), time.Now())
	s.OK(err)
	return cert
}
