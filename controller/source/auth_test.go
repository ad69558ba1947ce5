package source_test

import (
	"testing"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
)

func TestCredentials(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	w.repo.Allow(gittest.Access{Username: "bot", Password: "hunter2"}, gittest.Access{Token: "tok-123"})
	with := func(a source.Auth) source.Git {
		a.CAFile = w.server.CA
		return source.Git{URL: w.repo.HTTPS(), Auth: a}
	}
	w.fetch(with(source.Auth{Username: "bot", Password: "hunter2"}))
	w.fetch(with(source.Auth{BearerToken: "tok-123"}))
	w.refused(with(source.Auth{Username: "bot", Password: "wrong-pw"}), source.AuthenticationFailed, "wrong-pw", "bot")
	w.refused(with(source.Auth{BearerToken: "bad-token"}), source.AuthenticationFailed, "bad-token")
	w.refused(with(source.Auth{}), source.AuthenticationFailed)
	w.refused(source.Git{URL: w.repo.HTTPS(), Auth: source.Auth{Username: "bot", Password: "hunter2"}}, source.CertificateUntrusted, "hunter2")
	w.refused(with(source.Auth{BearerToken: "x", Username: "y"}), source.InvalidCredentials)
	w.refused(source.Git{URL: w.repo.URL(), Auth: source.Auth{BearerToken: "tok-123"}}, source.InvalidCredentials, "tok-123")
}

// Who may not read a repository gets nothing of it, though it is cached and he
// knows the commit.
func TestCacheIsServedToReadersOnly(t *testing.T) {
	w := newWorld(t, source.Config{})
	first := w.write(map[string]string{"a": "1"})
	tip := w.write(map[string]string{"a": "2"})
	w.repo.Allow(gittest.Access{Username: "bot", Password: "hunter2"})
	good := source.Auth{Username: "bot", Password: "hunter2"}
	for _, commit := range []string{first, tip} {
		w.fetch(source.Git{URL: w.repo.URL(), Ref: source.Ref{Commit: commit}, Auth: good})
	}
	for _, auth := range []source.Auth{{}, {Username: "bot", Password: "guess"}} {
		for _, ref := range []source.Ref{{}, {Branch: "main"}, {Commit: first}, {Commit: tip}} {
			w.refused(source.Git{URL: w.repo.URL(), Ref: ref, Auth: auth}, source.AuthenticationFailed)
		}
	}
}

// A commit that is on no branch any more stays with whoever pinned it, and is
// not for others, though they may read the repository and know its name.
func TestCommitThatNoBranchHas(t *testing.T) {
	w := newWorld(t, source.Config{})
	w.write(map[string]string{"a": "1"})
	secret := w.commit(gittest.Commit{Branch: "secret", Files: map[string]string{"a": "2"}})
	w.repo.Allow(gittest.Access{Username: "one", Password: "1"}, gittest.Access{Username: "two", Password: "2"}, gittest.Access{Username: "three", Password: "3"})
	by := func(name, password string, ref source.Ref) source.Git {
		return source.Git{URL: w.repo.URL(), Ref: ref, Auth: source.Auth{Username: name, Password: password}}
	}
	pinned := source.Ref{Commit: secret}
	w.fetch(by("one", "1", pinned))
	w.fetch(by("three", "3", source.Ref{Branch: "secret"}))
	w.ok(w.repo.Reset(t.Context(), "secret", ""))
	w.refused(by("two", "2", pinned), source.RefNotFound)
	w.refused(by("three", "3", source.Ref{Branch: "secret"}), source.RefNotFound)
	if c := w.fetch(by("one", "1", pinned)); w.read(c, "a") != "2" {
		t.Error("a pinned commit is lost")
	}
	w.refused(by("two", "2", pinned), source.RefNotFound)
}
