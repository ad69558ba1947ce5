//go:build !linux

package render

import (
	"syscall"
	"time"
)

// Outside Linux a child is bounded by its deadline, and by its own collector.

func confined() *syscall.SysProcAttr { return nil }

func (c *child) capMemory(int64) {}

func (c *child) resident() int64 { return 0 }

func (c *child) cpu() (time.Duration, bool) { return 0, false }
