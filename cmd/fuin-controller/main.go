// Command fuin-controller opens SealedSecrets in a cluster and applies
// Environments.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"fuin.dev/controller"
	"fuin.dev/render"
	"github.com/spf13/pflag"
)

func main() {
	runtime.MemProfileRate = 0 // nobody can ask for that profile, whose table takes a megabyte
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuin-controller: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case o.version:
		fmt.Println("controller version:", version())
		return nil
	}
	cfg, err := o.config()
	if err != nil {
		return err
	}
	checkSandbox(ctx, sandbox(o.renderPath), cfg.Log)
	pool := render.NewPool(sandbox(o.renderPath))
	defer pool.Close()
	cfg.Render, cfg.Directory, cfg.Sandboxes = pool.Render, pool.Directory, sandboxes()
	cfg.RenewNow = renewSignals(ctx)
	if err := controller.Run(ctx, cfg); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// sandboxes is how many templates run at a time: two at least, so that one
// tenant's endless template leaves one for the others.
func sandboxes() int { return min(max(runtime.GOMAXPROCS(0), 2), 4) }

// sandbox is sized so that even templates and directories made to fill it fit
// into the memory that the Deployment asks for.
func sandbox(path string) render.Config {
	return render.Config{Path: path, Size: sandboxes(), MaxMemory: 64 << 20, MaxDirectoryMemory: 256 << 20}
}

// checkSandbox says at the start how far templates are confined. The child that
// tells ends: most clusters need it rarely.
func checkSandbox(ctx context.Context, config render.Config, log *slog.Logger) {
	pool := render.NewPool(config)
	defer pool.Close()
	confined, err := pool.Check(ctx)
	switch {
	case err != nil:
		log.Error("templates will not run", "error", err)
	case confined.Landlock == 0 || !confined.Seccomp:
		log.Warn("the kernel confines templates only in part", "landlock", confined.Landlock, "seccomp", confined.Seccomp)
	default:
		log.Info("templates are confined", "landlock", confined.Landlock, "seccomp", confined.Seccomp)
	}
}
