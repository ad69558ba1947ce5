// Package fuintest runs the controller as it is shipped: its programs, its
// manifests, and its own account, on a cluster of package kubetest. Only tests
// import it.
package fuintest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/kubetest"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Bin is the directory with fuin-controller, fuin-render and fuin, once Main
// runs.
var Bin string

// Main builds the programs, runs the tests of a package and exits, as
// kubetest.Main does. The controller looks for races if the tests do.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "fuin-bin-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	Bin = dir
	ctrl.SetLogger(logr.Discard())
	kubetest.Main(m)
}

// build makes the controller and its sandbox, side by side as in an image, and
// the CLI. The sandbox never looks for races: that takes more memory than it may have.
func build(dir string) error {
	args := []string{"build", "-o", dir}
	if RaceEnabled {
		args = append(args, "-race")
	}
	for _, program := range [][]string{append(args, "fuin.dev/cmd/fuin-controller"), {"build", "-o", dir, "fuin.dev/cmd/fuin-render", "fuin.dev/cmd/fuin"}} {
		if out, err := exec.Command("go", program...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

// A System is a cluster with Fuin's definitions and RBAC, and room for
// controllers that run as its own account.
type System struct {
	*kubetest.Cluster
	T          testing.TB
	Kubeconfig string // of the controller's account
	Last       string // what a wait last saw, for its failure
}

// installed are the clusters on which deploy/base was applied already.
var installed sync.Map

// New installs Fuin on a cluster, once.
func New(t testing.TB, c *kubetest.Cluster) *System {
	t.Helper()
	s := &System{Cluster: c, T: t, Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if _, done := installed.LoadOrStore(c, true); !done {
		for _, file := range []string{
			"namespace.yaml", "bitnami.com_sealedsecrets.yaml", "fuin.dev_environments.yaml", "fuin.dev_vaultconnections.yaml", "rbac.yaml", "controller.yaml",
		} {
			s.OK(c.Apply(t.Context(), "", Deploy("base", file)))
		}
	}
	account, err := c.As(t.Context(), "fuin-system", "fuin-controller")
	s.OK(err)
	s.OK(kubetest.WriteKubeconfig(s.Kubeconfig, account, "fuin-system"))
	return s
}

// Deploy is the path of a file below deploy.
func Deploy(path ...string) string {
	_, self, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(self), "..", "..", "deploy"}, path...)...)
}

// OK ends the test on an error.
func (s *System) OK(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatal(err)
	}
}

// patience is how long a test waits for what must come. Most of it comes in less
// than a second; a machine that runs all tests at once may need a while.
const patience = 2 * time.Minute

// Eventually waits for a condition.
func (s *System) Eventually(what string, holds func() bool) {
	s.T.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
		if time.Now().After(deadline) {
			s.T.Fatalf("after %s not true: %s; last: %s", patience, what, s.Last)
		}
	}
}

// RestartAPIServer starts the API server again, and with it the controllers of
// Kubernetes: they look for kinds when they start, and every half a minute.
func (s *System) RestartAPIServer() {
	s.T.Helper()
	s.OK(s.APIServer.Start(s.T.Context()))
	s.Eventually("the API server tells of SealedSecrets", s.discovered)
	s.OK(s.ControllerManager.Stop())
	s.OK(s.ControllerManager.Start(s.T.Context()))
}

func (s *System) discovered() bool {
	s.T.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(s.Admin())
	s.OK(err)
	all, err := d.ServerPreferredResources()
	if err != nil {
		s.Last = err.Error()
		return false
	}
	return slices.ContainsFunc(all, func(l *metav1.APIResourceList) bool { return l.GroupVersion == bitnami.GroupVersion.String() })
}

// Tenant makes a namespace that is ready for Environments, as deploy/tenant
// makes it.
func (s *System) Tenant() (namespace string) {
	s.T.Helper()
	namespace = s.Namespace(s.T)
	text, err := os.ReadFile(Deploy("tenant", "tenant.yaml"))
	s.OK(err)
	s.OK(s.ApplyYAML(s.T.Context(), namespace, strings.ReplaceAll(string(text),
		"  - kind: ServiceAccount\n    name: fuin-deployer\n", "  - kind: ServiceAccount\n    name: fuin-deployer\n    namespace: "+namespace+"\n")))
	return namespace
}

// Fuin runs the CLI as whoever owns the cluster.
func (s *System) Fuin(args ...string) (stdout, stderr string, code int) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), patience)
	defer cancel()
	kubeconfig := filepath.Join(s.T.TempDir(), "kubeconfig")
	s.OK(kubetest.WriteKubeconfig(kubeconfig, s.Admin(), "default"))
	cmd := exec.CommandContext(ctx, filepath.Join(Bin, "fuin"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); cmd.ProcessState == nil {
		s.T.Fatal(err)
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}
