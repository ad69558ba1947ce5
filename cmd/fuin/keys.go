package main

import "github.com/spf13/cobra"

func newKeys(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and renew keys, and end their use",
		Long: `Make, list and renew keys, and end their use. A recipient or a certificate is
public and seals; an identity is private and opens. In a cluster an active key
seals and opens, a retired one only opens, a revoked one does neither.`,
	}
	cmd.AddCommand(newKeysGenerate(u), newKeysList(u), newKeysSync(u),
		newKeysRotate(u), newKeysRetire(u), newKeysRevoke(u))
	needVerb(cmd)
	return cmd
}
