package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"fuin.dev/seal"
)

// sides are the SealedSecrets of two states of a tree.
type sides struct {
	before, after []version
	byName        bool // of two trees: namespaces may differ
}

// A version is a SealedSecret in one of them.
type version struct {
	file  string // as it is told
	path  string // as it is found
	state seal.State
}

// readChanges reads both sides of what git found.
func (u *ui) readChanges(ctx context.Context, w *worktree, changed []fileChange) (*sides, error) {
	s := &sides{}
	root, err := w.root(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	var places []reading
	for _, c := range changed {
		switch {
		case c.unmerged:
			u.warn(c.path, "passed over: it is not merged yet")
			continue
		case !isManifestName(c.path):
			continue
		}
		at := reading{file: c.path, path: filepath.Join(root, c.path)}
		if c.before != "" {
			ids, places = append(ids, c.before), append(places, at.on(&s.before))
		}
		if c.after != "" {
			ids, places = append(ids, c.after), append(places, at.on(&s.after))
		}
		if c.inWorktree {
			data, err := readFile(ctx, at.path, seal.MaxManifest)
			if err != nil {
				return nil, err
			}
			u.addStates(at.on(&s.after), data)
		}
	}
	return s, w.blobs(ctx, ids, func(i int, data []byte) error {
		u.addStates(places[i], data)
		return nil
	})
}

// A reading is a file that is read for one of the sides.
type reading struct {
	file, path string
	to         *[]version
}

func (r reading) on(side *[]version) reading {
	r.to = side
	return r
}

// readTrees reads two directories, or two files.
func (u *ui) readTrees(ctx context.Context, before, after string) (*sides, error) {
	s := &sides{byName: true}
	for _, side := range []struct {
		root string
		to   *[]version
	}{{before, &s.before}, {after, &s.after}} {
		inputs, err := u.inputs([]string{side.root})
		if err != nil {
			return nil, err
		}
		for _, in := range inputs {
			data, err := u.read(ctx, in)
			if err != nil {
				return nil, err
			}
			rel, err := filepath.Rel(side.root, in.path)
			if err != nil || rel == "." {
				rel = filepath.Base(after)
			}
			u.addStates(reading{filepath.ToSlash(rel), in.path, side.to}, data)
		}
	}
	return s, nil
}

// addStates adds the SealedSecrets of a file; one that cannot be read is named.
func (u *ui) addStates(r reading, data []byte) {
	if !bytes.Contains(data, []byte(kindSealedSecret)) {
		return
	}
	states, err := seal.States(data)
	if err != nil && !errors.Is(err, seal.ErrNothing) && declares(data, kindSealedSecret) {
		u.warn(r.file, "passed over: %v", err)
		return
	}
	for _, state := range states {
		*r.to = append(*r.to, version{r.file, r.path, state})
	}
}

// compare pairs the versions and tells how they differ, in the order of the
// files.
func compare(s *sides) []difference {
	var out []difference
	for _, p := range s.pair() {
		d := seal.Compare(p.states())
		moved := p.before != nil && p.after != nil && p.before.file != p.after.file
		if d == nil && !moved {
			continue
		}
		if d == nil {
			d = &seal.Difference{Change: seal.Moved, Keys: []seal.KeyDifference{}}
		}
		one := difference{Difference: d}
		one.before, one.after = p.states()
		at := p.after
		if at == nil {
			at = p.before
		} else {
			one.Line = at.state.Line
		}
		one.File, one.path, one.Namespace, one.Name = at.file, at.path, at.state.Namespace, at.state.Name
		if moved {
			one.From = p.before.file
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return out
}

// A pairing is a SealedSecret on both sides, or on one.
type pairing struct{ before, after *version }

func (p pairing) states() (before, after *seal.State) {
	if p.before != nil {
		before = &p.before.state
	}
	if p.after != nil {
		after = &p.after.state
	}
	return before, after
}

// pair finds for each version the one it was: in the same file, or else in
// another; of two trees the one of that name in the same file.
func (s *sides) pair() []pairing {
	var out []pairing
	before, after := pointers(s.before), pointers(s.after)
	same := func(key func(*version) string) {
		waiting := map[string][]int{}
		for i, v := range before {
			if v != nil {
				waiting[key(v)] = append(waiting[key(v)], i)
			}
		}
		for i, v := range after {
			if v == nil || len(waiting[key(v)]) == 0 {
				continue
			}
			at := waiting[key(v)][0]
			waiting[key(v)] = waiting[key(v)][1:]
			out = append(out, pairing{before[at], v})
			before[at], after[i] = nil, nil
		}
	}
	object := func(v *version) string { return v.state.Namespace + "/" + v.state.Name }
	same(func(v *version) string { return v.file + "\x00" + object(v) })
	if s.byName {
		same(func(v *version) string { return v.file + "\x00" + v.state.Name })
	}
	same(object)
	for _, v := range before {
		if v != nil {
			out = append(out, pairing{before: v})
		}
	}
	for _, v := range after {
		if v != nil {
			out = append(out, pairing{after: v})
		}
	}
	return out
}

func pointers(vs []version) []*version {
	out := make([]*version, 0, len(vs))
	for i := range vs {
		out = append(out, &vs[i])
	}
	return out
}
