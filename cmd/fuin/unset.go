package main

import (
	"context"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

func newUnset(u *ui) *cobra.Command {
	var f targetFlags
	cmd := &cobra.Command{
		Use:   "unset FILE KEY",
		Short: "Remove one value from a SealedSecret",
		Long: `Remove one value from a SealedSecret of a file. Every other byte of the file
stays as it is, also comments above the value and the annotation fuin.dev/key.
Needs no key and no cluster. FILE - is standard input, which is written to
standard output.

Git keeps what was removed: whoever holds the private key can still open it.`,
		Example: `  fuin unset sealed.yaml password
  fuin unset --name tls all.yaml tls.key`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return misuse(helpHint(cmd), "KEY is missing")
			}
			return needArgs("FILE", 2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.unset(cmd.Context(), u, args[0], args[1])
		},
	}
	f.add(cmd)
	return cmd
}

func (f *targetFlags) unset(ctx context.Context, u *ui, file, key string) error {
	data, err := u.read(ctx, input{path: file})
	if err != nil {
		return err
	}
	result, err := seal.Unset(data, f.of(key))
	if err != nil {
		return nameError(input{path: file}.name(), err)
	}
	if err := f.write(u, file, data, result); err != nil {
		return err
	}
	u.note("removed key %q of %s", key, objectOf(result))
	return nil
}
