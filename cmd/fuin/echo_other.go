//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package main

// echoOff leaves it to the reading of each line.
func echoOff() (restore func()) { return func() {} }
