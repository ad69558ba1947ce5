package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A step is one heading and what happens under it.
type step struct {
	title string
	parts []part
}

// A part is said, run or checked.
type part interface {
	do(ctx context.Context, d *demo) error
}

// say explains, as a paragraph.
type say string

func (s say) do(_ context.Context, d *demo) error {
	d.screen.prose(string(s))
	return nil
}

// act does what no command line shows.
type act func(ctx context.Context, d *demo) error

func (a act) do(ctx context.Context, d *demo) error { return a(ctx, d) }

// claim shows a sentence once it was found to hold.
type claim struct {
	text  string
	holds func(ctx context.Context, d *demo) error
}

func (c claim) do(ctx context.Context, d *demo) error {
	if err := c.holds(ctx, d); err != nil {
		return fmt.Errorf("it does not hold that %q: %w", c.text, err)
	}
	d.screen.check(c.text)
	return nil
}

// command is run by a shell, exactly as it is shown.
type command struct {
	line    string
	want    []string // what the output must hold
	proof   string   // what is shown by all this
	offline bool     // there is no kubeconfig
}

func run(line string) command { return command{line: line} }

// prints makes the command fail unless its output holds all texts.
func (c command) prints(texts ...string) command {
	c.want = texts
	return c
}

// proving says what the output shows.
func (c command) proving(text string) command {
	c.proof = text
	return c
}

// withoutCluster hides the kubeconfig, so that no cluster could be asked.
func (c command) withoutCluster() command {
	c.offline = true
	return c
}

func (c command) do(ctx context.Context, d *demo) error {
	d.screen.command(c.line)
	env := d.env
	if c.offline {
		env = d.without("KUBECONFIG")
	}
	out, err := d.shell(ctx, c.line, env)
	d.screen.output(out)
	if err != nil {
		return fmt.Errorf("the command failed: %w", err)
	}
	for _, text := range c.want {
		if !strings.Contains(out, text) {
			return fmt.Errorf("the output lacks %q", text)
		}
	}
	if c.proof != "" {
		d.screen.check(c.proof)
	}
	return nil
}

// commandTimeout bounds one command; none takes more than seconds.
const commandTimeout = time.Minute

// shell runs command lines, up to the first that fails, and returns all output.
func (d *demo) shell(ctx context.Context, line string, env []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Dir, cmd.Env = d.work, env
	cmd.Stdout, cmd.Stderr = &out, &out
	// The whole group is ended, not the shell alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("not done within %s", commandTimeout)
	}
	return out.String(), err
}

// quietly runs a command line that is not shown, for a check.
func (d *demo) quietly(ctx context.Context, line string) (string, error) {
	out, err := d.shell(ctx, line, d.env)
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(out))
	}
	return strings.TrimSpace(out), nil
}

// eventually repeats a check until it holds.
func eventually(ctx context.Context, check func() error) error {
	const every, limit = 50 * time.Millisecond, 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", limit, err)
		case <-time.After(every):
		}
	}
}
