package vault_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/vault"
)

// proxy stands before a Vault, notes what it is sent, and can answer in its place.
type proxy struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	instead  http.HandlerFunc // nil: Vault answers
	at       string           // what the paths end in that it answers
}

func (s *system) proxy() *proxy {
	s.t.Helper()
	target, err := url.Parse(s.Vault.Addresses[0])
	s.ok(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.Vault.CA)
	via := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	onward := httputil.NewSingleHostReverseProxy(target)
	onward.Transport, onward.ErrorLog = via, log.New(io.Discard, "", 0)
	p := &proxy{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instead := p.note(r); instead != nil {
			instead(w, r)
			return
		}
		r.Header.Del("X-Vault-Namespace") // which this Vault does not have
		onward.ServeHTTP(w, r)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	s.t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
		via.CloseIdleConnections()
	})
	return p
}

func (p *proxy) note(r *http.Request) http.HandlerFunc {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.Clone(r.Context()))
	if !strings.HasSuffix(r.URL.Path, p.at) {
		return nil
	}
	return p.instead
}

// answer has something else answer than Vault; nil is Vault again.
func (p *proxy) answer(instead http.HandlerFunc) { p.answerAt("", instead) }

// answerAt does so for paths with an end.
func (p *proxy) answerAt(at string, instead http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.instead = at, instead
}

func (p *proxy) noted() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*http.Request(nil), p.requests...)
}

func (p *proxy) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
}

// before makes a connection that goes through the proxy.
func (s *system) through(p *proxy, change func(*spec)) string {
	return s.connect(func(spec *spec) {
		spec.Address, spec.CABundle = p.URL, p.ca()
		if change != nil {
			change(spec)
		}
	})
}

// hang answers nothing until the client leaves or release is closed.
func hang(release <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
}

// say answers everything alike.
func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestTheVaultNamespaceIsSent(t *testing.T) {
	s := newSystem(t)
	p := s.proxy()
	s.through(p, func(spec *spec) { spec.Namespace = "team/a" })
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	if len(p.noted()) < 3 {
		t.Fatalf("%d requests: a log-in, a mount and a secret are more", len(p.noted()))
	}
	for _, r := range p.noted() {
		if got := r.Header.Get("X-Vault-Namespace"); got != "team/a" {
			t.Errorf("%s: the header is %q", r.URL.Path, got)
		}
	}
}

func TestNoVariableOfTheEnvironmentCounts(t *testing.T) {
	s := newSystem(t)
	elsewhere := s.proxy()
	for name, value := range map[string]string{
		"VAULT_ADDR": elsewhere.URL, "VAULT_AGENT_ADDR": elsewhere.URL, "VAULT_PROXY_ADDR": elsewhere.URL, "VAULT_HTTP_PROXY": elsewhere.URL,
		"VAULT_TOKEN": "stray", "VAULT_NAMESPACE": "stray", "VAULT_WRAP_TTL": "60", "VAULT_MFA": "stray", "VAULT_HEADERS": `{"X-Stray":"1"}`,
		"VAULT_MAX_RETRIES": "9", "VAULT_SKIP_VERIFY": "true", "VAULT_CACERT": "/nowhere", "VAULT_RATE_LIMIT": "none", "VAULT_CLIENT_TIMEOUT": "never",
	} {
		t.Setenv(name, value)
	}
	s.fresh()
	p := s.proxy()
	s.through(p, nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	for _, r := range p.noted() {
		for _, name := range []string{"X-Vault-Namespace", "X-Vault-Wrap-Ttl", "X-Vault-Mfa", "X-Stray"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s: header %s is sent", r.URL.Path, name)
			}
		}
		if r.Header.Get("X-Vault-Token") == "stray" {
			t.Errorf("%s: the token of the environment is sent", r.URL.Path)
		}
	}
	if len(elsewhere.noted()) > 0 {
		t.Error("the address of the environment is asked")
	}
	// Its certificate is verified: with another authority there is no answer.
	s.fresh()
	s.connect(func(spec *spec) {
		spec.Address, spec.PathPrefixes = p.URL, []string{"apps/{namespace}/deep"}
	})
	_, err := s.resolve(ns, "apps/"+ns+"/deep/x#/k")
	_ = s.fails(vault.Unreachable, err)
}

// firstPause is the least time for which a failed Vault is not asked again.
const firstPause = 700 * time.Millisecond

// What answers in Vault's place is told from Vault, and when it is gone, reading goes
// on by itself.
func TestAnswersThatAreNotVaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect is followed") }))
	t.Cleanup(elsewhere.Close)
	tests := map[string]struct {
		instead http.HandlerFunc
		reason  string
		once    bool // it is about what was asked for only
	}{
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, vault.InvalidAnswer, false},
		"garbage":          {say(200, "<html>canary</html>"), vault.InvalidAnswer, false},
		"nothing":          {say(200, ""), vault.InvalidAnswer, false},
		"half an answer":   {say(200, `{"data":{"data":{"k":"can`), vault.InvalidAnswer, false},
		"no page":          {say(404, "<html>canary</html>"), vault.InvalidAnswer, false},
		"a page not found": {say(404, `{"message":"canary"}`), vault.InvalidAnswer, false},
		"a page forbidden": {say(403, "<html>canary</html>"), vault.InvalidAnswer, false},
		"a bad gateway":    {say(502, "<html>canary</html>"), vault.Unreachable, false},
		"a rate limit":     {say(429, `{"errors":["canary"]}`), vault.RateLimited, false},
		"an error":         {say(500, `{"errors":["canary"]}`), vault.FailedRequest, true},
		"another JSON":     {say(200, `["canary"]`), vault.InvalidAnswer, false},
		"no data":          {say(200, `{"canary":1}`), vault.InvalidAnswer, true},
		"too much":         {say(200, `{"data":{"data":{"k":"`+string(make([]byte, 2<<20))), vault.InvalidAnswer, true},
		"silence":          {hang(nil), vault.Unreachable, false},
		"a broken line":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, vault.Unreachable, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			p := s.proxy()
			conn := s.through(p, func(spec *spec) {
				if name == "silence" {
					spec.Timeout.Duration = time.Second
				}
			})
			ns := s.tenant()
			s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
			again := func() error {
				_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
				return err
			}
			s.eventually("it is logged in", func() bool { return again() == nil })
			p.answer(test.instead)
			f := s.fails(test.reason, again(), "canary", "\"k\"", "html")
			if !f.Again || f.Connection != conn {
				t.Errorf("got %+v", f)
			}
			before, failed := len(p.noted()), time.Now()
			_ = again()
			if asked := len(p.noted()) - before; !test.once && asked != 0 && time.Since(failed) < firstPause/2 {
				t.Errorf("it is asked again at once, %d times", asked)
			}
			p.answer(nil)
			s.eventually("it reads again", func() bool { return again() == nil })
			if s.well.count(conn) == 0 && !test.once {
				t.Error("it is not told that it is well again")
			}
		})
	}
}

// However many want to read from a Vault that fails, one asks it after each pause.
func TestOneProbesForAll(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	p := s.proxy()
	conn := s.through(p, nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/x", map[string]any{"k": "v"})
	s.values(ns, "apps/"+ns+"/x#/k")
	p.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	again := func() error {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/x#/k"), NotBefore: time.Now()})
		return err
	}
	_ = s.fails(vault.Unreachable, again())
	before, began := len(p.noted()), time.Now()
	ask := func() { // for as long as three pauses: 1, 2 and 4 seconds at most
		for time.Since(began) < 7*time.Second {
			if again() == nil {
				t.Error("it answers")
			}
			time.Sleep(time.Millisecond)
		}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(ask)
	}
	all.Wait()
	if asked := len(p.noted()) - before; asked < 1 || asked > 4 {
		t.Errorf("asked %d times", asked)
	}
	p.answer(nil)
	s.eventually("it reads again", func() bool { return again() == nil })
	if n := s.well.count(conn); n != 1 {
		t.Errorf("told %d times that it is well again", n)
	}
}
