// Package server is the controller's HTTP side: the endpoints that kubeseal
// and fuin use, under the paths of Sealed Secrets.
//
// The API server's service proxy strips identities, so everybody is anonymous
// here. What costs something is bounded: bodies, documents, time, connections
// and how many values are opened at once. Nothing is rendered, and no answer
// holds content.
package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
)

// Bounds of the endpoints.
const (
	maxBody        = 2 << 20 // bytes of one request
	maxObjects     = 100     // SealedSecrets in one request
	maxConnections = 64
	maxTrials      = 200 // private-key operations in vain, of one request
	opening        = 2   // requests that open values at the same time
	timeout        = 30 * time.Second
)

// Config is what the server needs of the controller. All fields but Hook are required.
type Config struct {
	Addr     string                                  // to listen on
	Public   func() (certificate, recipients string) // what seals now, as text
	Opener   Opener
	Sealing  func() []*keys.Recipient    // what seals now
	Ready    func(context.Context) error // waits until there are keys to serve
	Hook     Hook                        // nil: there are no Environments
	Registry prometheus.Registerer       // for the request metrics
	Log      *slog.Logger
}

// An Opener returns what opens the values of one request, without templates,
// and what to call when that is done.
type Opener func(ctx context.Context) (o seal.Opener, leave func())

// Server serves the endpoints; it is a manager.Runnable.
type Server struct {
	cfg   Config
	slots chan struct{} // one for each request that opens values
}

// New makes a server; it does not listen yet.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, slots: make(chan struct{}, opening)}
}

// NeedLeaderElection tells the manager that every replica serves.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until ctx ends.
func (s *Server) Start(ctx context.Context) error {
	if s.cfg.Ready(ctx) != nil {
		return nil // it ended before
	}
	listener, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: s.handler(), ReadTimeout: timeout, ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout: 2 * timeout, IdleTimeout: timeout, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(netutil.LimitListener(listener, maxConnections)) }()
	s.cfg.Log.Info("serving", "address", listener.Addr().String())
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		_ = srv.Close() // what is left was told to end and did not
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	m := newMetrics(s.cfg.Registry)
	mux.HandleFunc("GET /healthz", Healthz)
	mux.Handle("GET /v1/cert.pem", m.count("/v1/cert.pem", s.certificate))
	mux.Handle("GET /v1/recipients", m.count("/v1/recipients", s.recipients))
	mux.Handle("POST /v1/verify", m.count("/v1/verify", s.verify))
	mux.Handle("POST /v1/rotate", m.count("/v1/rotate", s.rotate))
	if s.cfg.Hook != nil {
		mux.Handle("POST /v1/hook/{namespace}/{name}", m.count("/v1/hook", s.hook))
	}
	return mux
}

// Healthz answers that the process serves.
func Healthz(w http.ResponseWriter, _ *http.Request) { text(w, "text/plain; charset=utf-8", "ok\n") }

func (s *Server) certificate(w http.ResponseWriter, _ *http.Request) {
	certificate, _ := s.cfg.Public()
	if certificate == "" {
		http.Error(w, "no certificate: the ring has no active RSA key", http.StatusInternalServerError)
		return
	}
	text(w, "application/x-pem-file", certificate)
}

func (s *Server) recipients(w http.ResponseWriter, _ *http.Request) {
	_, recipients := s.cfg.Public()
	text(w, "text/plain; charset=utf-8", recipients)
}

func text(w http.ResponseWriter, kind, body string) {
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, body) //nolint:gosec // keys or ciphertext, of a type that no browser renders; an error means that the client went away
}

// body reads a request whole, or answers that it is too large.
func body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		return data, true
	}
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		http.Error(w, "the body is larger than 2 MiB", http.StatusRequestEntityTooLarge)
	} else {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
	}
	return nil, false
}

// slot waits for a place among the requests that open values.
func (s *Server) slot(w http.ResponseWriter, r *http.Request) (free func(), ok bool) {
	bounded, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, true
	case <-bounded.Done():
		http.Error(w, "busy: try again later", http.StatusTooManyRequests)
		return nil, false
	}
}

// admit reads a request that opens values and gives it a slot, or answers why
// not. What was read from a stranger costs, too.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (ctx context.Context, data []byte, done func(), ok bool) {
	data, ok = body(w, r)
	if !ok {
		return nil, nil, nil, false
	}
	free, ok := s.slot(w, r)
	if !ok {
		return nil, nil, nil, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	return ctx, data, func() { cancel(); free() }, true
}
