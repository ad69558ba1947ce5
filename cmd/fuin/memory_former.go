package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"

	"fuin.dev/seal"
)

// recallFrom tells the memory where to look for what was sealed before: in the
// file that is about to be written, or, of files that are sealed in place, in
// Git's index. It is looked at when the memory knows a value, and not before.
func (u *ui) recallFrom(ctx context.Context, out string, inPlace []input) {
	m := u.memory()
	if m == nil || out == "" && len(inPlace) == 0 {
		return
	}
	m.former = func() []string {
		if out != "" {
			if info, err := os.Stat(out); err != nil || !info.Mode().IsRegular() {
				return nil // a pipe is not asked what it held
			}
			data, err := readFile(ctx, out, seal.MaxManifest)
			if err != nil {
				return nil
			}
			return sealedValuesOf(data)
		}
		return u.indexed(ctx, inPlace)
	}
}

// keepValues has the memory keep the sealed values themselves: what is printed
// is in no file that the next run could read.
func (u *ui) keepValues() {
	if m := u.memory(); m != nil {
		m.kept = &keptFiles{filepath.Join(u.stateDir(), memoryDir, memoryValues)}
	}
}

// indexed are the sealed values of files as Git's index has them; none where
// there is no Git.
func (u *ui) indexed(ctx context.Context, inputs []input) []string {
	byDir := map[string]map[string]bool{}
	for _, in := range inputs {
		real, at, err := u.around(in.path)
		if err != nil || at.tree == nil {
			continue
		}
		if byDir[filepath.Dir(real)] == nil {
			byDir[filepath.Dir(real)] = map[string]bool{}
		}
		byDir[filepath.Dir(real)][filepath.Base(real)] = true
	}
	var out []string
	for dir, names := range byDir {
		out = append(out, indexedIn(ctx, dir, names)...)
	}
	return out
}

// indexedIn reads the files of one directory.
func indexedIn(ctx context.Context, dir string, names map[string]bool) []string {
	w := &worktree{dir: dir}
	listed, err := w.output(ctx, "ls-files", "--stage", "-z", "--", ".")
	if err != nil {
		return nil
	}
	var ids []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		meta, name, ok := strings.Cut(entry, "\t") // "MODE BLOB STAGE\tNAME"
		if fields := strings.Fields(meta); ok && len(fields) == 3 && isRegular(fields[0]) && names[name] {
			ids = append(ids, fields[1])
		}
	}
	var out []string
	_ = w.blobs(ctx, ids, func(_ int, data []byte) error { // what is not read is sealed again
		out = append(out, sealedValuesOf(data)...)
		return nil
	})
	return out
}

func sealedValuesOf(data []byte) []string {
	if !bytes.Contains(data, []byte(kindSealedSecret)) {
		return nil
	}
	states, err := seal.States(data)
	if err != nil {
		return nil
	}
	var out []string
	for _, state := range states {
		for _, value := range state.Values {
			out = append(out, value)
		}
	}
	return out
}
