package main

import "github.com/spf13/cobra"

func newKeys(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make and list keys, and keep files of them up to date",
		Long: `Make and list keys, and keep files of them up to date. A recipient or a
certificate is public and seals; an identity is private and opens.`,
	}
	cmd.AddCommand(newKeysGenerate(u), newKeysList(u), newKeysSync(u))
	needVerb(cmd)
	return cmd
}
