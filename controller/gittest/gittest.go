// Package gittest runs a real Git server for tests, benchmarks and
// demonstrations: git http-backend over HTTP and HTTPS, and git upload-pack
// over SSH, all on loopback.
//
//	server := gittest.New(t)
//	repo := server.New(t, "app")
//	hash, err := repo.Commit(ctx, gittest.Commit{Files: map[string]string{"a.yaml": "…"}})
//	url := repo.URL()
//
// Outside of tests, [Start] and [Server.Repo] do the same. A repository is open to
// everybody over HTTP until [Repo.Allow], and over SSH to whoever has Identity. The server can be
// stopped and started again; its repositories and ports stay.
package gittest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"fuin.dev/controller/port"
)

// Config changes what Start runs. The zero value suits most tests.
type Config struct {
	// Dir holds the repositories. Default: a temporary one, removed by Stop.
	Dir string
}

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	// CA is the authority of the HTTPS server, as PEM.
	CA []byte
	// Identity is a private SSH key that may read all repositories.
	Identity []byte
	// KnownHosts is the line that vouches for the SSH server.
	KnownHosts []byte

	dir       string
	temporary bool
	backend   string // the CGI program
	keys      *keys

	mu        sync.Mutex
	repos     map[string]*Repo
	running   *running
	addresses [3]string // of HTTP, HTTPS and SSH; set by the first start
}

// running is what Pause ends.
type running struct {
	http      [2]*http.Server
	listeners [3]net.Listener
	ctx       context.Context
	cancel    context.CancelFunc
	work      sync.WaitGroup
}

// Start runs a server until Stop is called or ctx is done.
func Start(ctx context.Context, config Config) (*Server, error) {
	s := &Server{dir: config.Dir, repos: map[string]*Repo{}}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("starting a Git server: %w", err)
	}
	if err := s.Resume(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	context.AfterFunc(ctx, func() { _ = s.Stop() })
	return s, nil
}

func (s *Server) prepare(ctx context.Context) error {
	path, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return err
	}
	s.backend = filepath.Join(string(path[:len(path)-1]), "git-http-backend")
	if _, err := os.Stat(s.backend); err != nil {
		return err
	}
	if s.dir == "" {
		s.temporary = true
		if s.dir, err = os.MkdirTemp("", "gittest-"); err != nil {
			return err
		}
	}
	s.keys, err = newKeys()
	if err != nil {
		return err
	}
	s.CA, s.Identity = s.keys.ca, s.keys.identity
	return nil
}

// Resume starts a server again that Pause stopped, on the same ports.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{ctx: ctx, cancel: cancel}
	if err := s.listen(r); err != nil {
		r.stop()
		return err
	}
	for i := range r.http {
		r.http[i] = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		listener := r.listeners[i]
		if i == 1 {
			listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{s.keys.tls}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
		}
		r.work.Go(func() { _ = r.http[i].Serve(listener) })
	}
	r.work.Go(func() { s.serveSSH(r) })
	s.KnownHosts = s.keys.knownHosts(s.addresses[2])
	s.running = r
	return nil
}

func (s *Server) listen(r *running) (err error) {
	for i, address := range s.addresses {
		if address == "" {
			free, err := port.Free()
			if err != nil {
				return err
			}
			address = net.JoinHostPort("127.0.0.1", free)
		}
		if r.listeners[i], err = net.Listen("tcp", address); err != nil {
			return err
		}
		s.addresses[i] = r.listeners[i].Addr().String()
	}
	return nil
}

// Pause stops the server as an outage does: connections break.
func (s *Server) Pause() {
	s.mu.Lock()
	r := s.running
	s.running = nil
	s.mu.Unlock()
	if r != nil {
		r.stop()
	}
}

func (r *running) stop() {
	r.cancel()
	for _, server := range r.http {
		if server != nil {
			_ = server.Close()
		}
	}
	for _, listener := range r.listeners {
		if listener != nil {
			_ = listener.Close()
		}
	}
	r.work.Wait()
}

// Stop ends the server and removes its files. Calling it again does nothing.
func (s *Server) Stop() error {
	s.Pause()
	if s.temporary {
		return os.RemoveAll(s.dir)
	}
	return nil
}
