package main

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
)

// storage is what the cores of a server share.
type storage struct {
	data physical.Backend   // files, which outlive the process
	lock physical.HABackend // who is active: in memory, since all cores are in this process
}

func newStorage(dir string, logger hclog.Logger) (*storage, error) {
	if err := os.MkdirAll(path(dir, storageDir), 0o700); err != nil {
		return nil, err
	}
	data, err := file.NewFileBackend(map[string]string{"path": path(dir, storageDir)}, logger.Named("storage"))
	if err != nil {
		return nil, err
	}
	locks, err := inmem.NewInmemHA(nil, logger.Named("locks"))
	if err != nil {
		return nil, err
	}
	return &storage{data: data, lock: locks.(physical.HABackend)}, nil
}
