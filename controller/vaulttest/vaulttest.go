// Package vaulttest runs a real Vault for tests, benchmarks and demonstrations: the
// program of testdata/vault, one core or several in one process, with KV, transit,
// PKI and database engines, and log-ins by jwt, kubernetes, approle, cert and token.
//
//	func TestMain(m *testing.M) { kubetest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		v := vaulttest.Shared(t)
//		err := v.KV(t.Context(), "apps", 2)
//
// Tests that share one keep out of each other's way by the names of their mounts;
// one that seals or stops it takes New. Without the program a test is skipped, or
// fails where CI=true is set, as with kubetest.
package vaulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/vault/api"

	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/port"
)

// Config changes what Start runs. The zero value suits most tests.
type Config struct {
	Cores int // 1 if zero; all but one are standbys, which forward to it
}

// Server is a running Vault. Its methods may be called concurrently.
type Server struct {
	// The process can be stopped, which is a crash, and started again, then
	// unsealed: storage, keys and ports stay.
	Process *kubetest.Process

	Dir       string   // holds all that the server writes
	Addresses []string // of each core, as https://127.0.0.1:PORT
	CA        []byte   // the PEM certificate that vouches for all addresses
	RootToken string   // what Client uses

	unsealKey string
	clients   []*api.Client // root's, one for each core
	stop      func() error
}

// Start runs a Vault until Stop is called or ctx is done, and returns when it is
// unsealed and active: less than a second. The error is kubetest.ErrNotBuilt where
// the program is missing.
func Start(ctx context.Context, config Config) (*Server, error) {
	bin, err := kubetest.Locate("vault")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vaulttest-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir}
	s.stop = sync.OnceValue(s.shutDown)
	if err := s.start(ctx, filepath.Join(bin, "vault"), max(config.Cores, 1)); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a Vault: %w", err), s.stop())
	}
	context.AfterFunc(ctx, func() { _ = s.stop() })
	return s, nil
}

func (s *Server) start(ctx context.Context, program string, cores int) error {
	args := []string{"-dir", s.Dir}
	for range cores {
		free, err := port.Free()
		if err != nil {
			return err
		}
		address := net.JoinHostPort("127.0.0.1", free)
		args = append(args, address)
		s.Addresses = append(s.Addresses, "https://"+address)
	}
	s.Process = &kubetest.Process{Path: program, Args: args, Log: s.path("vault.log"), Ready: s.ready}
	return s.Process.Start(ctx)
}

// ready tells whether every core answers, by itself or through the active one.
func (s *Server) ready(ctx context.Context) error {
	if s.clients == nil {
		if err := s.acquaint(); err != nil {
			return err
		}
	}
	for _, c := range s.clients {
		if _, err := c.Auth().Token().LookupSelfWithContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// acquaint reads what the server wrote when it was initialized.
func (s *Server) acquaint() error {
	var err error
	if s.CA, err = os.ReadFile(s.path("vault.crt")); err != nil {
		return err
	}
	data, err := os.ReadFile(s.path("keys.json"))
	if err != nil {
		return err
	}
	var keys struct {
		RootToken string `json:"root_token"`
		UnsealKey string `json:"unseal_key"`
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	s.RootToken, s.unsealKey = keys.RootToken, keys.UnsealKey
	clients := make([]*api.Client, len(s.Addresses))
	for i := range clients {
		if clients[i], err = s.connect(s.Addresses[i], s.RootToken); err != nil {
			return err
		}
	}
	s.clients = clients
	return nil
}

// Stop ends the server and removes its files. Calling it again does nothing.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutDown() error {
	var err error
	if s.Process != nil {
		err = s.Process.Stop()
	}
	for _, c := range s.clients {
		c.CloneConfig().HttpClient.CloseIdleConnections()
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

// path names a file in the server's directory.
func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }
