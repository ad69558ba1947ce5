package source_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

func (w *world) ssh() source.Git {
	return source.Git{URL: w.repo.SSH(), Auth: source.Auth{Identity: w.server.Identity, KnownHosts: w.server.KnownHosts}}
}

func TestSSH(t *testing.T) {
	w := newWorld(t, source.Config{})
	first := w.write(map[string]string{"a": "1"})
	tip := w.write(map[string]string{"a": "2", "b": "3"})
	if c := w.fetch(w.ssh()); c.Revision != "main@sha1:"+tip || w.read(c, "b") != "3" {
		t.Errorf("got %s", c.Revision)
	}
	newer := w.write(map[string]string{"a": "4"})
	if c := w.fetch(w.ssh()); c.Revision != "main@sha1:"+newer || w.read(c, "a") != "4" || w.read(c, "b") != "3" {
		t.Errorf("got %s", c.Revision)
	}
	w.fetch(w.ssh())
	if w.repo.Fetches() != 2 || w.repo.Listings() != 3 {
		t.Errorf("%d fetches in %d listings, want 2 in 3", w.repo.Fetches(), w.repo.Listings())
	}
	g := w.ssh()
	g.Ref.Commit = first // which the server does not hand out by its name
	if c := w.fetch(g); c.Revision != "sha1:"+first || w.read(c, "a") != "1" {
		t.Errorf("got %s", c.Revision)
	}
	fetches := w.repo.Fetches()
	w.fetch(g)
	if w.repo.Fetches() != fetches {
		t.Error("a commit that was found once is transferred again")
	}
	g.Ref.Commit = strings.Repeat("ab", 20)
	w.refused(g, source.RefNotFound)
	fetches = w.repo.Fetches()
	w.refused(g, source.RefNotFound)
	if w.repo.Fetches() != fetches {
		t.Error("a history that was searched once is transferred again")
	}
	w.write(map[string]string{"a": "5"})
	w.refused(g, source.RefNotFound)
}

func TestSSHRefusals(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	other, public, err := gittest.NewIdentity()
	w.ok(err)
	for _, row := range []struct {
		name   string
		change func(*source.Git)
		reason source.Reason
		hint   string
	}{
		{"no known hosts", func(g *source.Git) { g.Auth.KnownHosts = nil }, source.HostKeyUnknown, "ssh-keyscan -p "},
		{"another host's", func(g *source.Git) { g.Auth.KnownHosts = []byte("example.com ssh-ed25519 " + keyText(public)) }, source.HostKeyUnknown, "ssh-keyscan -p "},
		{"another key", func(g *source.Git) {
			host, _, _ := strings.Cut(string(w.server.KnownHosts), " ")
			g.Auth.KnownHosts = []byte(host + " ssh-ed25519 " + keyText(public))
		}, source.HostKeyMismatch, "compare the server's fingerprint"},
		{"no line", func(g *source.Git) { g.Auth.KnownHosts = []byte("what is this\n") }, source.InvalidCredentials, "ssh-keyscan"},
		{"no identity", func(g *source.Git) { g.Auth.Identity = nil }, source.InvalidCredentials, "identity"},
		{"no key", func(g *source.Git) { g.Auth.Identity = []byte("sesame") }, source.InvalidCredentials, "ssh-keygen"},
		{"a key without rights", func(g *source.Git) { g.Auth.Identity = other }, source.AuthenticationFailed, "deploy keys"},
		{"no repository", func(g *source.Git) { g.URL = strings.Replace(g.URL, "app", "nothing", 1) }, source.RepositoryNotFound, "check the url"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := w.ssh()
			row.change(&g)
			if err := w.refusal(g, row.reason, "sesame"); !strings.Contains(err.Error(), row.hint) {
				t.Errorf("%q has no %q", err, row.hint)
			}
		})
	}
}

// A server that accepts a connection and says nothing costs no more than the
// time limit, whatever it is asked in.
func TestSilentServers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := newWorld(t, source.Config{Timeout: 300 * time.Millisecond})
	for _, scheme := range []string{"ssh", "http", "https"} {
		g := w.ssh()
		g.URL = scheme + "://" + l.Addr().String() + "/app.git"
		w.refused(g, source.Timeout)
	}
	w.store = newStore(t, source.Config{})
	w.refused(source.Git{URL: "http://127.0.0.1:1/app.git"}, source.Unreachable)
}
