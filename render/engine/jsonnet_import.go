package engine

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"fuin.dev/render/wire"

	gojsonnet "github.com/google/go-jsonnet"
)

// imports finds what Jsonnet programs import, in the checkout. A path is
// relative to the file that imports it, else to the library paths, of which
// later ones count more, else to lib/ and then vendor/ of the directory that is
// rendered and of each above it, where jsonnet-bundler and Tanka put them.
type imports struct {
	files     fs.FS
	libraries []string // in the order in which they are tried
	read      map[string]gojsonnet.Contents
	fault     *fault // what ended the evaluation
}

func newImports(files fs.FS, d wire.Directory) (*imports, error) {
	i := &imports{files: files, read: map[string]gojsonnet.Contents{}}
	for _, library := range d.Jsonnet.LibraryPaths {
		dir := path.Clean(library)
		if !fs.ValidPath(dir) {
			return nil, blame(wire.OutsideRefused, d.Path, 0, "is given the library path %q, which is out of the checkout", abridge(library)).
				advise("library paths are relative to the root of the repository")
		}
		i.libraries = append([]string{dir}, i.libraries...)
	}
	for _, name := range []string{"lib", "vendor"} {
		for dir := d.Path; ; dir = path.Dir(dir) {
			i.libraries = append(i.libraries, path.Join(dir, name))
			if dir == "." {
				break
			}
		}
	}
	return i, nil
}

// Import implements [gojsonnet.Importer]. What it finds is called by its path
// in the checkout with a slash before it, so that the path of no import can be
// mistaken for one of the machine.
func (i *imports) Import(from, name string) (gojsonnet.Contents, string, error) {
	if from == "" {
		name = strings.TrimPrefix(name, "/")
	} else if path.IsAbs(name) {
		return i.fail(from, wire.OutsideRefused, "imports an absolute path", "imports stay inside the repository")
	}
	outside := false
	for _, dir := range append([]string{path.Dir(strings.TrimPrefix(from, "/"))}, i.libraries...) {
		file := path.Join(dir, name)
		if !fs.ValidPath(file) {
			outside = true
			continue
		}
		contents, err := i.open(file)
		if err == nil {
			return contents, "/" + file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return i.fail(from, wire.SourceFailed, "imports a file that cannot be read", "")
		}
	}
	if outside {
		return i.fail(from, wire.OutsideRefused, "imports a path out of the checkout", "imports stay inside the repository")
	}
	return i.fail(from, wire.NotFound, "imports "+abridge(name)+", which is not in the checkout",
		"run jb install and commit vendor/, or name its directory in libraryPaths")
}

func (i *imports) open(file string) (gojsonnet.Contents, error) {
	if contents, ok := i.read[file]; ok {
		return contents, nil
	}
	data, err := fs.ReadFile(i.files, file)
	if err != nil {
		return gojsonnet.Contents{}, err
	}
	i.read[file] = gojsonnet.MakeContentsRaw(data)
	return i.read[file], nil
}

// fail remembers a fault, since Jsonnet keeps only the text of an error.
func (i *imports) fail(from string, cause wire.Cause, message, hint string) (gojsonnet.Contents, string, error) {
	f := blame(cause, strings.TrimPrefix(from, "/"), 0, "%s", message).advise(hint)
	if i.fault == nil {
		i.fault = f
	}
	return gojsonnet.Contents{}, "", f
}

// holds reports whether a name stands in a file that was read: then it is the
// program's own.
func (i *imports) holds(name string) bool {
	if name == "" {
		return false
	}
	for _, contents := range i.read {
		if strings.Contains(contents.String(), name) {
			return true
		}
	}
	return false
}

// quotes reports whether a text is what a file that was read gives error word by
// word. A literal of another place may be a value on its way into a message.
func (i *imports) quotes(text string) bool {
	return i.holds(`error "`+text+`"`) || i.holds("error '"+text+"'")
}
