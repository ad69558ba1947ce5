package main

import "github.com/spf13/cobra"

func newMigrate(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Take over what other tools left in a repository, or a cluster",
		Long: `Take over what other tools left in a repository, or in a cluster. What cannot be
taken over is named, with its place.

Sealed Secrets needs no migration: its files, its keys and kubeseal work with
fuin-controller as they are.`,
	}
	cmd.AddCommand(newMigrateSops(u), newMigrateLive(u), newMigrateVaultRefs(u))
	needVerb(cmd)
	return cmd
}
