package render

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strconv"
	"strings"
	"syscall"

	"fuin.dev/render/wire"
)

// answers are what a child may know of files. It names paths, and is told what
// the checkout has there, and no more than the bounds of package wire.
type answers struct {
	files  fs.FS
	remote func(ctx context.Context, url string) (fs.FS, error)
	mounts []mount
	// failure is the last error of remote or of reading a file.
	failure error

	asks, entries int
	read          int64
}

// mount is what was fetched from elsewhere.
type mount struct {
	url   string
	files fs.FS
}

func newAnswers(d Directory) *answers { return &answers{files: d.Files, remote: d.Remote} }

// serve answers an ask, one frame a path.
func (a *answers) serve(ctx context.Context, ask wire.Ask, out *bufio.Writer) error {
	if len(ask.Paths) > wire.MaxBatch {
		return wire.ErrMalformed
	}
	for _, name := range ask.Paths {
		frame, err := wire.Encode(a.answer(ctx, ask.Op, name))
		if err != nil { // a list of very long names
			frame, err = wire.Encode(wire.Answer{Refusal: wire.LargeRead})
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(frame); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (a *answers) answer(ctx context.Context, op wire.Op, name string) wire.Answer {
	if a.asks++; a.asks > wire.MaxAsks {
		return wire.Answer{Refusal: wire.LargeRead}
	}
	if op == wire.OpRemote {
		return a.fetch(ctx, name)
	}
	files, name, refusal := a.resolve(name)
	if refusal != "" {
		return wire.Answer{Refusal: refusal}
	}
	switch op {
	case wire.OpStat:
		return a.stat(files, name)
	case wire.OpReadDir:
		return a.list(files, name)
	case wire.OpRead:
		return a.content(files, name)
	}
	return wire.Answer{Refusal: wire.Irregular}
}

// resolve returns the files that a path is of, and its name there.
func (a *answers) resolve(name string) (fs.FS, string, wire.Refusal) {
	switch {
	case !fs.ValidPath(name):
		return nil, "", wire.Outside
	case strings.Count(name, "/") > wire.MaxFolders:
		return nil, "", wire.DeepPath
	}
	rest, ok := strings.CutPrefix(name+"/", wire.RemotePrefix)
	if !ok {
		return a.files, name, ""
	}
	number, rest, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(a.mounts) {
		return nil, "", wire.Missing
	}
	return a.mounts[i].files, path.Clean(rest), ""
}

func (a *answers) stat(files fs.FS, name string) wire.Answer {
	info, err := fs.Stat(files, name)
	if err != nil {
		return wire.Answer{Refusal: a.refusal(files, name, err)}
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return wire.Answer{Refusal: wire.Irregular}
	}
	return wire.Answer{Dir: info.IsDir()}
}

// list lists a directory. What a symbolic link is, is what it leads to; one
// that leads nowhere or outside is a file, which is refused when it is read.
func (a *answers) list(files fs.FS, name string) wire.Answer {
	entries, err := fs.ReadDir(files, name)
	if err != nil {
		return wire.Answer{Refusal: a.refusal(files, name, err)}
	}
	if a.entries += len(entries); a.entries > wire.MaxEntries {
		return wire.Answer{Refusal: wire.LargeRead}
	}
	answer := wire.Answer{Entries: make([]wire.Entry, len(entries))}
	for i, e := range entries {
		answer.Entries[i] = wire.Entry{Name: e.Name(), Dir: e.IsDir()}
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(files, path.Join(name, e.Name()))
			answer.Entries[i].Link, answer.Entries[i].Dir = true, err == nil && info.IsDir()
		}
	}
	return answer
}

func (a *answers) content(files fs.FS, name string) wire.Answer {
	info, err := fs.Stat(files, name)
	switch {
	case err != nil:
		return wire.Answer{Refusal: a.refusal(files, name, err)}
	case !info.Mode().IsRegular(): // to open a pipe would block
		return wire.Answer{Refusal: wire.Irregular}
	case info.Size() > wire.MaxFile:
		return wire.Answer{Refusal: wire.LargeFile}
	case a.read+info.Size() > wire.MaxRead:
		return wire.Answer{Refusal: wire.LargeRead}
	}
	data, err := readAtMost(files, name, wire.MaxFile+1)
	a.read += int64(len(data))
	switch {
	case err != nil:
		return wire.Answer{Refusal: a.refusal(files, name, err)}
	case len(data) > wire.MaxFile:
		return wire.Answer{Refusal: wire.LargeFile}
	case a.read > wire.MaxRead:
		return wire.Answer{Refusal: wire.LargeRead}
	}
	return wire.Answer{Data: data}
}

func readAtMost(files fs.FS, name string, size int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, size))
}

// refusal tells what an error of files means. A path that goes through a
// symbolic link and fails is taken to lead outside, unless nothing is there.
func (a *answers) refusal(files fs.FS, name string, err error) wire.Refusal {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wire.Missing
	case throughLink(files, name):
		return wire.Outside
	case errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR):
		return wire.Irregular
	}
	a.failure = err
	return wire.Unreadable
}

func throughLink(files fs.FS, name string) bool {
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if info, err := fs.Lstat(files, name[:i]); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// fetch fetches what lies elsewhere, once for each URL.
func (a *answers) fetch(ctx context.Context, url string) wire.Answer {
	for i, m := range a.mounts {
		if m.url == url {
			return wire.Answer{Dir: true, Mount: mountPath(i)}
		}
	}
	if a.remote == nil {
		return wire.Answer{Refusal: wire.Forbidden}
	}
	files, err := a.remote(ctx, url)
	if err != nil {
		a.failure = err
		return wire.Answer{Refusal: wire.Unfetched}
	}
	a.mounts = append(a.mounts, mount{url, files})
	return wire.Answer{Dir: true, Mount: mountPath(len(a.mounts) - 1)}
}

func mountPath(i int) string { return wire.RemotePrefix + strconv.Itoa(i) }

// name is how a path is told to users: what was fetched from elsewhere, by its
// URL without credentials.
func (a *answers) name(file string) string {
	rest, ok := strings.CutPrefix(file, wire.RemotePrefix)
	if a == nil || !ok {
		return file
	}
	number, rest, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(a.mounts) {
		return file
	}
	return strings.TrimSuffix(withoutUser(a.mounts[i].url)+"//"+rest, "//")
}

// withoutUser takes credentials out of a URL, also of one that is none.
func withoutUser(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		u.User, u.RawQuery = nil, ""
		return u.String()
	}
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		raw = raw[at+1:]
	}
	raw, _, _ = strings.Cut(raw, "?")
	return clip(raw)
}
