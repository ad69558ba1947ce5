// Command vault is a real Vault server for tests: the released code of Vault, with
// the engines and log-ins that Fuin reads by, on files of one directory.
//
//	vault -dir DIR 127.0.0.1:8200 127.0.0.1:8202
//
// runs a core, or node, at each address, as one cluster: the first one that gets
// the lock is active, the others forward to it. All share the storage in DIR, so
// a server that was killed goes on where it was. On its first start it is
// initialized, and each start unseals the cores; what that takes, and all else
// that a test wants to know of, stands in DIR too:
//
//	keys.json      root_token and unseal_key
//	vault.crt      the certificate of all addresses, which is its own authority
//	audit.log      one JSON object a line, appended to by every core
//	database.json  the users of the database engine's plugin fuin-users
//
// There is no shutting down: it ends by being killed, as a crash would.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
)

// Files of the directory.
const (
	keysFile     = "keys.json"
	certFile     = "vault.crt"
	certKeyFile  = "vault.key"
	auditFile    = "audit.log"
	databaseFile = "database.json"
	storageDir   = "storage"
)

func main() {
	dir := flag.String("dir", "", "the directory that holds all files")
	flag.Parse()
	if err := run(*dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(dir string, addresses []string) error {
	if dir == "" || len(addresses) == 0 {
		return errors.New("usage: vault -dir DIR HOST:PORT...")
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Warn})
	config, err := serverTLS(dir)
	if err != nil {
		return err
	}
	storage, err := newStorage(dir, logger)
	if err != nil {
		return err
	}
	all, nodes := builtins(dir), make([]*node, len(addresses))
	for i, address := range addresses {
		if nodes[i], err = newNode(address, config, storage, all, logger); err != nil {
			return fmt.Errorf("core at %s: %w", address, err)
		}
	}
	ctx := context.Background()
	if err := open(ctx, dir, nodes); err != nil {
		return err
	}
	return serve(nodes)
}

func path(dir, name string) string { return filepath.Join(dir, name) }
