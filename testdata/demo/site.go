package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The controller's own account.
const (
	systemNamespace = "fuin-system"
	account         = "fuin-controller"
)

// The clusters, which are also the names of their contexts.
const (
	staging    = "staging"
	production = "production"
)

// site is a cluster with its controller and what stands for its nodes.
type site struct {
	name       string // also its context's in the kubeconfig
	cluster    *kubetest.Cluster
	controller *kubetest.Process
	kubelet    *kubelet
	serving    string // address of the controller's endpoints
	metrics    string // address of its metrics
	log        string // file of the controller
}

// stop ends what runs there.
func (s *site) stop() error {
	if s.kubelet != nil {
		s.kubelet.stop()
	}
	if s.controller != nil {
		if err := s.controller.Stop(); err != nil {
			return err
		}
	}
	if s.cluster != nil {
		return s.cluster.Stop()
	}
	return nil
}

// config names a kubeconfig of the controller's account there, for commands.
func (s *site) config() string { return "$DEMO/" + s.name + "-controller.kubeconfig" }

// startClusters starts both clusters at the same time.
func startClusters(ctx context.Context, d *demo) error {
	start := time.Now()
	errs := make(chan error, len(d.sites))
	for _, s := range d.sites {
		go func() {
			var err error
			s.cluster, err = kubetest.Start(ctx, kubetest.Config{})
			errs <- err
		}()
	}
	var failed error
	for range d.sites {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	if failed != nil {
		return failed
	}
	if err := d.prepare(); err != nil {
		return err
	}
	for _, s := range d.sites {
		var err error
		if s.kubelet, err = startKubelet(ctx, s.cluster.Admin()); err != nil {
			return err
		}
	}
	d.screen.line("")
	d.screen.check(fmt.Sprintf("two clusters are up, after %.1f seconds", time.Since(start).Seconds()))
	return d.writeKubeconfig()
}

// writeKubeconfig makes the administrator's, with a context for each cluster
// and none of them current: commands name one.
func (d *demo) writeKubeconfig() error {
	file := clientcmdapi.NewConfig()
	for _, s := range d.sites {
		admin := s.cluster.Admin()
		file.Clusters[s.name] = &clientcmdapi.Cluster{Server: admin.Host, CertificateAuthorityData: admin.CAData}
		file.AuthInfos[s.name] = &clientcmdapi.AuthInfo{Token: admin.BearerToken}
		file.Contexts[s.name] = &clientcmdapi.Context{Cluster: s.name, AuthInfo: s.name}
	}
	return clientcmd.WriteToFile(*file, d.path("kubeconfig"))
}

// writeAccounts makes the kubeconfigs of the controllers' service accounts.
func writeAccounts(ctx context.Context, d *demo) error {
	for _, s := range d.sites {
		config, err := s.cluster.As(ctx, systemNamespace, account)
		if err != nil {
			return err
		}
		path := d.path(filepath.Base(s.config()))
		if err := kubetest.WriteKubeconfig(path, config, systemNamespace); err != nil {
			return err
		}
	}
	return nil
}

// line starts the controller: the program of the Deployment, told what a Pod
// would know by itself.
func (s *site) line() string {
	return "fuin-controller --kubeconfig " + s.config() + " \\\n" +
		"    --listen-addr " + s.serving + " --listen-metrics-addr " + s.metrics
}

// startController runs it in the background, and waits until it serves.
func startController(s *site) act {
	return func(ctx context.Context, d *demo) error {
		d.screen.command(s.line() + " &")
		if s.controller == nil {
			s.controller = &kubetest.Process{
				Path: "/bin/sh", Args: []string{"-c", "exec " + s.line()}, Env: d.env, Log: s.log,
				Ready: func(ctx context.Context) error {
					_, err := fetch(ctx, "http://"+s.serving+"/healthz")
					return err
				},
			}
		}
		return s.controller.Start(ctx)
	}
}

// killController kills it as a crash would, by a command on screen.
func killController(s *site) act {
	return func(ctx context.Context, d *demo) error {
		line := fmt.Sprintf("kill -9 %d", s.controller.PID())
		if err := run(line).do(ctx, d); err != nil {
			return err
		}
		return s.controller.Stop()
	}
}

// sample of the metrics: the line of one name and label.
func (s *site) sample(ctx context.Context, prefix, label string) (string, error) {
	text, err := fetch(ctx, "http://"+s.metrics+"/metrics")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) && strings.Contains(line, label) {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("the metrics have no %s with %s", prefix, label)
}

// fetch returns the text at a URL on this machine.
func fetch(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	return string(body), err
}

// freeAddress is one on loopback that nobody listens on, below the ports that
// the kernel gives to outgoing connections: it is still free after a restart.
func freeAddress() (string, error) {
	const lowest, highest, attempts = 12000, 20000, 100
	var err error
	for range attempts {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", fmt.Errorf("finding a free port: %w", err)
}
