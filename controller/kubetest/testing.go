package kubetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// shared is the cluster that the tests of one package have in common.
var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// ends are what AtEnd was given.
var ends struct {
	sync.Mutex
	all []func() error
}

// AtEnd has Main call stop when the tests have run: for a server that they share.
func AtEnd(stop func() error) {
	ends.Lock()
	defer ends.Unlock()
	ends.all = append(ends.all, stop)
}

// Main runs the tests of a package, stops the servers they shared and exits. A
// goroutine that is left over fails the package; options name exceptions.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	for _, check := range append(ends.all, func() error { return leftOver(options) }) {
		if err := check(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// leftOver looks for goroutines that do not end, and gives the others time to.
func leftOver(options []goleak.Option) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := goleak.Find(options...) // which waits a moment itself
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Shared returns the cluster of the package, whose TestMain calls Main. The
// first caller starts it. Tests keep out of each other's way by Namespace.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		if shared.cluster, shared.err = Start(context.Background(), Config{}); shared.err == nil {
			AtEnd(shared.cluster.Stop)
		}
	}
	Need(t, shared.err)
	return shared.cluster
}

// New starts a cluster for one test, which stops it at its end.
func New(t testing.TB, config Config) *Cluster {
	t.Helper()
	c, err := Start(context.Background(), config)
	Need(t, err)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Require returns the directory with the programs of testdata/MODULE, for a
// test that cannot go without them.
func Require(t testing.TB, module string) string {
	t.Helper()
	dir, err := Locate(module)
	Need(t, err)
	return dir
}

// NeedPeers returns the programs of testdata/peers.
func NeedPeers(t testing.TB) Peers {
	t.Helper()
	return peersIn(Require(t, "peers"))
}

// Need ends a test that cannot have its server: skipped where somebody has not
// built it, failed in CI and for every other reason.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrNotBuilt) && os.Getenv("CI") != "true":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Namespace makes a namespace with a name of its own, ready for pods. It stays
// until the cluster stops.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	err := c.client.Create(t.Context(), ns)
	if err == nil {
		err = c.awaitAccount(t.Context(), ns.Name)
	}
	if err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	return ns.Name
}

// awaitAccount waits for the service account that pods of a namespace run as.
func (c *Cluster) awaitAccount(ctx context.Context, namespace string) error {
	return poll(ctx, func(ctx context.Context) error {
		return c.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &corev1.ServiceAccount{})
	})
}
