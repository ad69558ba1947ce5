// Command demo shows the way of a repository with sealed Secrets, from a
// developer's file to the environments of two clusters, on real servers, and
// explains each step on screen.
// `make demo` builds what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Fuin from a developer's file to two clusters, explained on screen.

Usage, at the root of the repository, after make build kube vault:

  go run ./testdata/demo [-bin DIR] [-keep]

It starts, on loopback ports, two clusters (etcd, a Kubernetes API server and a
controller manager each), a Git server and a Vault, installs deploy/base in both
clusters, and runs fuin-controller as the service account of its Deployment. Then it
seals the Secrets of testdata/repos/shop in a repository of its own, pushes it, has it
applied, changes it, promotes a version, keeps a value in Vault, tampers with it, and
edits the clusters by hand. Every command on screen is run as it stands there, and
every claim marked ✓ is checked: the exit code is 1 when one does not hold, and 130
after an interrupt. All processes and files are gone at the end.

Nothing outside of temporary directories is written, no network is needed, and
no configuration of yours (kubeconfig, Git) is read. NO_COLOR is respected.

Flags:
`

func main() {
	bin := flag.String("bin", "bin", "`DIR` with fuin, fuin-controller and fuin-render")
	keep := flag.Bool("keep", false, "leave everything running at the end, until Ctrl-C")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	os.Exit(demonstrate(*bin, *keep))
}

// demonstrate returns the exit code; what it started is gone by then.
func demonstrate(bin string, keep bool) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	screen := newScreen(os.Stdout)
	d, err := newDemo(screen, bin)
	if err != nil {
		screen.fail(err)
		return 1
	}
	shown, closed := d.show(ctx, keep), d.close()
	switch {
	case closed != nil:
		screen.fail(errors.Join(shown, closed))
	case ctx.Err() != nil && shown != nil:
		screen.line("\nInterrupted. Everything that was started is stopped and removed.")
		return 130
	case shown != nil:
		screen.fail(shown)
	default:
		return 0
	}
	return 1
}
