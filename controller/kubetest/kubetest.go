// Package kubetest runs a real Kubernetes control plane for tests, benchmarks
// and demonstrations: etcd, an API server with RBAC and service accounts, and a
// controller manager, so that namespaces end, owned objects are collected and
// Deployments make ReplicaSets. There is no node: pods stay as they are written,
// and whoever needs a Pod's status sets it.
//
// A test package names the cluster once and takes it where it is needed:
//
//	func TestMain(m *testing.M) { kubetest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		c := kubetest.Shared(t)
//		ns := c.Namespace(t)
//
// A test without its server is skipped with the command that builds it; where
// CI=true is set it fails.
package kubetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Config changes what Start runs. The zero value suits most tests.
type Config struct {
	APIServer         []string // further flags of kube-apiserver, such as an audit log's
	ControllerManager []string // further flags of kube-controller-manager
}

// Cluster is a running control plane. Its methods may be called concurrently.
type Cluster struct {
	// Each server can be stopped and started again; its data and its port stay.
	Etcd, APIServer, ControllerManager *Process

	// Dir holds everything the servers write: etcd's data, keys, NAME.log of each.
	Dir string

	bin    string // the directory of the programs
	admin  *rest.Config
	client client.Client

	stop func() error
}

// Start runs a cluster until Stop is called or ctx is done, and returns when it
// is ready for use: some seconds. The error is ErrNotBuilt where its programs
// are missing.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	bin, err := Locate("kube")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, bin: bin}
	c.stop = sync.OnceValue(c.shutDown)
	if err := c.start(ctx, config); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a cluster: %w", err), c.stop())
	}
	context.AfterFunc(ctx, func() { _ = c.stop() })
	return c, nil
}

func (c *Cluster) start(ctx context.Context, config Config) error {
	if err := c.prepare(config); err != nil {
		return err
	}
	var err error
	if c.client, err = newClient(c.admin); err != nil {
		return err
	}
	for _, p := range c.processes() {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	// The controller manager is at work once the first namespace has its account.
	return c.awaitAccount(ctx, "default")
}

// Stop ends the servers and removes their files. Calling it again does nothing.
func (c *Cluster) Stop() error { return c.stop() }

func (c *Cluster) shutDown() error {
	var errs []error
	for _, p := range slices.Backward(c.processes()) {
		errs = append(errs, p.close())
	}
	return errors.Join(append(errs, os.RemoveAll(c.Dir))...)
}

// processes lists the servers in the order in which they start.
func (c *Cluster) processes() []*Process {
	var all []*Process
	for _, p := range []*Process{c.Etcd, c.APIServer, c.ControllerManager} {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// Admin returns the configuration of a cluster administrator, without a limit on
// its rate of requests. The caller may change it.
func (c *Cluster) Admin() *rest.Config { return rest.CopyConfig(c.admin) }

// Client is an administrator's client for built-in kinds, CustomResourceDefinitions
// and unstructured objects of every kind. It reads from the server, never a cache.
func (c *Cluster) Client() client.Client { return c.client }

// Binary is the path of a program that came with the servers, such as kubectl.
func (c *Cluster) Binary(name string) string { return filepath.Join(c.bin, name) }
