package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
)

// demo is one run: a temporary directory, and what works in it.
type demo struct {
	screen *screen
	bin    string   // with Fuin's programs
	dir    string   // temporary; commands know it as $DEMO
	work   string   // where commands run
	env    []string // what commands see, and nothing else

	cluster    *kubetest.Cluster
	controller *kubetest.Process
	serving    string // address of the controller's endpoints
	metrics    string // address of its metrics

	before string // resource version of the Secret before the restart
}

func newDemo(s *screen, bin string) (*demo, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"deploy/base", sample} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			return nil, fmt.Errorf("no %s here: run it at the root of the repository, as `make demo`", name)
		}
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	for _, name := range []string{"fuin", "fuin-controller", "fuin-render"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return nil, fmt.Errorf("no %s in %s: run `make build`", name, bin)
		}
	}
	d := &demo{screen: s, bin: bin, work: root}
	for _, address := range []*string{&d.serving, &d.metrics} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	d.dir, err = os.MkdirTemp("", "fuin-demo-")
	return d, err
}

// show runs all steps. With keep it then waits for an interrupt, which is no
// error any more.
func (d *demo) show(ctx context.Context, keep bool) error {
	start := time.Now()
	d.screen.prose(introduction)
	for i, s := range steps(d) {
		d.screen.heading(fmt.Sprintf("%d. %s", i+1, s.title))
		for _, p := range s.parts {
			if err := p.do(ctx, d); err != nil {
				return fmt.Errorf("step %d, %s: %w%s", i+1, s.title, err, d.controllerSays(err))
			}
		}
	}
	d.summary(time.Since(start))
	if keep {
		if err := d.connect(); err != nil {
			return err
		}
		<-ctx.Done()
		d.screen.line("\nEverything is stopped and removed.")
	}
	return nil
}

// close ends all processes and removes all files.
func (d *demo) close() error {
	var errs []error
	if d.controller != nil {
		errs = append(errs, d.controller.Stop())
	}
	if d.cluster != nil {
		errs = append(errs, d.cluster.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

// path names a file of the temporary directory.
func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// prepare makes the environment of commands: Fuin's programs and kubectl come
// first, and neither the kubeconfig nor the Git configuration of whoever runs
// the demo is seen.
func (d *demo) prepare() error {
	kube := filepath.Dir(d.cluster.Binary("kubectl"))
	d.env = []string{
		"PATH=" + strings.Join([]string{d.bin, kube, os.Getenv("PATH")}, string(os.PathListSeparator)),
		"HOME=" + d.dir,
		"DEMO=" + d.dir,
		"KUBECONFIG=" + d.path("kubeconfig"),
		"GIT_CONFIG_NOSYSTEM=1",
		"NO_COLOR=1",
		"LC_ALL=C.UTF-8",
		"TMPDIR=" + os.TempDir(),
	}
	const git = "[user]\n\tname = Demo\n\temail = demo@shop.example\n[init]\n\tdefaultBranch = main\n"
	return os.WriteFile(d.path(".gitconfig"), []byte(git), 0o600)
}

// variable is one of the environment of commands.
func (d *demo) variable(name string) string {
	for _, v := range d.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// without returns the environment less one variable.
func (d *demo) without(name string) []string {
	return slices.DeleteFunc(slices.Clone(d.env), func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// controllerSays is the end of the controller's log, for an error that does not
// tell it already.
func (d *demo) controllerSays(failed error) string {
	const lines = 5
	log, err := os.ReadFile(d.path(controllerLog))
	if err != nil || len(log) == 0 {
		return ""
	}
	all := strings.Split(strings.TrimSpace(string(log)), "\n")
	if strings.Contains(failed.Error(), all[len(all)-1]) {
		return ""
	}
	return "\n\nThe controller's last words:\n" + strings.Join(all[max(0, len(all)-lines):], "\n")
}
