// Command fuin seals Kubernetes Secrets for Git and opens them again. Run
// fuin help for what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run ends at the first signal as soon as nothing is half-written, and at the
// second one at once.
func run(args []string) int {
	u := newUI()
	ctx, stop := u.signaled(context.Background())
	defer stop()
	return u.run(ctx, args)
}

// signaled ends with the first signal that is for this program.
func (u *ui) signaled(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stop = func() {
		signal.Stop(signals)
		cancel()
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				if s != os.Interrupt || !u.yields.Load() {
					stop()
				}
			}
		}
	}()
	return ctx, stop
}
