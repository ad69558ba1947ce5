package main

import "github.com/spf13/cobra"

func newKeys(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make and list keys",
		Long: `Make and list keys. A recipient or a certificate is public and seals; an
identity is private and opens.`,
	}
	cmd.AddCommand(newKeysGenerate(u), newKeysList(u))
	needVerb(cmd)
	return cmd
}
