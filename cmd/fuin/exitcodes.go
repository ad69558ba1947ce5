package main

import "github.com/spf13/cobra"

// newExitCodes is a help topic: a command that does nothing.
func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Exit codes of fuin:

    0  done
    1  an error: an input is wrong, or a file cannot be read or written
    2  wrong usage: unknown flags, missing arguments, no key named
    3  findings or a difference, of commands that look for them
    4  out of reach: no key opens a value, or a cluster or URL does not answer
  130  interrupted; nothing is half-written

Where several files fail for different reasons, the code is 1. Errors, hints
and warnings go to standard error, data to standard output.`,
	}
}
