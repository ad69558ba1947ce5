package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// process is a program that runs to its end.
type process struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
}

// command describes a program. It finds no kubeconfig and no settings.
func command(ctx context.Context, home, path string, args ...string) process {
	p := process{exec.CommandContext(ctx, path, args...), &bytes.Buffer{}}
	p.cmd.Dir, p.cmd.Env = home, []string{"HOME=" + home, "PATH=/usr/bin:/bin"}
	p.cmd.Stderr = p.stderr
	return p
}

// run returns what the program printed and what it took, from before it is
// started until it has ended.
func (p process) run() ([]byte, sample, error) {
	var out bytes.Buffer
	p.cmd.Stdout = &out
	start := time.Now()
	err := p.cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return nil, sample{}, fmt.Errorf("%s: %w\n%s", p.cmd.Path, err, p.stderr)
	}
	// The kernel counts this program's own memory to the child's peak, so that
	// is not taken.
	state := p.cmd.ProcessState
	return out.Bytes(), sample{Wall: wall, CPU: state.UserTime() + state.SystemTime()}, nil
}
