package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
)

// The controller's own account, and where its log goes.
const (
	systemNamespace = "fuin-system"
	account         = "fuin-controller"
	controllerLog   = "controller.log"
)

// startCluster starts the servers and makes the administrator's kubeconfig.
func startCluster(ctx context.Context, d *demo) error {
	start := time.Now()
	var err error
	if d.cluster, err = kubetest.Start(ctx, kubetest.Config{}); err != nil {
		return err
	}
	if err := d.prepare(); err != nil {
		return err
	}
	if err := kubetest.WriteKubeconfig(d.path("kubeconfig"), d.cluster.Admin(), ""); err != nil {
		return err
	}
	if _, err := d.quietly(ctx, "kubectl config rename-context kubetest production"); err != nil {
		return err
	}
	d.screen.line("")
	d.screen.check(fmt.Sprintf("the cluster is up, after %.1f seconds", time.Since(start).Seconds()))
	return nil
}

// writeAccount makes the kubeconfig of the controller's service account.
func writeAccount(ctx context.Context, d *demo) error {
	config, err := d.cluster.As(ctx, systemNamespace, account)
	if err != nil {
		return err
	}
	return kubetest.WriteKubeconfig(d.path("controller.kubeconfig"), config, systemNamespace)
}

// startController runs a command line in the background, and waits until the
// controller serves.
func startController(line string) act {
	return func(ctx context.Context, d *demo) error {
		d.screen.command(line + " &")
		if d.controller == nil {
			d.controller = &kubetest.Process{
				Path: "/bin/sh", Args: []string{"-c", "exec " + line}, Env: d.env, Log: d.path(controllerLog),
				Ready: func(ctx context.Context) error { return d.healthy(ctx) },
			}
		}
		return d.controller.Start(ctx)
	}
}

func (d *demo) healthy(ctx context.Context) error {
	_, err := fetch(ctx, "http://"+d.serving+"/healthz")
	return err
}

// killController kills it as a crash would, by a command on screen.
func killController(ctx context.Context, d *demo) error {
	line := fmt.Sprintf("kill -9 %d", d.controller.PID())
	if err := run(line).do(ctx, d); err != nil {
		return err
	}
	return d.controller.Stop()
}

// sample of the metrics: the line of one name and label.
func (d *demo) sample(ctx context.Context, prefix, label string) (string, error) {
	text, err := fetch(ctx, "http://"+d.metrics+"/metrics")
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
