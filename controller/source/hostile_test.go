package source_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"fuin.dev/controller/source"
)

func TestURLs(t *testing.T) {
	store := newStore(t, source.Config{})
	for _, url := range []string{
		"", "x", "/etc", "file:///etc", "git://h/r", "ext::sh -c id", "ftp://h/r", "https:///r", "https://h", "https://h/", "ssh://h",
		"https://bot:hunter2@h/r", "https://token-hunter2@h/r", "ssh://git:hunter2@h/r", "https://h/r?token=hunter2", "https://h/r#x",
		"git@h:r.git", "https://h/%00", "https://h/a%0ab", "https:h/r", "https://h/" + strings.Repeat("x", 3000), "https://%zz/hunter2",
	} {
		_, err := store.Fetch(t.Context(), source.Git{URL: url})
		if source.ReasonOf(err) != source.InvalidURL || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.60q: got %v", url, err)
		}
		if e, _ := errors.AsType[*source.Error](err); e == nil || !e.Permanent() {
			t.Errorf("%.60q: trying again would help?", url)
		}
	}
}

func TestRefsThatCannotBe(t *testing.T) {
	store := newStore(t, source.Config{})
	for _, ref := range []source.Ref{
		{Branch: "a..b"}, {Branch: "-x"}, {Branch: "a b"}, {Branch: "a\nb"}, {Branch: "a~1"}, {Branch: "a:b"}, {Branch: "/a"}, {Branch: "a/"},
		{Branch: "a.lock"}, {Branch: "@{u}"}, {Branch: "a\xff"}, {Branch: strings.Repeat("x", 300)}, {Tag: "v1 "}, {Tag: "*"},
		{Semver: "what"}, {Semver: strings.Repeat("1 ", 300)}, {Commit: "main"}, {Commit: "abc"}, {Commit: strings.Repeat("AB", 20)},
		{Branch: "main", Tag: "v1"}, {Commit: strings.Repeat("ab", 20), Semver: "1.x"},
	} {
		_, err := store.Fetch(t.Context(), source.Git{URL: "http://127.0.0.1:1/r", Ref: ref})
		if source.ReasonOf(err) != source.InvalidRef {
			t.Errorf("%+v: got %v", ref, err)
		}
	}
}

// What a server lists is not trusted: odd names are passed over, and what is
// no list is no repository. Nothing of it is repeated.
func TestHostileLists(t *testing.T) {
	p := newPacker()
	good := served(p, p.object(blobEntry, []byte("x")))
	commit := good.refs[4:44]
	listing := func(head, rest string) hostile {
		return hostile{line("%s %s", commit, head) + rest + "0000", good.pack}
	}
	for name, row := range map[string]struct {
		h        hostile
		ref      source.Ref
		reason   source.Reason
		revision string
	}{
		"odd default branch":  {listing("HEAD\x00shallow symref=HEAD:refs/heads/\x1b[31mred\n", ""), source.Ref{}, source.RepositoryEmpty, ""},
		"odd, and others":     {listing("HEAD\x00shallow symref=HEAD:refs/heads/\x1b[31mred\n", line("%s refs/heads/\x1b[31mred\n", commit)+line("%s refs/heads/x\n", commit)), source.Ref{}, "", "HEAD@sha1:" + commit},
		"odd tags":            {listing("refs/tags/v1.0.0\x00shallow\n", line("%s refs/tags/v9.0.0-\x1b\n", commit)+line("%s refs/tags/v8.0.0\x01\n", commit)), source.Ref{Semver: "*"}, "", "v1.0.0@sha1:" + commit},
		"default that is not": {listing("refs/heads/x\x00shallow symref=HEAD:refs/heads/main\n", ""), source.Ref{}, source.RefNotFound, ""},
		"sha-256":             {listing("HEAD\x00shallow object-format=sha256\n", ""), source.Ref{}, source.Unsupported, ""},
		"an error":            {hostile{refs: line("ERR access denied: hunter2\n")}, source.Ref{}, source.AuthenticationFailed, ""},
		"another error":       {hostile{refs: line("ERR no such repository hunter2\n")}, source.Ref{}, source.RepositoryNotFound, ""},
		"what is this":        {hostile{refs: "<html>hunter2"}, source.Ref{}, source.RepositoryNotFound, ""},
		"nothing":             {hostile{}, source.Ref{}, source.RepositoryNotFound, ""},
		"cut off":             {hostile{refs: line("%s HEAD\x00shallow\n", commit)}, source.Ref{}, source.RepositoryNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(row.h)
			defer server.Close()
			c, err := newStore(t, source.Config{}).Fetch(t.Context(), source.Git{URL: server.URL + "/r", Ref: row.ref})
			if err == nil {
				defer c.Release()
				if c.Revision != row.revision {
					t.Errorf("got %q", c.Revision)
				}
				return
			}
			if source.ReasonOf(err) != row.reason || strings.ContainsAny(err.Error(), "\x1b\x01") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %s: %q", source.ReasonOf(err), err)
			}
		})
	}
}

// An endless list is given up.
func TestEndlessList(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		hash := strings.Repeat("ab", 20)
		_, _ = io.WriteString(w, line("# service=git-upload-pack\n")+"0000"+line("%s HEAD\x00shallow\n", hash))
		for i := 0; ; i++ {
			if _, err := io.WriteString(w, line("%s refs/heads/%s%d\n", hash, repeat(200), i)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	_, err := newStore(t, source.Config{}).Fetch(t.Context(), source.Git{URL: server.URL + "/r"})
	if source.ReasonOf(err) != source.TooLarge {
		t.Errorf("got %v", err)
	}
}

func TestRedirects(t *testing.T) {
	w := newWorld(t, source.Config{})
	tip := w.write(map[string]string{"a": "1"})
	var seen atomic.Value // the Authorization that the other host was shown
	seen.Store("")
	spy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			seen.Store(a)
		}
		w.server.ServeHTTP(rw, r)
	}))
	defer spy.Close()
	auth := source.Auth{Username: "bot", Password: "hunter2"}
	to := ""
	from := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		target := to
		if strings.HasPrefix(to, "/") && strings.HasPrefix(r.URL.Path, to) {
			w.server.ServeHTTP(rw, r)
			return
		}
		if r.Method == http.MethodGet && !strings.Contains(to, "login") {
			target += "/info/refs?service=git-upload-pack"
		}
		http.Redirect(rw, r, target, http.StatusMovedPermanently)
	}))
	defer from.Close()
	fetch := func(target string) (*source.Checkout, error) {
		to = target
		return newStore(t, source.Config{}).Fetch(t.Context(), source.Git{URL: from.URL + "/old.git", Auth: auth})
	}

	c, err := fetch(spy.URL + "/team/app.git") // another host: followed, without credentials
	w.ok(err)
	if c.Revision != "main@sha1:"+tip || seen.Load() != "" {
		t.Errorf("got %s; the other host was shown %q", c.Revision, seen.Load())
	}
	c, err = fetch("/team/app.git") // the same host
	w.ok(err)
	if c.Revision != "main@sha1:"+tip {
		t.Errorf("got %s", c.Revision)
	}
	for _, target := range []string{from.URL + "/again.git", "file:///etc", "ssh://h/r", "http://u:hunter2@h/r", spy.URL + "/login", "http://%zz"} {
		_, err := fetch(target)
		if source.ReasonOf(err) != source.RedirectRefused || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", target, err)
		}
	}
}

func TestRedirectFromHTTPS(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	server := httptest.NewTLSServer(http.RedirectHandler(w.repo.URL()+"/info/refs?service=git-upload-pack", http.StatusFound))
	defer server.Close()
	ca := pemOf(server.Certificate().Raw)
	w.refused(source.Git{URL: server.URL + "/r", Auth: source.Auth{CAFile: ca}}, source.RedirectRefused)
}

func TestAnswers(t *testing.T) {
	for code, reason := range map[int]source.Reason{
		401: source.AuthenticationFailed, 403: source.AuthenticationFailed, 404: source.RepositoryNotFound,
		429: source.Unreachable, 500: source.Unreachable, 503: source.Unreachable, 204: source.Unreachable,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			if code != 204 {
				fmt.Fprint(w, "you said ", r.Header.Get("Authorization"))
			}
		}))
		_, err := newStore(t, source.Config{}).Fetch(t.Context(), source.Git{URL: server.URL + "/r", Auth: source.Auth{Username: "bot", Password: "hunter2"}})
		server.Close()
		if source.ReasonOf(err) != reason || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "Ym90") {
			t.Errorf("%d: got %v", code, err)
		}
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer page.Close()
	if _, err := newStore(t, source.Config{}).Fetch(t.Context(), source.Git{URL: page.URL + "/r"}); source.ReasonOf(err) != source.RepositoryNotFound {
		t.Errorf("got %v", err)
	}
}
