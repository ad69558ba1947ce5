package main

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/config"
)

// kustomizations are those of the index: of HEAD, and what is staged beside it.
// Those of HEAD are remembered, or a check of one SealedSecret would have to
// read them all.
func (s *stagedIndex) kustomizations(ctx context.Context) (*config.Kustomizations, error) {
	changes, err := s.changes()
	if err != nil {
		return nil, err
	}
	files, err := s.ofHEAD(ctx)
	if err == nil {
		files, err = s.applied(files, slices.Collect(maps.Values(changes)))
	}
	if err != nil {
		return nil, err
	}
	return config.NewKustomizations(files)
}

// ofHEAD are those of the last commit, reduced to what concerns names; none
// before the first one.
func (s *stagedIndex) ofHEAD(ctx context.Context) ([]config.KustomizationFile, error) {
	tree, err := s.blobs.find("HEAD^{tree}", 0)
	if err != nil || tree.kind != "tree" {
		return nil, err
	}
	known, files := s.recall()
	if known == tree.id {
		return files, nil
	}
	caughtUp := known != ""
	if caughtUp {
		files, err = s.since(ctx, files, known, tree.id)
		caughtUp = err == nil // Git may have lost the old tree
	}
	if !caughtUp {
		if files, err = s.allOf(ctx, tree.id); err != nil {
			return nil, err
		}
	}
	s.keep(tree.id, files)
	return files, nil
}

// since applies what lies between two trees.
func (s *stagedIndex) since(ctx context.Context, files []config.KustomizationFile, from, to string) ([]config.KustomizationFile, error) {
	out, err := gitOutput(ctx, "diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules", from, to)
	if err != nil {
		return nil, err
	}
	var changes []gitChange
	if err := eachChange(out, func(change gitChange) { changes = append(changes, change) }); err != nil {
		return nil, err
	}
	return s.applied(files, changes)
}

// applied changes the kustomizations, which are in the order of their names.
func (s *stagedIndex) applied(files []config.KustomizationFile, changes []gitChange) ([]config.KustomizationFile, error) {
	for _, change := range changes {
		if !config.IsKustomization(change.name) {
			continue
		}
		at, has := slices.BinarySearchFunc(files, change.name, func(f config.KustomizationFile, name string) int { return strings.Compare(f.Name, name) })
		if has {
			files = slices.Delete(files, at, at+1)
		}
		if !change.isFile() {
			continue
		}
		one, err := s.reduced(change.name, change.blob)
		if err != nil {
			return nil, err
		}
		files = slices.Insert(files, at, one)
	}
	return files, nil
}

func (s *stagedIndex) reduced(name, blob string) (config.KustomizationFile, error) {
	o, err := s.blobs.find(blob, config.MaxKustomization)
	return config.KustomizationFile{Name: name, Data: config.ReducedKustomization(name, o.data)}, err
}

// allOf reads the kustomizations of a tree, of which Git keeps the names in
// order.
func (s *stagedIndex) allOf(ctx context.Context, tree string) ([]config.KustomizationFile, error) {
	out, err := gitOutput(ctx, "ls-tree", "-r", "-z", "--full-tree", tree)
	if err != nil {
		return nil, err
	}
	var files []config.KustomizationFile
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, name, _ := strings.Cut(entry, "\t") // "MODE KIND HASH\tNAME"
		fields := strings.Fields(meta)
		if len(fields) != 3 || !isRegular(fields[0]) || !config.IsKustomization(name) {
			continue
		}
		one, err := s.reduced(name, fields[2])
		if err != nil {
			return nil, err
		}
		files = append(files, one)
	}
	return files, nil
}

// memoryTrees is where the memory keeps kustomizations, a file a repository.
const memoryTrees = "kustomizations"

func (s *stagedIndex) kept() (*memory, keptFiles, tag) {
	m := s.u.memory()
	if m == nil {
		return nil, keptFiles{}, tag{}
	}
	return m, keptFiles{filepath.Join(s.u.stateDir(), memoryDir, memoryTrees)}, m.mac("kustomizations of", s.root)
}

// recall returns what keep kept: the tree is "" if that is nothing, or damaged.
func (s *stagedIndex) recall() (tree string, files []config.KustomizationFile) {
	m, kept, id := s.kept()
	if m == nil {
		return "", nil
	}
	text, ok := kept.get(id)
	if !ok || len(text) < len(id) || tag([]byte(text[:len(id)])) != m.mac("kustomizations", s.root, text[len(id):]) {
		return "", nil
	}
	names, data := text[len(id):], []byte(text[len(id):])
	next := func() (word string, bytes []byte, more bool) { // no word holds a zero
		end := strings.IndexByte(names, 0)
		if end < 0 {
			return names, data, false
		}
		word, bytes = names[:end], data[:end:end]
		names, data = names[end+1:], data[end+1:]
		return word, bytes, true
	}
	tree, _, more := next()
	files = make([]config.KustomizationFile, 0, strings.Count(names, "\x00")/2+1)
	for more {
		var f config.KustomizationFile
		if f.Name, _, more = next(); more {
			_, f.Data, more = next()
		}
		files = append(files, f)
	}
	return tree, files
}

func (s *stagedIndex) keep(tree string, files []config.KustomizationFile) {
	m, kept, id := s.kept()
	if m == nil {
		return
	}
	text := []byte(tree)
	for _, f := range files {
		text = append(append(append(append(text, 0), f.Name...), 0), f.Data...)
	}
	sum := m.mac("kustomizations", s.root, string(text))
	kept.put(id, string(sum[:])+string(text))
}
