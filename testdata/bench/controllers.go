package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// setUpFuin installs what deploy/base holds, but for the Deployment: the
// controller runs as a process with the rights of its account.
func setUpFuin(ctx context.Context, b *bench, c *kubetest.Cluster, ring []*keys.Identity) (*controller, error) {
	const namespace, account = "fuin-system", "fuin-controller"
	for _, file := range []string{"namespace.yaml", "bitnami.com_sealedsecrets.yaml", "rbac.yaml"} {
		if err := c.Apply(ctx, "", filepath.Join(b.root, "deploy", "base", file)); err != nil {
			return nil, err
		}
	}
	if err := install(ctx, c, ring, namespace); err != nil {
		return nil, err
	}
	config, err := c.As(ctx, namespace, account)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(c.Dir, "fuin.kubeconfig")
	if err := kubetest.WriteKubeconfig(kubeconfig, config, namespace); err != nil {
		return nil, err
	}
	ctl, err := newController(c, filepath.Join(b.bin, "fuin-controller"), "--kubeconfig", kubeconfig, "--namespace", namespace)
	if err != nil {
		return nil, err
	}
	ctl.counter, ctl.sandboxed = "fuin_private_key_operations_total", true
	return ctl, nil
}

// noThrottle is the flag of the peer that lets it ask the API server as often
// as it can.
const noThrottle = "--kubeclient-qps=-1"

//go:embed peer.yaml
var peerRBAC string

// setUpPeer installs the Sealed Secrets controller with its own CRD and the
// rights that its release gives it.
func setUpPeer(flags ...string) func(context.Context, *bench, *kubetest.Cluster, []*keys.Identity) (*controller, error) {
	return func(ctx context.Context, b *bench, c *kubetest.Cluster, ring []*keys.Identity) (*controller, error) {
		const namespace, account = "sealed-secrets", "sealed-secrets-controller"
		source, err := moduleDir(ctx, "github.com/bitnami-labs/sealed-secrets")
		if err != nil {
			return nil, err
		}
		if err := c.Apply(ctx, "", filepath.Join(source, "helm", "sealed-secrets", "crds")); err != nil {
			return nil, err
		}
		if err := c.ApplyYAML(ctx, namespace, peerRBAC); err != nil {
			return nil, err
		}
		if err := install(ctx, c, ring, namespace); err != nil {
			return nil, err
		}
		files := filepath.Join(c.Dir, "peer-account")
		server, err := podFiles(ctx, c, namespace, account, files)
		if err != nil {
			return nil, err
		}
		ctl, err := newController(c, filepath.Join(b.peers, "controller"), flags...)
		if err != nil {
			return nil, err
		}
		ctl.Path, ctl.Args, err = inPod(files, ctl.Path, ctl.Args)
		ctl.Env = []string{
			"PATH=" + os.Getenv("PATH"),
			"KUBERNETES_SERVICE_HOST=" + server.Hostname(), "KUBERNETES_SERVICE_PORT=" + server.Port(),
		}
		return ctl, err
	}
}

// accountDir is where a pod finds its account, and where the peer looks for it.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// podFiles writes what a pod finds in accountDir, and returns the address of
// the API server.
func podFiles(ctx context.Context, c *kubetest.Cluster, namespace, account, dir string) (*url.URL, error) {
	config, err := c.As(ctx, namespace, account)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{
		"token": []byte(config.BearerToken), "ca.crt": config.CAData, "namespace": []byte(namespace),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return url.Parse(config.Host)
}

// inPod wraps a program so that it sees files in accountDir. The mounts are
// its own: nobody else sees them, and they go with it. Each program takes the
// place of the one before, so that the process ID stays the same.
func inPod(files, program string, args []string) (string, []string, error) {
	const script = `mount -t tmpfs fuin-bench /var/run && mkdir -p ` + accountDir + ` &&
		cp "$0"/* ` + accountDir + ` && exec "$@"`
	unshare, err := exec.LookPath("unshare")
	return unshare, slices.Concat([]string{"--mount", "--propagation", "private", "sh", "-c", script, files, program}, args), err
}

// canMount tells early and in plain words where the peer cannot run.
func canMount(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private",
		"sh", "-c", "mount -t tmpfs fuin-bench /var/run").CombinedOutput()
	if err != nil {
		return fmt.Errorf("the Sealed Secrets controller needs root, or -alone leaves it out: it reads its account only in %s, "+
			"which is mounted for it alone: %w: %s", accountDir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// install keeps keys in the cluster as both controllers find them; the peer
// passes over those of age.
func install(ctx context.Context, c *kubetest.Cluster, ring []*keys.Identity, namespace string) error {
	for i, id := range ring {
		key := id.Secret(namespace, fmt.Sprintf("sealed-secrets-key-%s-%02d", id.Kind(), i))
		if err := c.Client().Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: key.Labels},
			Type:       corev1.SecretType(key.Type), Data: key.Data,
		}); err != nil {
			return err
		}
	}
	return nil
}

// newController describes a controller that serves on ports of its own.
func newController(c *kubetest.Cluster, program string, args ...string) (*controller, error) {
	endpoints, err := freeAddress()
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ctl := &controller{metrics: "http://" + metrics + "/metrics"}
	ctl.Path, ctl.Log = program, filepath.Join(c.Dir, "controller.log")
	ctl.Args = append([]string{"--listen-addr", endpoints, "--listen-metrics-addr", metrics}, args...)
	return ctl, nil
}

// freeAddress is one that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
