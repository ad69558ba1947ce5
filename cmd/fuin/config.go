package main

import "github.com/spf13/cobra"

func newConfig(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Tell what .fuin.yaml says about a path, and whether it holds",
		Long: `Tell what .fuin.yaml says about a path, and whether it holds. Every command
reads the nearest one: from the path's directory upwards, to the root of the Git
repository. Outside of a repository it must belong to you, unless it is beside
the path.`,
	}
	cmd.AddCommand(newConfigExplain(u), newConfigValidate(u))
	needVerb(cmd)
	return cmd
}
