package fuintest

import (
	"bytes"
	"context"
	"io"
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

	"fuin.dev/controller/port"
)

// A Process is a running controller.
type Process struct {
	Log     *Output
	HTTP    string // URL of its endpoints, once it serves
	Metrics string // URL of its metrics
	Cmd     *exec.Cmd

	t     testing.TB
	done  chan struct{}
	ended bool // by the test
}

// Output is what a process wrote, for whoever reads along.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Alone spares a controller the lease, which a killed one would leave behind and
// one without an API server would lose.
const Alone = "--leader-elect=false"

// Run starts a controller and waits until it serves. It ends with the test.
func (s *System) Run(args ...string) *Process {
	s.T.Helper()
	p := s.Start(args...)
	s.Eventually("the controller serves", func() bool { return p.Serves() || p.gone() })
	if p.gone() {
		s.T.Fatal("the controller ended before it served")
	}
	return p
}

// gone tells that the process is no more, whoever ended it.
func (p *Process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Start starts a controller. It ends with the test.
func (s *System) Start(args ...string) *Process {
	s.T.Helper()
	metrics := s.FreeAddress()
	p := &Process{t: s.T, Log: &Output{}, done: make(chan struct{}), Metrics: "http://" + metrics + "/metrics"}
	p.Cmd = exec.Command(filepath.Join(Bin, "fuin-controller"), append([]string{
		"--kubeconfig", s.Kubeconfig, "--namespace", "fuin-system", "--key-size", "2048",
		"--listen-addr", "127.0.0.1:0", "--listen-metrics-addr", metrics, "--log-level", "DEBUG",
	}, args...)...)
	p.Cmd.Stdout, p.Cmd.Stderr = p.Log, p.Log
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.OK(p.Cmd.Start())
	go func() {
		_ = p.Cmd.Wait()
		close(p.done)
	}()
	s.T.Cleanup(p.Stop)
	return p
}

// grace is how long a controller may take to end: what a cluster gives it, twice.
const grace = time.Minute

// Stop ends the controller as a cluster does, and reports what it said if the
// test failed.
func (p *Process) Stop() {
	if p.gone() {
		if p.t.Failed() && !p.ended {
			p.t.Log("the controller ended by itself:\n" + p.Log.String())
		}
		return
	}
	p.ended = true
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = p.Cmd.Process.Kill()
		<-p.done
		p.t.Errorf("the controller did not end within %s", grace)
	}
	if p.t.Failed() {
		p.t.Log(p.Log.String())
	}
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.ended = true
	_ = p.Cmd.Process.Kill()
	<-p.done
}

var servingLine = regexp.MustCompile(`msg=serving address=(\S+)`)

// Serves tells whether the controller does, and where.
func (p *Process) Serves() bool {
	m := servingLine.FindStringSubmatch(p.Log.String())
	if m != nil {
		p.HTTP = "http://" + m[1]
	}
	return m != nil && strings.Contains(p.Log.String(), `msg="Serving metrics server"`)
}

// FreeAddress is one that nobody listens on, for what cannot choose itself.
func (s *System) FreeAddress() string {
	s.T.Helper()
	free, err := port.Free()
	s.OK(err)
	return net.JoinHostPort("127.0.0.1", free)
}

// Metric sums the samples of a metric, all labels together.
func (p *Process) Metric(name string) float64 {
	p.t.Helper()
	sum := 0.0
	for line := range strings.Lines(p.Get(p.Metrics)) {
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

// Operations counts those with a private key since the controller started.
func (p *Process) Operations() int {
	p.t.Helper()
	return int(p.Metric("fuin_private_key_operations_total"))
}

// An Answer is what an endpoint said.
type Answer struct {
	Status int
	Type   string // of the text
	Text   string
}

// Get reads a page, whatever its status.
func (p *Process) Get(url string) string {
	p.t.Helper()
	return p.do(http.MethodGet, url, "").Text
}

// Post sends a body to an endpoint. One that is refused for its size may not be
// answered whole.
func (p *Process) Post(path, body string) Answer {
	p.t.Helper()
	return p.do(http.MethodPost, p.HTTP+path, body)
}

func (p *Process) do(method, url, body string) Answer {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil && resp.StatusCode != http.StatusRequestEntityTooLarge {
		p.t.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header.Get("Content-Type"), string(text)}
}
