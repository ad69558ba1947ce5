package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitFindings    = 3
	exitUnreachable = 4
	exitInterrupted = 130
)

var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "done"},
	{exitError, "an error: an input is wrong, or a file cannot be read or written"},
	{exitUsage, "wrong usage: unknown flags, missing arguments, no key named"},
	{exitFindings, "findings or a difference, of commands that look for them; an environment\n       that is not as it should be, of status and wait"},
	{exitUnreachable, "out of reach: no key opens a value, a cluster or URL is silent, or a wait\n       was in vain"},
	{exitInterrupted, "interrupted; nothing is half-written"},
}

// newExitCodes is a help topic: a command that does nothing.
func newExitCodes() *cobra.Command {
	var table strings.Builder
	for _, c := range exitCodes {
		fmt.Fprintf(&table, "  %3d  %s\n", c.code, c.meaning)
	}
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Exit codes of fuin:

` + table.String() + `
Where several files fail for different reasons, the code is 1. Errors, hints
and warnings go to standard error, data to standard output.`,
	}
}
