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

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/vaulttest"
)

// demo is one run: a temporary directory, and what works in it.
type demo struct {
	screen *screen
	bin    string   // with Fuin's programs
	dir    string   // temporary; commands know it as $DEMO
	root   string   // of Fuin's own repository
	work   string   // where commands run
	env    []string // what commands see, and nothing else

	sites []*site // staging and production
	git   *gittest.Server
	repo  *gittest.Repo
	vault *vaulttest.Server

	rolled map[string]bool // ReplicaSets there were when a step began
	before string          // resource versions of Secrets before the restart
}

func newDemo(s *screen, bin string) (*demo, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"deploy/base", "deploy/tenant", sample} {
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
	d := &demo{screen: s, bin: bin, root: root, work: root}
	if d.dir, err = os.MkdirTemp("", "fuin-demo-"); err != nil {
		return nil, err
	}
	for _, name := range []string{staging, production} {
		site := &site{name: name, log: d.path(name + "-controller.log")}
		for _, address := range []*string{&site.serving, &site.metrics} {
			if *address, err = freeAddress(); err != nil {
				return nil, errors.Join(err, os.RemoveAll(d.dir))
			}
		}
		d.sites = append(d.sites, site)
	}
	return d, nil
}

// at is the cluster of a name.
func (d *demo) at(name string) *site {
	return d.sites[slices.IndexFunc(d.sites, func(s *site) bool { return s.name == name })]
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
				return fmt.Errorf("step %d, %s: %w%s", i+1, s.title, err, d.controllersSay(err))
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
	for _, s := range d.sites {
		errs = append(errs, s.stop())
	}
	if d.git != nil {
		errs = append(errs, d.git.Stop())
	}
	if d.vault != nil {
		errs = append(errs, d.vault.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

// path names a file of the temporary directory.
func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// prepare makes the environment of commands: Fuin's programs and kubectl come
// first, and neither the kubeconfig nor the Git configuration of whoever runs
// the demo is seen.
func (d *demo) prepare() error {
	kube := filepath.Dir(d.sites[0].cluster.Binary("kubectl"))
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

// controllersSay is the end of each controller's log, for an error that does
// not tell it already.
func (d *demo) controllersSay(failed error) string {
	const lines = 5
	var out strings.Builder
	for _, s := range d.sites {
		log, err := os.ReadFile(s.log)
		if err != nil || len(log) == 0 {
			continue
		}
		all := strings.Split(strings.TrimSpace(string(log)), "\n")
		if !strings.Contains(failed.Error(), all[len(all)-1]) {
			fmt.Fprintf(&out, "\n\nThe last words of the controller of %s:\n%s", s.name, strings.Join(all[max(0, len(all)-lines):], "\n"))
		}
	}
	return out.String()
}
