//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// renewSignals passes on SIGUSR1, by which Sealed Secrets renews its key, too.
func renewSignals(ctx context.Context) <-chan struct{} {
	in, out := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(in, syscall.SIGUSR1)
	go func() {
		defer signal.Stop(in)
		for {
			select {
			case <-in:
				select {
				case out <- struct{}{}:
				case <-ctx.Done():
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
