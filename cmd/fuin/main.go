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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return newUI().run(ctx, args)
}
