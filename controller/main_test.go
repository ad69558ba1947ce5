package controller_test

import (
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
)

func TestMain(m *testing.M) { fuintest.Main(m) }

// system is a cluster with Fuin, and what tests of SealedSecrets and keys do
// there.
type system struct{ *fuintest.System }

func newSystem(t testing.TB, c *kubetest.Cluster) *system {
	t.Helper()
	return &system{fuintest.New(t, c)}
}

// shared is one cluster and one controller for the tests of behaviour.
func shared(t *testing.T) (s *system, namespace string) {
	t.Helper()
	s = newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	return s, s.Namespace(t)
}

// These stand in most lines.
var (
	secret = fuintest.SecretManifest
	at     = fuintest.At
)
