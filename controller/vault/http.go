package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"github.com/hashicorp/vault/api"
)

// maxAnswer bounds what Vault may answer, in bytes. Its own bound for what it
// stores is the same.
const maxAnswer = 1 << 20

// errLarge is that an answer has more.
var errLarge = errors.New("the answer is too large")

// newClient makes a client of Vault that does what is told and no more: one
// request for each call, to this address, with these headers; no redirect is
// followed, no answer read beyond maxAnswer.
func newClient(spec v1alpha1.VaultConnectionSpec) (*api.Client, *http.Transport, error) {
	transport, err := newTransport(spec)
	if err != nil {
		return nil, nil, err
	}
	c, err := api.NewClient(&api.Config{
		Address: spec.Address, DisableRedirects: true, MaxRetries: 0,
		CheckRetry: func(context.Context, *http.Response, error) (bool, error) { return false, nil },
		HttpClient: &http.Client{
			Transport:     &guard{transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	if err != nil {
		return nil, nil, err
	}
	c.ClearToken()
	c.ClearNamespace()
	return c, transport, nil
}

func newTransport(spec v1alpha1.VaultConnectionSpec) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = parallel
	t.MaxResponseHeaderBytes = 64 << 10
	t.IdleConnTimeout = 2 * time.Minute
	t.TLSClientConfig = &tls.Config{ServerName: spec.TLSServerName, MinVersion: tls.VersionTLS12}
	if len(spec.CABundle) > 0 {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(spec.CABundle) {
			return nil, errors.New("spec.caBundle holds no certificate in PEM")
		}
	}
	return t, nil
}

// headers are all that a request may have.
var headers = []string{"Accept", "Content-Type", "User-Agent", api.AuthHeaderName, api.NamespaceHeaderName, api.RequestHeaderName}

// guard lets through what the resolver means to send, whatever the library adds,
// and bounds what comes back.
type guard struct{ next http.RoundTripper }

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	bare := req.Clone(req.Context())
	bare.Header = http.Header{}
	for _, name := range headers {
		if value := req.Header.Get(name); value != "" {
			bare.Header.Set(name, value)
		}
	}
	resp, err := g.next.RoundTrip(bare)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

// bounded reads so much, and fails if there is more.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > b.left {
		return b.left, errLarge
	}
	b.left -= n
	return n, err
}
