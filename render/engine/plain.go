package engine

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"fuin.dev/render/wire"
)

// plain renders a directory of manifests: all files *.yaml, *.yml and *.json
// below it, in the order of their names, but for hidden ones.
func plain(files fs.FS, d wire.Directory) (rendition, error) {
	w := plainWalk{files: files, told: d.Kind == "Plain"}
	if err := w.folder(d.Path); err != nil {
		return w.result, err
	}
	for batch := range slices.Chunk(w.found, wire.MaxBatch) {
		if c, ok := files.(*checkout); ok {
			if err := c.fetch(batch); err != nil {
				return w.result, err
			}
		}
		if err := w.manifests(batch); err != nil {
			return w.result, err
		}
	}
	return w.result, nil
}

type plainWalk struct {
	files  fs.FS
	told   bool // that the directory is plain, whatever lies in it
	found  []string
	result rendition
}

// folder finds the files of a directory and those below it.
func (w *plainWalk) folder(dir string) error {
	entries, err := fs.ReadDir(w.files, dir)
	if err != nil {
		return noDirectory(err, dir)
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch ext := path.Ext(name); {
		case hidden(e.Name()):
		case e.IsDir() && e.Type()&fs.ModeSymlink != 0:
			w.result.note(name, 0, "a symbolic link to a directory, not followed")
		case e.IsDir():
			if err := w.folder(name); err != nil {
				return err
			}
		case kindOfMarker(e.Name()) == "Kustomize" && w.told:
			w.result.note(name, 0, "a kustomization, left out of a plain directory")
		case kindOfMarker(e.Name()) != "" && !w.told:
			return blame(wire.NotRenderable, name, 0, "makes its directory a %s one, below a plain directory", kindOfMarker(e.Name())).
				advise("render it by itself, name the directory in a kustomization, or choose the renderer Plain")
		case ext == ".yaml", ext == ".yml", ext == ".json":
			w.found = append(w.found, name)
		}
	}
	return nil
}

func kindOfMarker(name string) string {
	for _, m := range markers {
		if m.name == name {
			return m.kind
		}
	}
	return ""
}

// noDirectory is the fault of a directory to render that cannot be listed.
func noDirectory(err error, dir string) error {
	if f := (*fault)(nil); errors.As(err, &f) {
		return f
	}
	return blame(wire.NotFound, dir, 0, "is no directory of the checkout").advise("correct the path")
}

// parsers is how many files are parsed at a time: as many as the process may
// use processors.
const parsers = 2

// manifests reads the objects of files.
func (w *plainWalk) manifests(names []string) error {
	type parsed struct {
		docs []manifest
		err  error
	}
	texts := make([][]byte, len(names))
	for i, name := range names { // the checkout answers one at a time
		var err error
		if texts[i], err = fs.ReadFile(w.files, name); err != nil {
			return unread(err, name)
		}
	}
	results := make([]parsed, len(names))
	var next atomic.Int64
	var parsing sync.WaitGroup
	for range parsers {
		parsing.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				results[i].docs, results[i].err = parseGuarded(names[i], texts[i])
			}
		})
	}
	parsing.Wait()
	for i, r := range results {
		if r.err != nil {
			return r.err
		}
		w.keep(names[i], r.docs)
	}
	return nil
}

// parseGuarded makes a panic of the parser a fault.
func parseGuarded(name string, data []byte) (docs []manifest, err error) {
	defer func() {
		if recover() != nil {
			err = blame(wire.Malformed, name, 0, "is no YAML")
		}
	}()
	return parseManifests(name, data)
}

func (w *plainWalk) keep(name string, docs []manifest) {
	for _, d := range docs {
		if d.twice > 0 {
			w.result.note(name, d.twice, "a key that is there twice; the last one counts")
		}
		if d.json[0] != '{' {
			w.result.note(name, d.line, "no object of Kubernetes, left out")
			continue
		}
		w.result.objects = append(w.result.objects, wire.Object{Content: d.json, File: name, Line: d.line, Stray: true})
	}
}

// unread is the fault of a file that cannot be read.
func unread(err error, name string) error {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, fs.ErrNotExist):
		return blame(wire.NotFound, name, 0, "is not there")
	}
	return blame(wire.NotFound, name, 0, "is no file")
}
