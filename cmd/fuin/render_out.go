package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/render"
)

// renderedMark is the first line of the files that fuin render --out writes,
// and only of those.
const renderedMark = "# Rendered by fuin render --out, which overwrites and removes this file.\n"

// writeRendered writes a file for each object of a set, and removes those that
// an earlier run wrote for others. All is checked before anything is written.
func writeRendered(u *ui, dir string, s *renderSource, set *render.Set) error {
	if name, ok := s.within(dir); ok && set.Kind == render.Plain && s.holds(name) {
		return failAt(dir, "choose one elsewhere: what is written there would be rendered, too", "in the directory that is rendered")
	}
	files, err := renderedFiles(set)
	if err != nil {
		return err
	}
	old, err := earlierFiles(dir)
	if err != nil {
		return err
	}
	if err := refuseForeign(dir, files, old); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // manifests are for all to read
		return fileError(dir, err)
	}
	written, err := writeChanged(dir, files, old)
	if err != nil {
		return err
	}
	removed, err := removeGone(dir, files, old)
	if err != nil {
		return err
	}
	u.note("%s: %s, of which %d changed; %s removed", dir, plural(len(set.Objects), "object"), written, plural(removed, "file"))
	return nil
}

// writeChanged writes the files that are new or other than before.
func writeChanged(dir string, files, old map[string][]byte) (written int, err error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if bytes.Equal(files[name], old[name]) {
			continue
		}
		if err := writeFile(filepath.Join(dir, name), files[name], modePublic); err != nil {
			return written, err
		}
		written++
	}
	return written, nil
}

// removeGone removes the files of an earlier run that are none of this one.
func removeGone(dir string, files, old map[string][]byte) (removed int, err error) {
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if files[name] != nil {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return removed, fileError(filepath.Join(dir, name), err)
		}
		removed++
	}
	return removed, nil
}

// renderedFiles are the files of a set, by name.
func renderedFiles(set *render.Set) (map[string][]byte, error) {
	count := map[string]int{}
	for _, o := range set.Objects {
		count[plainFileName(o)]++
	}
	files := map[string][]byte{}
	for _, o := range set.Objects {
		text, err := manifestOf(o)
		if err != nil {
			return nil, err
		}
		name := plainFileName(o)
		if count[name] > 1 || name != fullFileName(o) {
			name += "-" + identityHash(o)
		}
		files[name+".yaml"] = append([]byte(renderedMark), text...)
	}
	return files, nil
}

// maxFileName leaves room for a hash and an extension in the 255 bytes that
// file systems allow.
const maxFileName = 200

// plainFileName is KIND-NAMESPACE-NAME with what all file systems take.
func plainFileName(o render.Object) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-", r) {
			return r
		}
		return '_'
	}, fullFileName(o))
	return name[:min(len(name), maxFileName)]
}

func fullFileName(o render.Object) string {
	parts := []string{o.Kind(), o.Namespace(), o.Name()}
	return strings.ToLower(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "-"))
}

func identityHash(o render.Object) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{o.Group(), o.Kind(), o.Namespace(), o.Name()}, "\x00")))
	return hex.EncodeToString(sum[:4])
}

// earlierFiles are the files of a directory that an earlier run wrote.
func earlierFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fileError(dir, err)
	}
	old := map[string][]byte{}
	for _, e := range entries {
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fileError(filepath.Join(dir, e.Name()), err)
		}
		if bytes.HasPrefix(data, []byte(renderedMark)) {
			old[e.Name()] = data
		}
	}
	return old, nil
}

// refuseForeign stops before a file of somebody else is written over.
func refuseForeign(dir string, files, old map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if old[name] != nil {
			continue
		}
		at := filepath.Join(dir, name)
		if _, err := os.Lstat(at); err == nil {
			return failAt(at, "move it, or choose another directory", "not written by fuin render, and in the way")
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fileError(at, err)
		}
	}
	return nil
}
