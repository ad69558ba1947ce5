package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

const (
	infoRefs      = "/info/refs"
	uploadPack    = "git-upload-pack"
	maxRedirects  = 5
	maxTransports = 64
	agent         = "git/2 fuin" // forges tell clients of Git by the beginning
)

// transports are HTTP clients, one for each set of authorities. They keep
// connections, not credentials.
type transports struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]*http.Transport
}

func (t *transports) take(authorities []byte) (*http.Transport, error) {
	key := sha256.Sum256(authorities)
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.by[key]; known != nil {
		return known, nil
	}
	made, err := newTransport(authorities)
	if err != nil {
		return nil, err
	}
	if t.by == nil || len(t.by) >= maxTransports {
		t.closeAll()
		t.by = map[[sha256.Size]byte]*http.Transport{}
	}
	t.by[key] = made
	return made, nil
}

func newTransport(authorities []byte) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 4
	t.MaxResponseHeaderBytes = 64 << 10
	t.IdleConnTimeout = 2 * time.Minute
	t.DisableCompression = true // a pack is packed, and what is not is small
	if len(authorities) == 0 {
		return t, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, fail(InvalidCredentials, "put certificates in PEM there", "caFile of the secret holds no certificate")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// closeAll ends what is idle. The caller holds the lock, or is the last.
func (t *transports) closeAll() {
	for _, transport := range t.by {
		transport.CloseIdleConnections()
	}
}

// overHTTP is a remote.
type overHTTP struct {
	target *target
	base   *url.URL        // of the repository, where redirects ended
	bare   bool            // that is another host: credentials stay here
	via    *http.Transport // which follows nothing by itself
}

func (s *Store) overHTTP(t *target) (*overHTTP, error) {
	transport, err := s.transports.take(t.Auth.CAFile)
	if err != nil {
		return nil, err
	}
	base := *t.url
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/"), strings.TrimSuffix(base.RawPath, "/")
	return &overHTTP{target: t, base: &base, via: transport}, nil
}

func (o *overHTTP) host() string { return o.target.url.Host }

func (o *overHTTP) Close() error { return nil }

func (o *overHTTP) list(ctx context.Context) (*packp.AdvRefs, error) {
	response, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != "application/x-"+uploadPack+"-advertisement" {
		return nil, fail(RepositoryNotFound, "check the url", "%s does not answer as a Git server does", o.host())
	}
	refs, err := readRefs(response.Body, o.host())
	if err != nil {
		return nil, network(ctx, o.host(), err)
	}
	return refs, nil
}

// discover asks for the references, and follows where it is sent.
func (o *overHTTP) discover(ctx context.Context) (*http.Response, error) {
	for range maxRedirects {
		response, err := o.do(ctx, http.MethodGet, infoRefs+"?service="+uploadPack, nil)
		if err != nil {
			return nil, err
		}
		if response.StatusCode == http.StatusOK {
			return response, nil
		}
		discard(response)
		if response.StatusCode < 300 || response.StatusCode > 399 {
			return nil, o.status(response.StatusCode)
		}
		if err := o.follow(response.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
	return nil, fail(RedirectRefused, "check the url", "%s redirects too often", o.host())
}

// follow moves to where a redirect leads. Credentials go along only to the
// same host, by the same scheme or a better one.
func (o *overHTTP) follow(location string) error {
	to, err := o.base.Parse(location)
	if len(location) > maxURL || err != nil || to.Host == "" || to.User != nil || to.Scheme != "http" && to.Scheme != "https" {
		return fail(RedirectRefused, "check the url", "%s redirects to what is no url of a repository", o.host())
	}
	path, found := strings.CutSuffix(to.Path, infoRefs)
	if !found {
		return fail(RedirectRefused, "check the url, and whether it wants credentials", "%s redirects to what is no repository, such as a page to sign in", o.host())
	}
	if o.base.Scheme == "https" && to.Scheme == "http" {
		return fail(RedirectRefused, "", "%s redirects from https to http", o.host())
	}
	upgraded := o.base.Scheme == "http" && to.Scheme == "https" && o.base.Hostname() == to.Hostname()
	if to.Host != o.base.Host && !upgraded {
		o.bare = true
	}
	to.Path, to.RawPath, to.RawQuery, to.Fragment = path, "", "", ""
	o.base = to
	return nil
}

func (o *overHTTP) pack(ctx context.Context, request *packp.UploadPackRequest) (io.ReadCloser, error) {
	body, err := encode(request)
	if err != nil {
		return nil, err
	}
	response, err := o.do(ctx, http.MethodPost, "/"+uploadPack, body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		discard(response)
		return nil, o.status(response.StatusCode)
	}
	pack, err := decode(response.Body, request)
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	return readCloser{pack, response.Body}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

func (o *overHTTP) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, o.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, fail(InvalidURL, "", "the url cannot be asked").because(err)
	}
	r.Header.Set("User-Agent", agent)
	if body != nil {
		r.Header.Set("Content-Type", "application/x-"+uploadPack+"-request")
		r.Header.Set("Accept", "application/x-"+uploadPack+"-result")
	}
	o.authorize(r)
	response, err := o.via.RoundTrip(r)
	if err != nil {
		return nil, network(ctx, o.host(), err)
	}
	return response, nil
}

func (o *overHTTP) authorize(r *http.Request) {
	switch auth := o.target.Auth; {
	case o.bare:
	case auth.BearerToken != "":
		r.Header.Set("Authorization", "Bearer "+auth.BearerToken)
	case auth.Username != "" || auth.Password != "":
		r.SetBasicAuth(auth.Username, auth.Password)
	}
}

// discard reads what little there is, so that the connection can be used again.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	_ = response.Body.Close()
}

func (o *overHTTP) status(code int) error {
	switch {
	case o.bare && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return fail(RedirectRefused, "write the new url, if it is trusted with the credentials", "%s redirects to another host, which wants credentials", o.host())
	case code == http.StatusUnauthorized && !o.target.Auth.forHTTP():
		return fail(AuthenticationFailed, "name a secret with username and password, or bearerToken, in secretRef", "%s wants credentials", o.host())
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return fail(AuthenticationFailed, "check that the credentials are right, not expired, and may read the repository", "%s refuses the credentials (HTTP %d)", o.host(), code)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fail(RepositoryNotFound, "check the url, and whether the credentials may read it", "%s has no such repository", o.host())
	}
	return fail(Unreachable, "", "%s answers HTTP %d", o.host(), code)
}

func (a Auth) forHTTP() bool { return a.BearerToken != "" || a.Username != "" || a.Password != "" }
