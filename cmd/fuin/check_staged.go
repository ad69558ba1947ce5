package main

import (
	"context"
	"slices"
	"sync"

	"fuin.dev/config"
)

// staged finds what is to be committed.
func (c *checkRun) staged(ctx context.Context, paths []string) error {
	var err error
	if c.blobs, err = openBlobs(ctx); err != nil { // while git compares, this one starts
		return err
	}
	changes, err := stagedChanges(ctx, paths)
	if err != nil {
		return err
	}
	for _, change := range changes {
		if change.isFile() {
			c.add(checkedFile{name: change.name, blob: change.blob, before: change.before})
		}
	}
	c.index = &stagedIndex{u: c.u, root: c.root, blobs: c.blobs, changes: sync.OnceValues(func() (map[string]gitChange, error) {
		if len(paths) > 0 { // which leave out others
			changes, err = stagedChanges(ctx, nil)
		}
		return byName(changes), err
	})}
	c.u.readKustomizations(c.root, func() (*config.Kustomizations, error) { return c.index.kustomizations(ctx) })
	return nil
}

// stagedChanges are those that the index has beside HEAD, or beside nothing if
// there is no commit yet. A renamed file is one deleted and one added.
func stagedChanges(ctx context.Context, paths []string) (all []gitChange, err error) {
	args := []string{"diff", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules", "--"}
	out, err := gitOutput(ctx, slices.Concat(args, paths)...)
	if err == nil {
		err = eachChange(out, func(change gitChange) { all = append(all, change) })
	}
	return all, err
}

func byName(changes []gitChange) map[string]gitChange {
	out := make(map[string]gitChange, len(changes))
	for _, change := range changes {
		out[change.name] = change
	}
	return out
}

// A stagedIndex tells what is in the index without another reading of it, which
// would take as long as the comparison: what did not change is as in HEAD.
type stagedIndex struct {
	u       *ui
	root    string
	blobs   *gitBlobs
	changes func() (map[string]gitChange, error)
}

// exists reports whether the index has a file. That of a merge which is not
// resolved it has, somehow.
func (s *stagedIndex) exists(name string) bool {
	changes, err := s.changes()
	if err != nil {
		return true // rather a finding too many
	}
	if change, changed := changes[name]; changed {
		return change.status != "D"
	}
	return s.blobs.exists("HEAD", name)
}
