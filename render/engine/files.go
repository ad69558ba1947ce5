package engine

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fuin.dev/render/listing"
	"fuin.dev/render/wire"
)

// checkout is the [fs.FS] of all files that may be read, which the parent has.
// It remembers what it was told. Its errors are a *fault, wrapped in a
// [*fs.PathError], but for [fs.ErrNotExist] and [fs.ErrInvalid].
type checkout struct {
	ask func(wire.Ask) ([]wire.Answer, error)

	stats map[string]wire.Answer
	dirs  map[string]wire.Answer
	data  map[string]wire.Answer
	// mounts are what lies elsewhere, by URL.
	mounts map[string]wire.Answer

	// trouble is the first refusal that no engine can make up for: many lose
	// the error of a file on the way.
	trouble *fault
	// broken is why the parent cannot be asked any more.
	broken error
}

func newCheckout(ask func(wire.Ask) ([]wire.Answer, error)) *checkout {
	return &checkout{
		ask:   ask,
		stats: map[string]wire.Answer{}, dirs: map[string]wire.Answer{}, data: map[string]wire.Answer{},
		mounts: map[string]wire.Answer{},
	}
}

// Open implements [fs.FS].
func (c *checkout) Open(name string) (fs.File, error) {
	info, err := c.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.Dir {
		entries, err := c.ReadDir(name)
		return &openDir{openInfo{name: path.Base(name), dir: true}, entries}, err
	}
	data, err := c.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &openFile{bytes.NewReader(data), openInfo{name: path.Base(name), size: int64(len(data))}}, nil
}

// Stat implements [fs.StatFS]. The size of a file that was not read is 0.
func (c *checkout) Stat(name string) (fs.FileInfo, error) {
	info, err := c.stat("stat", name)
	if err != nil {
		return nil, err
	}
	return openInfo{name: path.Base(name), dir: info.Dir, size: int64(len(c.data[name].Data))}, nil
}

func (c *checkout) stat(op, name string) (wire.Answer, error) {
	return c.one(op, wire.OpStat, name, c.stats)
}

// ReadFile implements [fs.ReadFileFS].
func (c *checkout) ReadFile(name string) ([]byte, error) {
	answer, err := c.one("read", wire.OpRead, name, c.data)
	return slices.Clone(answer.Data), err
}

// ReadDir implements [fs.ReadDirFS].
func (c *checkout) ReadDir(name string) ([]fs.DirEntry, error) {
	answer, err := c.one("readdir", wire.OpReadDir, name, c.dirs)
	entries := make([]fs.DirEntry, len(answer.Entries))
	for i, e := range answer.Entries {
		entries[i] = dirEntry{openInfo{name: e.Name, dir: e.Dir}, e.Link}
		c.stats[path.Join(name, e.Name)] = wire.Answer{Dir: e.Dir}
	}
	return entries, err
}

// mount asks for what lies elsewhere, and returns the path below which it lies.
func (c *checkout) mount(url string) (string, error) {
	if _, known := c.mounts[url]; !known {
		if err := c.put(wire.Ask{Op: wire.OpRemote, Paths: []string{url}}, c.mounts); err != nil {
			return "", err
		}
	}
	answer := c.mounts[url]
	if answer.Refusal == "" {
		return answer.Mount, nil
	}
	f := refusals[wire.Unfetched]
	if answer.Refusal == wire.Forbidden {
		f = refusals[wire.Forbidden]
	}
	return "", &f
}

// fetch reads many files at once, so that reading each costs no round trip.
func (c *checkout) fetch(names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, known := c.data[name]
		return known || !fs.ValidPath(name)
	})
	if len(names) == 0 {
		return nil
	}
	return c.put(wire.Ask{Op: wire.OpRead, Paths: names}, c.data)
}

// one answers one question, from memory if it can.
func (c *checkout) one(verb string, op wire.Op, name string, known map[string]wire.Answer) (wire.Answer, error) {
	if !fs.ValidPath(name) {
		return wire.Answer{}, &fs.PathError{Op: verb, Path: name, Err: fs.ErrInvalid}
	}
	if _, ok := known[name]; !ok {
		if err := c.put(wire.Ask{Op: op, Paths: []string{name}}, known); err != nil {
			return wire.Answer{}, &fs.PathError{Op: verb, Path: name, Err: err}
		}
	}
	answer := known[name]
	if err := c.refused(name, answer.Refusal); err != nil {
		return answer, &fs.PathError{Op: verb, Path: name, Err: err}
	}
	return answer, nil
}

func (c *checkout) put(ask wire.Ask, known map[string]wire.Answer) error {
	if c.broken != nil {
		return c.broken
	}
	answers, err := c.ask(ask)
	if err != nil {
		c.broken = err
		return err
	}
	for i, name := range ask.Paths {
		known[name] = answers[i]
	}
	return nil
}

// behind returns what is behind a fault: a file that could not be had, unless
// the fault tells of such a file itself.
func (c *checkout) behind(f *fault) *fault {
	if c.trouble == nil || f.cause == c.trouble.cause {
		return f
	}
	return c.trouble
}

// refused turns a refusal into an error; nil if it is none.
func (c *checkout) refused(name string, r wire.Refusal) error {
	switch r {
	case "":
		return nil
	case wire.Missing:
		return fs.ErrNotExist
	case wire.Irregular:
		return fs.ErrInvalid
	}
	f := refusals[r]
	f.file = name
	if f.cause == "" {
		f = fault{file: name, cause: wire.SourceFailed, message: "cannot be read"}
	}
	if c.trouble == nil {
		c.trouble = &f
	}
	return &f
}

var refusals = map[wire.Refusal]fault{
	wire.Outside: {cause: wire.OutsideRefused, message: "is a symbolic link, or a path, out of the checkout",
		hint: "keep all files that are rendered in the repository"},
	wire.Unreadable: {cause: wire.SourceFailed, message: "cannot be read from the source"},
	wire.LargeFile: {cause: wire.LimitExceeded, message: "is larger than a manifest may be, 4 MiB",
		hint: "split it, or move it out of the directory that is rendered"},
	wire.LargeRead: {cause: wire.LimitExceeded,
		message: "is one file too many: a directory may read 64 MiB, and list 50,000 names",
		hint:    "render a smaller directory"},
	wire.DeepPath: {cause: wire.LimitExceeded, message: "lies more than 64 folders deep"},
	wire.Forbidden: {cause: wire.RemoteRefused, message: "lies elsewhere, and is not fetched",
		hint: "copy it into the repository, or allow it: allowRemote: true"},
	wire.Unfetched: {cause: wire.RemoteRefused, message: "lies elsewhere, and could not be fetched"},
}

// openInfo describes a file to [fs.FileInfo].
type openInfo struct {
	name string
	size int64
	dir  bool
}

func (i openInfo) Name() string       { return i.name }
func (i openInfo) Size() int64        { return i.size }
func (i openInfo) ModTime() time.Time { return time.Time{} }
func (i openInfo) IsDir() bool        { return i.dir }
func (i openInfo) Sys() any           { return nil }

func (i openInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// dirEntry is an entry of a directory. One that is a symbolic link says both,
// what its target is and, by Type, that it is a link.
type dirEntry struct {
	openInfo
	link bool
}

func (e dirEntry) Info() (fs.FileInfo, error) { return e.openInfo, nil }

func (e dirEntry) Type() fs.FileMode {
	if e.link {
		return e.Mode().Type() | fs.ModeSymlink
	}
	return e.Mode().Type()
}

type openFile struct {
	*bytes.Reader
	info openInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	info openInfo
	listing.Unread
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: fs.ErrInvalid}
}

// hidden tells a name that no renderer looks at by itself.
func hidden(name string) bool { return strings.HasPrefix(name, ".") && name != "." }
