package vaulttest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"fuin.dev/controller/vaulttest"
)

func TestProxyIsANetworkThatFails(t *testing.T) {
	s := vaulttest.Shared(t)
	p := vaulttest.NewProxy(t, s.Addresses[0])
	config := s.Client().CloneConfig()
	config.Address = p.Address
	transport := &http.Transport{TLSClientConfig: config.TLSConfig(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	config.HttpClient = &http.Client{Transport: transport}
	c, err := api.NewClient(config)
	ok(t, err)
	ask := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := c.Sys().SealStatusWithContext(ctx)
		return err
	}
	ok(t, ask(10*time.Second))
	p.Delay(time.Hour)
	if err := ask(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an answer is there before its time: %v", err)
	}
	asked := make(chan error, 1)
	go func() { asked <- ask(30 * time.Second) }()
	p.Delay(0) // releases what is held, too
	ok(t, <-asked)

	p.To("")
	before := p.Accepted()
	if err := ask(10 * time.Second); err == nil {
		t.Error("somebody answers")
	}
	p.To(s.Addresses[0])
	ok(t, ask(10*time.Second))
	if p.Accepted() <= before {
		t.Error("an old connection was used")
	}
}
