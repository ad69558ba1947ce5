package main

import "github.com/spf13/cobra"

func newVault(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vault",
		Short: "Tell what references need of Vault",
		Long:  `Tell what the references of a tree need of Vault. Vault itself is not asked.`,
	}
	cmd.AddCommand(newVaultPolicy(u))
	needVerb(cmd)
	return cmd
}
