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
