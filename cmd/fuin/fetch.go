package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	netTimeout = 5 * time.Second // of one request with its answer
	maxAnswer  = 1 << 20         // bytes
)

// bounds of a request: its time, with the answer, and the answer's size.
type bounds struct {
	timeout time.Duration
	size    int64
}

// unbounded is for an answer that is a stream.
var unbounded = bounds{}

type boundsKey struct{}

// within gives requests other bounds than netTimeout and maxAnswer.
func within(ctx context.Context, b bounds) context.Context {
	return context.WithValue(ctx, boundsKey{}, b)
}

// bounded keeps requests in their bounds. It stands below what logs in: that
// may ask a person.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	limit, ok := req.Context().Value(boundsKey{}).(bounds)
	if !ok {
		limit = bounds{netTimeout, maxAnswer}
	}
	if limit == unbounded {
		return b.next.RoundTrip(req)
	}
	ctx, cancel := context.WithTimeout(req.Context(), limit.timeout)
	defer cancel()
	resp, err := b.whole(req.WithContext(ctx), limit.size)
	if errors.Is(err, context.DeadlineExceeded) && req.Context().Err() == nil {
		return nil, fmt.Errorf("no answer within %s", limit.timeout)
	}
	return resp, err
}

// whole answers with a body that is in memory.
func (b bounded) whole(req *http.Request, size int64) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, size+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > size {
		return nil, fmt.Errorf("the answer is larger than %d MiB", size>>20)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// fetchURL gets public keys. Plain http is only for this machine: whoever
// answers decides who can open what is sealed.
func fetchURL(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, misuse("give https://HOST/PATH", "no URL")
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	client := &http.Client{Transport: bounded{http.DefaultTransport}, CheckRedirect: checkRedirect}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, misuse("give https://HOST/PATH", "no URL")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, &named{withoutQuery(address), urlError(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, unreachable("open it in a browser; it must answer with the key itself", "%s: %s", withoutQuery(address), resp.Status)
	}
	return io.ReadAll(resp.Body)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return misuse("give https://HOST/PATH, a file, or cluster", "a URL of scheme %q", u.Scheme)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return misuse("use https: over http anybody on the way can put in a key of their own", "%s: plain http", withoutQuery(u.String()))
	}
	return nil
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("too many redirects")
	}
	if req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("it redirects to another scheme")
	}
	return checkURL(req.URL)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func urlError(err error) error {
	return &fault{netReason(err), "check the address and your network, or seal with a file: --cert FILE", exitUnreachable}
}

// netReason drops what url.Error repeats, the address with its query.
func netReason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// withoutQuery is the address as messages may show it.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
