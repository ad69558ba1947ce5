package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Process is a program that runs beside the tests, such as one server of a
// cluster. It dies with the program that started it. The fields are set before
// the first Start and not changed later.
type Process struct {
	Path  string
	Args  []string
	Env   []string                    // NAME=VALUE; nil means this program's own
	Log   string                      // the file its output is appended to
	Ready func(context.Context) error // nil once it serves; without it, as soon as it runs

	mu      sync.Mutex
	running *running // nil while stopped
	closed  bool
}

// running is one life of a process.
type running struct {
	pid  int
	kill func() error
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// startTimeout bounds how long a program may take to become ready.
const startTimeout = 3 * time.Minute

// errStopped is what Start returns after the cluster was stopped.
var errStopped = errors.New("the cluster is stopped")

// Start runs the program and waits until it is ready, three minutes at most. One that
// runs already is not started again.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if p.closed {
		return fmt.Errorf("starting %s: %w", p.name(), errStopped)
	}
	if !p.alive() {
		life, err := p.spawn()
		if err != nil {
			return fmt.Errorf("starting %s: %w", p.name(), err)
		}
		p.running = life
	}
	if err := p.awaitReady(ctx); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w\n%s", p.name(), err, p.tail()), p.end())
	}
	return nil
}

// Stop kills the program, as a crash would, and returns when it is gone. What it
// stored stays. Stopping a stopped one does nothing.
func (p *Process) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end()
}

// close stops the program for good.
func (p *Process) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return p.end()
}

// PID is the process ID, or 0 while the program does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	return p.running.pid
}

// alive tells whether the program runs. It may also have ended by itself.
func (p *Process) alive() bool {
	if p.running == nil {
		return false
	}
	select {
	case <-p.running.done:
		return false
	default:
		return true
	}
}

func (p *Process) name() string { return filepath.Base(p.Path) }

// spawn starts the program. The kernel kills the child when the thread that
// made it ends, so that thread is held until the child is gone.
func (p *Process) spawn() (*running, error) {
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.Env, out, out
	cmd.SysProcAttr = dieWithParent()
	life := &running{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(life.done)
		defer out.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			life.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	life.pid, life.kill = cmd.Process.Pid, cmd.Process.Kill
	return life, nil
}

// awaitReady asks until the program is ready, has ended or ctx is done.
func (p *Process) awaitReady(ctx context.Context) error {
	if p.Ready == nil {
		return nil
	}
	for {
		err := p.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.running.done:
			return fmt.Errorf("it ended: %w", exit(p.running.err))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// exit names an exit that was no error to os/exec.
func exit(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// end kills the running process, if there is one, and waits for it.
func (p *Process) end() error {
	if p.running == nil {
		return nil
	}
	err := p.running.kill()
	<-p.running.done
	p.running = nil
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.name(), err)
	}
	return nil
}

// tail returns the end of the log, for an error that says why a program failed.
func (p *Process) tail() []byte {
	const size = 2000
	log, _ := os.ReadFile(p.Log)
	if len(log) > size {
		log = log[len(log)-size:]
	}
	return bytes.TrimSpace(log)
}
