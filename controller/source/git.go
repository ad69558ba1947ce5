package source

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"sort"
	"strings"

	"fuin.dev/controller/parts"
	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
)

// Git is a revision of a repository, and who asks for it.
type Git struct {
	// URL begins with https://, http:// or ssh://. It holds no password, and a
	// user only for SSH, where git is the default.
	URL  string
	Ref  Ref
	Auth Auth
	// Verify demands a signature; nil demands none.
	Verify *Verify
	// Submodules are fetched, too. Their URLs may be relative; those on the same
	// host are read with the same credentials, others with none.
	Submodules bool
}

// Ref is what of a repository is wanted: at most one of its fields. None is
// the branch that the server calls HEAD.
type Ref struct {
	Branch string
	Tag    string
	Semver string // a range; the highest tag in it counts
	Commit string // a whole SHA-1, in hexadecimal
}

// Auth is how somebody proves to a server who they are. The zero value is
// nobody.
type Auth struct {
	Username, Password string // for HTTP(S)
	BearerToken        string // for HTTP(S)
	CAFile             []byte // PEM; authorities trusted for HTTPS beside the system's

	Identity         []byte // a private SSH key, as ssh-keygen writes it
	IdentityPassword string // its passphrase
	KnownHosts       []byte // the server's SSH keys, as ssh-keyscan writes them
}

// The limits on what a user may write.
const (
	maxURL  = 2048
	maxName = 255
)

// target is a Git that was checked.
type target struct {
	Git
	url   *url.URL
	want  *semver.Constraints // of Ref.Semver
	depth int                 // of submodules in submodules
}

func (g Git) check() (*target, error) {
	u, err := checkURL(g.URL)
	if err != nil {
		return nil, err
	}
	t := &target{Git: g, url: u}
	if err := t.checkRef(); err != nil {
		return nil, err
	}
	if err := t.checkAuth(); err != nil {
		return nil, err
	}
	return t, nil
}

// checkURL takes a URL apart. No error repeats it: it may hold a password.
func checkURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, fail(InvalidURL, "", "the url is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || u.Opaque != "":
		return nil, fail(InvalidURL, "write https://HOST/PATH or ssh://git@HOST/PATH", "the url is not one")
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh":
		return nil, fail(InvalidURL, "write https://, http:// or ssh://", "the url's scheme %.20q is none of Git's", u.Scheme)
	case u.Hostname() == "" || strings.Trim(u.Path, "/") == "":
		return nil, fail(InvalidURL, "write https://HOST/PATH or ssh://git@HOST/PATH", "the url names no repository")
	case strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, fail(InvalidURL, "", "the url's path holds control characters")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fail(InvalidURL, "leave away what begins with ? or #", "the url has a query or a fragment")
	}
	return u, checkUser(u)
}

func checkUser(u *url.URL) error {
	if u.User == nil {
		return nil
	}
	if _, has := u.User.Password(); has || u.Scheme != "ssh" {
		return fail(InvalidURL, "put username and password into the secret", "the url of %s holds credentials", u.Hostname())
	}
	if name := u.User.Username(); name == "" || len(name) > maxName || strings.ContainsFunc(name, unprintable) {
		return fail(InvalidURL, "", "the url's user is not a name")
	}
	return nil
}

func unprintable(r rune) bool { return r <= ' ' || r >= 0x7f }

func (t *target) checkRef() error {
	set := 0
	for _, field := range []string{t.Ref.Branch, t.Ref.Tag, t.Ref.Semver, t.Ref.Commit} {
		if field != "" {
			set++
		}
	}
	switch {
	case set > 1:
		return fail(InvalidRef, "", "at most one of branch, tag, semver and commit can be asked for")
	case t.Ref.Branch != "" && !validRef("refs/heads/"+t.Ref.Branch):
		return fail(InvalidRef, "", "%.80q cannot be the name of a branch", t.Ref.Branch)
	case t.Ref.Tag != "" && !validRef("refs/tags/"+t.Ref.Tag):
		return fail(InvalidRef, "", "%.80q cannot be the name of a tag", t.Ref.Tag)
	case t.Ref.Commit != "" && !validCommit(t.Ref.Commit):
		return fail(InvalidRef, "write all 40 hexadecimal digits", "%.80q is not a whole commit", t.Ref.Commit)
	case t.Ref.Semver != "":
		return t.checkRange()
	}
	return nil
}

func (t *target) checkRange() (err error) {
	if len(t.Ref.Semver) <= maxName {
		t.want, err = semver.NewConstraint(t.Ref.Semver)
	}
	if err != nil || t.want == nil {
		return fail(InvalidRef, "write one such as 1.x or >=1.2.0 <2.0.0", "%.80q is no range of versions", t.Ref.Semver)
	}
	return nil
}

func validRef(name string) bool {
	return len(name) <= maxName && plumbing.ReferenceName(name).Validate() == nil && strings.ToValidUTF8(name, "") == name
}

func validCommit(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 40 && strings.ToLower(s) == s
}

func (t *target) checkAuth() error {
	a := t.Auth
	switch {
	case t.url.Scheme == "ssh" && len(a.Identity) == 0:
		return fail(InvalidCredentials, "put a private key into identity of the secret", "ssh://%s needs a key", t.url.Hostname())
	case t.url.Scheme == "ssh" && len(a.KnownHosts) == 0:
		return fail(HostKeyUnknown, keyscan(t.url), "nothing tells the key of %s", t.url.Hostname())
	case a.BearerToken != "" && (a.Username != "" || a.Password != "") && t.url.Scheme != "ssh":
		return fail(InvalidCredentials, "leave one of them away", "the secret has both bearerToken and username or password")
	case t.url.Scheme == "http" && a.BearerToken != "":
		return fail(InvalidCredentials, "write https://", "a bearerToken would go to %s in the clear", t.url.Hostname())
	}
	return nil
}

// digest is the name of a list of values: no two lists have the same.
func digest(list ...string) (sum [sha256.Size]byte) {
	h := sha256.New()
	parts.Write(h, list...)
	h.Sum(sum[:0])
	return sum
}

// credentials names the credentials.
func (a Auth) credentials() [sha256.Size]byte {
	return digest(a.Username, a.Password, a.BearerToken, string(a.CAFile), string(a.Identity), a.IdentityPassword, string(a.KnownHosts))
}

// key names all that an answer rests on: equal targets get equal answers.
func (t *target) key() [sha256.Size]byte {
	credentials := t.Auth.credentials()
	parts := []string{t.URL, t.Ref.Branch, t.Ref.Tag, t.Ref.Semver, t.Ref.Commit, string(credentials[:])}
	if t.Submodules {
		parts = append(parts, "submodules")
	}
	if t.Verify != nil {
		parts = append(parts, "verify", string(t.Verify.Mode))
		names := make([]string, 0, len(t.Verify.Keys))
		for name := range t.Verify.Keys {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			parts = append(parts, name, string(t.Verify.Keys[name]))
		}
	}
	return digest(parts...)
}
