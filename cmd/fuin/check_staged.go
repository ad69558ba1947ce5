package main

import (
	"context"
	"slices"
	"sync"
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
	c.index = &stagedIndex{blobs: c.blobs, changes: sync.OnceValues(func() (map[string]bool, error) {
		if len(paths) > 0 { // which leave out others
			changes, err = stagedChanges(ctx, nil)
		}
		return presence(changes), err
	})}
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

// presence tells of names that changed whether they are in the index. Those of
// a merge that is not resolved are, somehow.
func presence(changes []gitChange) map[string]bool {
	present := make(map[string]bool, len(changes))
	for _, change := range changes {
		present[change.name] = change.status != "D"
	}
	return present
}

// A stagedIndex tells what is in the index without another reading of it, which
// would take as long as the comparison: what did not change is as in HEAD.
type stagedIndex struct {
	blobs   *gitBlobs
	changes func() (map[string]bool, error)
}

func (s *stagedIndex) exists(name string) bool {
	changes, err := s.changes()
	if err != nil {
		return true // rather a finding too many
	}
	if present, changed := changes[name]; changed {
		return present
	}
	return s.blobs.exists("HEAD", name)
}
