package main

import (
	"context"
	"encoding/binary"
	"maps"
	"path/filepath"
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
		err = s.apply(files, maps.Values(changes))
	}
	if err != nil {
		return nil, err
	}
	return config.NewKustomizations(files)
}

// ofHEAD are those of the last commit, reduced to what concerns names; none
// before the first one.
func (s *stagedIndex) ofHEAD(ctx context.Context) (map[string][]byte, error) {
	tree, err := s.blobs.find("HEAD^{tree}", 0)
	if err != nil || tree.kind != "tree" {
		return map[string][]byte{}, err
	}
	known, files := s.recall()
	if known == tree.id {
		return files, nil
	}
	if known == "" || s.catchUp(ctx, files, known, tree.id) != nil {
		if files, err = s.all(ctx, tree.id); err != nil {
			return nil, err
		}
	}
	s.keep(tree.id, files)
	return files, nil
}

// catchUp applies what lies between two trees. Git may have lost the old one.
func (s *stagedIndex) catchUp(ctx context.Context, files map[string][]byte, from, to string) error {
	out, err := gitOutput(ctx, "diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules", from, to)
	if err != nil {
		return err
	}
	var changes []gitChange
	if err := eachChange(out, func(change gitChange) { changes = append(changes, change) }); err != nil {
		return err
	}
	return s.apply(files, func(yield func(gitChange) bool) {
		for _, change := range changes {
			if !yield(change) {
				return
			}
		}
	})
}

// apply changes the kustomizations among files.
func (s *stagedIndex) apply(files map[string][]byte, changes func(func(gitChange) bool)) (err error) {
	changes(func(change gitChange) bool {
		if !config.IsKustomization(change.name) {
			return true
		}
		delete(files, change.name)
		if change.isFile() {
			files[change.name], err = s.reduced(change.name, change.blob)
		}
		return err == nil
	})
	return err
}

func (s *stagedIndex) reduced(name, blob string) ([]byte, error) {
	o, err := s.blobs.find(blob, config.MaxKustomization)
	return config.ReducedKustomization(name, o.data), err
}

// all reads the kustomizations of a tree.
func (s *stagedIndex) all(ctx context.Context, tree string) (map[string][]byte, error) {
	out, err := gitOutput(ctx, "ls-tree", "-r", "-z", "--full-tree", tree)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, name, _ := strings.Cut(entry, "\t") // "MODE KIND HASH\tNAME"
		fields := strings.Fields(meta)
		if len(fields) != 3 || !isRegular(fields[0]) || !config.IsKustomization(name) {
			continue
		}
		if files[name], err = s.reduced(name, fields[2]); err != nil {
			return nil, err
		}
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
func (s *stagedIndex) recall() (tree string, files map[string][]byte) {
	m, kept, id := s.kept()
	if m == nil {
		return "", nil
	}
	text, ok := kept.get(id)
	if !ok || len(text) < len(id) || tag([]byte(text[:len(id)])) != m.mac("kustomizations", s.root, text[len(id):]) {
		return "", nil
	}
	words := cutWords([]byte(text[len(id):]))
	if len(words)%2 == 0 {
		return "", nil
	}
	files = make(map[string][]byte, len(words)/2)
	for i := 1; i < len(words); i += 2 {
		files[string(words[i])] = words[i+1]
	}
	return string(words[0]), files
}

func (s *stagedIndex) keep(tree string, files map[string][]byte) {
	m, kept, id := s.kept()
	if m == nil {
		return
	}
	text := appendWord(nil, []byte(tree))
	for name, data := range files {
		text = appendWord(appendWord(text, []byte(name)), data)
	}
	sum := m.mac("kustomizations", s.root, string(text))
	kept.put(id, string(sum[:])+string(text))
}

// appendWord puts a text behind its length.
func appendWord(to, word []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(word))), word...)
}

func cutWords(text []byte) (words [][]byte) {
	for len(text) > 0 {
		size, n := binary.Uvarint(text)
		if n <= 0 || size > uint64(len(text)-n) {
			return nil
		}
		words = append(words, text[n:n+int(size):n+int(size)]) //nolint:gosec // it is no more than there is
		text = text[n+int(size):]                              //nolint:gosec // likewise
	}
	return words
}
