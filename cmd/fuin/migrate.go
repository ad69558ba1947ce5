package main

import "github.com/spf13/cobra"

func newMigrate(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Take over what other tools left in a repository",
		Long: `Take over what other tools left in a repository. What cannot be taken over is
named, with its place.`,
	}
	cmd.AddCommand(newMigrateVaultRefs(u))
	needVerb(cmd)
	return cmd
}
