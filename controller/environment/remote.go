package environment

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"regexp"
	"strings"

	"fuin.dev/controller/source"
)

// remote fetches a kustomize base from another repository, where
// spec.allowRemote lets it: over HTTPS or SSH, as nobody. It is kept until the
// pass ends.
func (p *pass) remote(ctx context.Context, name string) (fs.FS, error) {
	git, err := remoteOf(name)
	if err != nil {
		return nil, err
	}
	checkout, err := p.Source.Fetch(ctx, git)
	if git.Ref.Branch != "" && source.ReasonOf(err) == source.RefNotFound {
		git.Ref = source.Ref{Tag: git.Ref.Branch}
		checkout, err = p.Source.Fetch(ctx, git)
	}
	if err != nil {
		return nil, err
	}
	p.remotes = append(p.remotes, checkout)
	return checkout.Files, nil
}

var (
	errRemote = errors.New("only repositories can be fetched, as https://HOST/PATH or ssh://git@HOST/PATH")
	scpForm   = regexp.MustCompile(`^([A-Za-z0-9_.-]+@)?([A-Za-z0-9.-]+):([^/].*)$`)
	wholeHash = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// remoteOf reads a repository as kustomize writes it: a URL, HOST/PATH, or
// USER@HOST:PATH, with ?ref= behind it.
func remoteOf(name string) (git source.Git, err error) {
	switch m := scpForm.FindStringSubmatch(name); {
	case m != nil:
		name = "ssh://" + m[1] + m[2] + "/" + m[3]
	case !strings.Contains(name, "://"):
		name = "https://" + name
	}
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "https" && u.Scheme != "ssh" && u.Scheme != "http" {
		return git, errRemote
	}
	ref := u.Query().Get("ref")
	if ref == "" {
		ref = u.Query().Get("version")
	}
	u.RawQuery = ""
	git.URL = u.String()
	if wholeHash.MatchString(ref) {
		git.Ref.Commit = ref
	} else {
		git.Ref.Branch = ref
	}
	return git, nil
}

// releaseAll lets go of what the pass read.
func (p *pass) releaseAll() {
	if p.checkout != nil {
		p.checkout.Release()
	}
	for _, c := range p.remotes {
		c.Release()
	}
}
