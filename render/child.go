package render

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"fuin.dev/render/wire"
)

// startup is how long a child may take to say hello. It takes 10 ms.
const startup = 10 * time.Second

// A child is one process of fuin-render.
type child struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	frames *bufio.Reader // of out
	stderr head
	exited chan struct{} // closed when the process is gone and waited for
	hello  wire.Hello

	overran atomic.Bool // killed for time or memory
	expiry  *time.Timer // ends it when idle
}

// start starts a child and waits for its hello.
func start(ctx context.Context, config Config, closing <-chan struct{}) (*child, error) {
	path, err := findBinary(config.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	c, err := spawn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w: install it beside the program that uses it", ErrUnavailable, err)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	c.capMemory(2*config.MaxMemory + 64<<20)
	w := watch{deadline: startup, maxMemory: config.MaxMemory, closing: closing}
	if err := c.guard(ctx, w, func() error { return wire.Read(c.frames, &c.hello) }); err != nil {
		c.kill()
		return nil, unavailable("starting "+path, err)
	}
	if c.hello.Protocol != wire.Protocol {
		c.kill()
		return nil, fmt.Errorf("%w: %s is of another release: its protocol is %d and not %d",
			ErrUnavailable, path, c.hello.Protocol, wire.Protocol)
	}
	return c, nil
}

// findBinary returns path, or if it is empty that of fuin-render beside this
// program.
func findBinary(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	name := "fuin-render"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(filepath.Dir(self), name), nil
}

// spawn starts the process, with an empty environment, and its owner, a
// goroutine that ends with it.
func spawn(path string) (*child, error) {
	c := &child{cmd: exec.Command(path), exited: make(chan struct{})}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	c.in, c.out, c.frames = in, out, bufio.NewReader(out)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirIn, theirOut, &c.stderr
	c.cmd.Env = []string{} // nil would inherit ours
	c.cmd.Dir = string(filepath.Separator)
	c.cmd.SysProcAttr = confined()
	c.cmd.WaitDelay = time.Second // for whoever else holds its standard error
	if err := c.cmd.Start(); err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait() // the state says more
	}()
	return c, nil
}

// running tells whether the process has not been waited for.
func (c *child) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// kill ends the process and waits for it. A blocked read or write returns.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // an error means that it is gone
	<-c.exited
	c.in.Close()
	c.out.Close()
}

// head keeps the beginning of what is written to it: a child's standard
// error. It is looked at for words of the Go runtime and shown to nobody.
type head struct {
	begin bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	room := 4096 - h.begin.Len()
	h.begin.Write(p[:min(room, len(p))])
	return len(p), nil
}

func (h *head) contains(words ...string) bool {
	for _, w := range words {
		if bytes.Contains(h.begin.Bytes(), []byte(w)) {
			return true
		}
	}
	return false
}
