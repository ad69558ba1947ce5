package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// newTextconv is for git: what git diff shows of a file.
func newTextconv(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:    "textconv FILE",
		Hidden: true,
		Short:  "Print a file with short marks for sealed values, for git diff",
		Long: `Print a file with a short mark in place of each sealed value, so that git diff
shows which were rewritten, and not how. It is what .gitattributes calls
diff=fuin. Every other byte stays, and a file that is no manifest is printed as
it is.`,
		Example: `  git config diff.fuin.textconv "fuin textconv"
  fuin textconv sealed.yaml`,
		Args: needArgs("FILE", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return textconv(cmd.Context(), u, args[0])
		},
	}
}

func textconv(ctx context.Context, u *ui, file string) error {
	data, err := u.read(ctx, input{path: file})
	if err != nil {
		return err
	}
	if strings.Contains(string(data), kindSealedSecret) {
		if masked, err := seal.Masked(data, mark); err == nil { // else git shows it as it is
			data = masked
		}
	}
	_, err = u.stdout.Write(data)
	return err
}

// mark tells one ciphertext from another.
func mark(v seal.Value) string {
	sum := sha256.Sum256([]byte(v.Sealed))
	return "<sealed " + hex.EncodeToString(sum[:6]) + ">"
}
