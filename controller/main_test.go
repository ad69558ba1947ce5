package controller_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
)

func TestMain(m *testing.M) { fuintest.Main(m) }

// system is a cluster with Fuin's CRD and RBAC, and room for a controller that
// runs as its own account.
type system struct {
	*kubetest.Cluster
	t          testing.TB
	kubeconfig string
	last       string // what eventually last saw
}

// installed are the clusters on which deploy/base was applied already.
var installed sync.Map

func newSystem(t testing.TB, c *kubetest.Cluster) *system {
	t.Helper()
	s := &system{Cluster: c, t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if _, done := installed.LoadOrStore(c, true); !done {
		for _, file := range []string{"namespace.yaml", "bitnami.com_sealedsecrets.yaml", "fuin.dev_environments.yaml", "fuin.dev_vaultconnections.yaml", "rbac.yaml", "controller.yaml"} {
			s.ok(c.Apply(t.Context(), "", filepath.Join("..", "deploy", "base", file)))
		}
	}
	account, err := c.As(t.Context(), "fuin-system", "fuin-controller")
	s.ok(err)
	s.ok(kubetest.WriteKubeconfig(s.kubeconfig, account, "fuin-system"))
	return s
}

func (s *system) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// process is a running controller.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	log     *output
	done    chan struct{}
	http    string
	metrics string
}

// output is what a process wrote, for whoever reads along.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// alone spares a controller the lease, which a killed one would leave behind and
// one without an API server would lose.
const alone = "--leader-elect=false"

// run starts a controller and waits until it serves. It ends with the test.
func (s *system) run(args ...string) *process {
	s.t.Helper()
	p := s.start(args...)
	s.eventually("the controller serves", p.serves)
	return p
}

func (s *system) start(args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, log: &output{}, done: make(chan struct{}), metrics: s.freeAddress()}
	p.cmd = exec.Command(filepath.Join(fuintest.Bin, "fuin-controller"), append([]string{
		"--kubeconfig", s.kubeconfig, "--namespace", "fuin-system", "--key-size", "2048",
		"--listen-addr", "127.0.0.1:0", "--listen-metrics-addr", p.metrics, "--log-level", "DEBUG",
	}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.ok(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	s.t.Cleanup(p.stop)
	return p
}

// stop ends the controller as a cluster does, and reports what it said if the
// test failed.
func (p *process) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Error("the controller did not end within 15 s")
	}
	if p.t.Failed() {
		p.t.Log(p.log.String())
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

var servingLine = regexp.MustCompile(`msg=serving address=(\S+)`)

func (p *process) serves() bool {
	m := servingLine.FindStringSubmatch(p.log.String())
	if m != nil {
		p.http = "http://" + m[1]
	}
	return m != nil && strings.Contains(p.log.String(), `msg="Serving metrics server"`)
}

// freeAddress is one that nobody listens on, for what cannot choose itself.
func (s *system) freeAddress() string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.ok(err)
	defer l.Close()
	return l.Addr().String()
}

// metric sums the samples of a metric, all labels together.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	sum := 0.0
	for line := range strings.Lines(p.get("http://" + p.metrics + "/metrics")) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == '{' || rest[0] == ' ') {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndex(rest, " ")+1:]), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			sum += value
		}
	}
	return sum
}

func (p *process) get(url string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		p.t.Fatal(err)
	}
	return b.String()
}

// eventually waits for a condition; a busy machine may need a while.
func (s *system) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.t.Fatalf("after 60 s not true: %s; last: %s", what, s.last)
}
