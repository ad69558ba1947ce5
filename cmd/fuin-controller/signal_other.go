//go:build !unix

package main

import "context"

// renewSignals are those of Unix.
func renewSignals(context.Context) <-chan struct{} { return nil }
