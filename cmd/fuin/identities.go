package main

import (
	"context"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// identityFlags say which private keys open.
type identityFlags struct{ files []string }

func (f *identityFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.files, "identity", "i", nil,
		"`FILE` with private keys: age identities, PEM, or key Secrets as kubectl get -o yaml prints them; may be given several times")
	fromEnvironment(cmd, "identity")
}

// load reads all keys, newest first. Revoked ones open here, too: whoever holds
// the key is the one who decides that.
func (f *identityFlags) load(ctx context.Context, u *ui) ([]*keys.Identity, error) {
	if len(f.files) == 0 {
		return nil, misuse("name a file of private keys: -i FILE", "no key to open with")
	}
	var all []*keys.Identity
	for _, path := range f.files {
		ids, err := u.readIdentities(ctx, path)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return keys.NewRing(all...).All(), nil
}

func (u *ui) readIdentities(ctx context.Context, path string) ([]*keys.Identity, error) {
	data, err := u.readKeys(ctx, path)
	if err != nil {
		return nil, err
	}
	ids, err := keys.ParseIdentities(data)
	if err != nil {
		return nil, nameError(input{path: path}.name(), err)
	}
	return ids, nil
}

func (u *ui) readKeys(ctx context.Context, path string) ([]byte, error) {
	if path == "-" {
		return u.readStdin(ctx, "keys", keys.MaxFile)
	}
	return readFile(ctx, path, keys.MaxFile)
}
