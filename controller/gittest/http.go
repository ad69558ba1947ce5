package gittest

import (
	"crypto/subtle"
	"io"
	"log"
	"net/http"
	"net/http/cgi" //nolint:gosec // what it warns of is long mended
	"os"
	"strings"
)

// ServeHTTP answers as a forge does: it checks who asks, and leaves the rest
// to Git.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	repo := s.find(name)
	switch {
	case repo == nil:
		http.NotFound(w, r)
		return
	case !repo.admits(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="gittest"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/info/refs") {
		repo.listings.Add(1)
	} else {
		repo.fetches.Add(1)
	}
	handler := &cgi.Handler{
		Path: s.backend, Root: "/", Dir: s.dir, Stderr: io.Discard, Logger: log.New(io.Discard, "", 0), // clients leave
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + s.dir,
			"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		},
	}
	handler.ServeHTTP(w, r)
}

// Access is what opens a repository over HTTP: a user name and a password, or
// a bearer token.
type Access struct {
	Username, Password string
	Token              string
}

// Allow closes the repository over HTTP to everybody else. It replaces what was
// allowed before; with nothing, nobody is let in.
func (r *Repo) Allow(access ...Access) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.access, r.closed = access, true
}

func (r *Repo) admits(request *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		return true
	}
	for _, a := range r.access {
		user, password, _ := request.BasicAuth()
		if a.Token != "" && equal(request.Header.Get("Authorization"), "Bearer "+a.Token) ||
			a.Token == "" && equal(user, a.Username) && equal(password, a.Password) {
			return true
		}
	}
	return false
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
