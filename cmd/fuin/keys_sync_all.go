package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"fuin.dev/config"
)

// all syncs the files of every cluster in .fuin.yaml that has a context. A
// cluster that fails keeps no other from its turn.
func (f *syncFlags) all(ctx context.Context, u *ui) error {
	r, err := u.repositoryAt(".")
	if err != nil {
		return err
	}
	if r == nil {
		return misuse("name a cluster and a file: fuin keys sync cluster:CONTEXT FILE; or fuin init", "no %s tells which clusters there are", config.File)
	}
	var failed faults
	f.several = true
	asked := 0
	for _, c := range r.config.Clusters {
		if c.Context == "" {
			u.note("passed over cluster %s: %s names no context for it", c.Name, r.file())
			continue
		}
		asked++
		if err := f.sync(ctx, u, r, c); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if asked == 0 {
		return failAt(r.file(), "add context: NAME to one, or name a cluster and a file: fuin keys sync cluster:CONTEXT FILE", "no cluster has a context")
	}
	return failed.orNil()
}

// sync brings the file of one cluster up to date.
func (f *syncFlags) sync(ctx context.Context, u *ui, r *repository, c config.Cluster) error {
	if len(c.Recipients) > 1 {
		return &fault{
			&named{r.file(), fmt.Errorf("cluster %s has %d files of keys", c.Name, len(c.Recipients))},
			"name the one that is the cluster's own: fuin keys sync cluster:" + c.Context + " FILE", exitError,
		}
	}
	at := filepath.Join(r.root, filepath.FromSlash(c.Recipients[0]))
	shown := fromHere(r.root, c.Recipients[0])
	real, _, err := u.around(at)
	if err != nil {
		return err
	}
	if _, ok := nameIn(r.root, real); !ok {
		return failAt(shown, "put the file where the link is", "a link that leads out of the repository")
	}
	if !f.check {
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // public keys
			return fileError(filepath.Dir(shown), err)
		}
	}
	return f.one(ctx, u, c.Context, shown, "fuin keys sync")
}
