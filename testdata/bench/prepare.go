package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
)

// bench is one run.
type bench struct {
	options
	root    string // of the repository
	dir     string // holds everything written but the trees, and is removed at the end
	trees   string // holds the trees, likewise
	peers   string // directory of kubeseal and its controller
	keys    keySet
	results *results
}

// prepare finds and builds the programs, and makes the keys.
func prepare(ctx context.Context, o options) (*bench, error) {
	b := &bench{options: o, results: &results{}}
	var err error
	if b.root, err = moduleDir(ctx, "fuin.dev"); err != nil {
		return nil, err
	}
	for _, module := range []string{"kube", "peers"} {
		if b.peers, err = kubetest.Locate(module); err != nil {
			return nil, err
		}
	}
	if b.dir, err = os.MkdirTemp("", "fuin-bench-"); err != nil {
		return nil, err
	}
	if b.trees, err = os.MkdirTemp(o.trees, "fuin-bench-"); err != nil {
		b.clean()
		return nil, err
	}
	if err := b.fill(ctx); err != nil {
		b.clean()
		return nil, err
	}
	return b, nil
}

func (b *bench) fill(ctx context.Context) error {
	if b.bin == "" {
		b.bin = filepath.Join(b.dir, "bin")
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	var err error
	b.keys, err = makeKeys(b.dir)
	return err
}

// clean removes everything written. The trees stay until then: some file
// systems are slow to make a file where one was just removed.
func (b *bench) clean() {
	_ = os.RemoveAll(b.dir)
	if b.trees != b.options.trees {
		_ = os.RemoveAll(b.trees)
	}
}

// build makes Fuin's programs as `make build` does.
func (b *bench) build(ctx context.Context) error {
	b.say("building fuin, fuin-controller and fuin-render")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.bin+"/",
		"./cmd/fuin", "./cmd/fuin-controller", "./cmd/fuin-render")
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building Fuin: %w\n%s", err, out)
	}
	return nil
}

// moduleDir is where the source of a module lies: this one's, or one that it
// requires.
func moduleDir(ctx context.Context, module string) (string, error) {
	out, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", fmt.Errorf("finding module %s: %w", module, err)
	}
	return out, nil
}

// output runs a program and returns what it printed.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return strings.TrimSpace(string(out)), err
}

// say tells on standard error what happens now.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// machine is what the figures were measured with and on.
type machine struct {
	Cores      int
	CPU        string
	Go         string
	Fuin, Peer string
	LoadBefore string
	LoadAfter  string
	Took       time.Duration
}

func (b *bench) machine(ctx context.Context, before string, took time.Duration) machine {
	fuin, _ := output(ctx, filepath.Join(b.bin, "fuin"), "version")
	commit, _ := output(ctx, "git", "-C", b.root, "rev-parse", "--short", "HEAD")
	peer, _ := output(ctx, filepath.Join(b.peers, "kubeseal"), "--version")
	return machine{
		Cores: runtime.NumCPU(), CPU: cpuModel(), Go: runtime.Version(),
		Fuin: strings.TrimPrefix(fuin, "fuin ") + " at " + commit,
		Peer: "Sealed Secrets " + strings.TrimPrefix(peer, "kubeseal version: "),

		LoadBefore: before, LoadAfter: loadAverage(), Took: took.Round(time.Second),
	}
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// loadAverage is that of the last minute, as the kernel writes it.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(text), " ")
	return load
}
