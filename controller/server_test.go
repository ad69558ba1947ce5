package controller_test

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
)

func TestEndpoints(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	if got := p.Get(p.HTTP + "/healthz"); got != "ok\n" {
		t.Errorf("/healthz says %q", got)
	}
	for path, kind := range map[string]keys.Kind{"/v1/cert.pem": keys.RSA, "/v1/recipients": keys.Hybrid} {
		rs, err := keys.ParseRecipients([]byte(p.Get(p.HTTP+path)), time.Now())
		if err != nil || len(rs) != 1 || rs[0].Kind() != kind {
			t.Errorf("%s serves %v, %v", path, rs, err)
		}
	}
	ns := s.Namespace(t)
	good := s.Seal(secret(ns, "db", "k", "v"), false)
	spoiled := s.Edit(good, func(m map[string]any) { at(m, "other", "metadata", "name") })
	for _, row := range []struct {
		name, body string
		want       int
	}{
		{"rsa", good, http.StatusOK},
		{"age", s.Seal(secret(ns, "db", "k", "v"), true), http.StatusOK},
		{"json", s.Edit(good, func(map[string]any) {}), http.StatusOK},
		{"several", good + "---\n" + s.Seal(secret(ns, "db2", "k", "v"), true), http.StatusOK},
		{"template", s.Edit(good, func(m map[string]any) {
			at(m, map[string]any{"t": "{{ fail .k }}"}, "spec", "template", "data")
		}), http.StatusOK},
		{"moved", spoiled, http.StatusConflict},
		{"one of several moved", good + "\n---\n" + spoiled, http.StatusConflict},
		{"secret", secret(ns, "db", "k", "v"), http.StatusInternalServerError},
		{"empty", "", http.StatusInternalServerError},
		{"noise", "\x00\x01{{", http.StatusInternalServerError},
		{"too many", strings.Repeat(good+"\n---\n", 101), http.StatusInternalServerError},
		{"too large", strings.Repeat("x", 5<<20), http.StatusRequestEntityTooLarge},
	} {
		if got := p.Post("/v1/verify", row.body).Status; got != row.want {
			t.Errorf("verify of %s: %d, want %d", row.name, got, row.want)
		}
	}
	if p.Metric("sealed_secrets_controller_http_requests_total") == 0 || p.Metric("sealed_secrets_controller_build_info") != 1 {
		t.Error("the metrics of the endpoints are missing")
	}
}

// Slow and idle clients are ended, and others are served meanwhile.
func TestSlowClientsDisturbNobody(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	addr := strings.TrimPrefix(p.HTTP, "http://")
	for range 50 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		s.OK(err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = c.Write([]byte("POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nslow"))
		s.OK(err)
	}
	ns := s.Namespace(t)
	sealed := s.Seal(secret(ns, "db", "k", "v"), false)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := p.Post("/v1/verify", sealed).Status; got != http.StatusOK {
				t.Errorf("verify: %d", got)
			}
		})
	}
	wg.Wait()
	s.Put(sealed)
	s.Opens(ns, "db", "k", "v")
}
