package kubetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"fuin.dev/controller/port"
	"k8s.io/client-go/rest"
)

// The users that the API server knows by a token. Everybody else is a service
// account.
const (
	adminUser             = "kubetest-admin"
	controllerManagerUser = "system:kube-controller-manager"
)

// prepare writes the files that the servers need and describes the servers.
func (c *Cluster) prepare(config Config) error {
	etcdPort, err := port.Free()
	if err != nil {
		return err
	}
	apiPort, err := port.Free()
	if err != nil {
		return err
	}
	if err := c.writeCredentials("https://127.0.0.1:" + apiPort); err != nil {
		return err
	}
	transport, err := rest.TransportFor(c.admin)
	if err != nil {
		return err
	}
	etcd := "http://127.0.0.1:" + etcdPort
	c.Etcd = c.process("etcd", c.etcdFlags(etcd), nil)
	c.Etcd.Ready = serving(http.DefaultTransport, etcd+"/readyz")
	c.APIServer = c.process("kube-apiserver", c.apiServerFlags(etcd, apiPort), config.APIServer)
	c.APIServer.Ready = serving(transport, c.admin.Host+"/readyz")
	c.ControllerManager = c.process("kube-controller-manager", c.controllerManagerFlags(), config.ControllerManager)
	return nil
}

// writeCredentials makes the keys, and a token for each static user.
func (c *Cluster) writeCredentials(host string) error {
	cert, err := writeKeys(c.Dir)
	if err != nil {
		return err
	}
	c.admin = unlimited(host, cert, rand.Text())
	controllers := unlimited(host, cert, rand.Text())
	tokens := fmt.Sprintf("%s,%s,%[2]s,system:masters\n%s,%s,%[4]s\n",
		c.admin.BearerToken, adminUser, controllers.BearerToken, controllerManagerUser)
	if err := os.WriteFile(c.path("tokens.csv"), []byte(tokens), 0o600); err != nil {
		return err
	}
	return WriteKubeconfig(c.path("controllers.kubeconfig"), controllers, "")
}

func (c *Cluster) etcdFlags(url string) []string {
	return []string{
		"--data-dir=" + c.path("etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--unsafe-no-fsync", // a crash of the machine ends the test anyway
		"--log-level=warn",
	}
}

func (c *Cluster) apiServerFlags(etcd, port string) []string {
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // it would refuse a loopback address
		"--secure-port=" + port,
		"--cert-dir=" + c.path("apiserver"),
		"--tls-cert-file=" + c.path(servingCert),
		"--tls-private-key-file=" + c.path(servingKey),
		"--token-auth-file=" + c.path("tokens.csv"),
		"--authorization-mode=RBAC",
		"--allow-privileged",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.path(accountKey),
		"--service-account-signing-key-file=" + c.path(accountKey),
		"--profiling=false",
	}
}

func (c *Cluster) controllerManagerFlags() []string {
	return []string{
		"--kubeconfig=" + c.path("controllers.kubeconfig"),
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + c.path(accountKey),
		"--root-ca-file=" + c.path(servingCert),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=0", // it serves nothing
		"--profiling=false",
		"--kube-api-qps=500", // its default of 20 would be what tests wait for
		"--kube-api-burst=1000",
	}
}

func (c *Cluster) process(name string, flags, further []string) *Process {
	return &Process{Path: c.Binary(name), Args: slices.Concat(flags, further), Log: c.path(name + ".log")}
}

// path names a file in the cluster's directory.
func (c *Cluster) path(name string) string { return filepath.Join(c.Dir, name) }

// unlimited is a client configuration without a limit on the rate of requests.
func unlimited(host string, cert []byte, token string) *rest.Config {
	return &rest.Config{
		Host:            host,
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: cert},
		QPS:             -1,
	}
}

// serving returns a check that url answers with status 200.
func serving(transport http.RoundTripper, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("GET %s: %s: %s", url, answer.Status, body)
		}
		return err
	}
}
