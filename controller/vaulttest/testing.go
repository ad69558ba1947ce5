package vaulttest

import (
	"context"
	"sync"
	"testing"

	"fuin.dev/controller/kubetest"
)

// shared is the Vault that the tests of one package have in common.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Shared returns the Vault of the package, whose TestMain calls kubetest.Main. The
// first caller starts it.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		if shared.server, shared.err = Start(context.Background(), Config{}); shared.err == nil {
			kubetest.AtEnd(shared.server.Stop)
		}
	}
	kubetest.Need(t, shared.err)
	return shared.server
}

// New starts a Vault for one test, which stops it at its end.
func New(t testing.TB, config Config) *Server {
	t.Helper()
	s, err := Start(context.Background(), config)
	kubetest.Need(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
