package engine

import (
	"path"
	"path/filepath"
	"strings"

	"fuin.dev/render/wire"
)

// fetch mounts what a resource names elsewhere and returns its path relative to
// k.
func (r *reader) fetch(k *kustomization, named string) (string, error) {
	if !r.remote {
		return "", k.refuseRemote(named)
	}
	target, err := r.fetchFile(named)
	if target == "" && err == nil {
		repository, below := splitURL(named)
		var mount string
		mount, err = r.mount(repository)
		target = path.Join(mount, below)
		if !strings.HasPrefix(target+"/", mount+"/") {
			return "", k.blame(wire.OutsideRefused, named, "names %s, whose path is not in its repository", withoutUser(named))
		}
	}
	if err != nil {
		f := faultOf(err, "kustomize", k.file)
		return "", k.blame(f.cause, named, "names %s, which %s", withoutUser(named), f.message).advise(f.hint)
	}
	local, err := filepath.Rel("/"+k.dir, "/"+target)
	return filepath.ToSlash(local), err
}

// fetchFile mounts a single file; "" if the URL is not one of a file.
func (r *reader) fetchFile(url string) (string, error) {
	location, _, _ := strings.Cut(url, "?")
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return "", nil
	}
	switch path.Ext(location) {
	case ".yaml", ".yml", ".json":
	default:
		return "", nil
	}
	mount, err := r.mount(url)
	return path.Join(mount, path.Base(location)), err
}

func (r *reader) mount(url string) (string, error) {
	c, ok := r.files.(*checkout)
	if !ok {
		return "", blame(wire.RemoteRefused, "", 0, "lies elsewhere, and is not fetched")
	}
	return c.mount(url)
}

// splitURL splits what a resource names into the URL of a repository, with the
// query that tells the revision, and a path in it, as kustomize does: by _git/,
// by //, by .git, or behind the two elements that GitHub has.
func splitURL(named string) (repository, below string) {
	location, query, ok := strings.Cut(strings.TrimPrefix(named, "git::"), "?")
	if ok {
		query = "?" + query
	}
	start := hostEnd(location)
	host, rest := location[:start], location[start:]
	if i := strings.Index(rest, "_git/"); i >= 0 {
		repo, below, _ := strings.Cut(rest[i+len("_git/"):], "/")
		return host + rest[:i] + "_git/" + repo + query, below
	}
	if repo, below, ok := strings.Cut(rest, "//"); ok {
		return host + repo + query, below
	}
	if repo, below, ok := strings.Cut(rest, ".git"); ok {
		return host + repo + ".git" + query, strings.TrimPrefix(below, "/")
	}
	elements := strings.SplitN(rest, "/", 3)
	if len(elements) == 3 {
		below = elements[2]
	}
	return host + strings.Join(elements[:min(2, len(elements))], "/") + query, below
}

// hostEnd is where the path begins, behind the host and its separator.
func hostEnd(location string) int {
	start := 0
	if i := strings.Index(location, "://"); i >= 0 {
		start = i + len("://")
	} else if at := strings.Index(location, "@"); at >= 0 {
		if i := strings.IndexAny(location[at:], ":/"); i >= 0 {
			return at + i + 1
		}
	}
	if i := strings.IndexAny(location[start:], "/"); i >= 0 {
		return start + i + 1
	}
	return len(location)
}
