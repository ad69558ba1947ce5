package gittest

import (
	"context"
	"os"
	"testing"
)

// New starts a server for one test, which stops it at its end. Without git on
// this machine the test is skipped, or fails where CI=true is set.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Start(context.Background(), Config{})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("%v: install git", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// New makes an empty repository for one test.
func (s *Server) New(t testing.TB, name string) *Repo {
	t.Helper()
	r, err := s.Repo(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
