package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	pageTimeout = 30 * time.Second // of one page of a list
	maxPage     = 32 << 20         // bytes
	maxListed   = 100_000          // objects of one list
	listTries   = 3                // a list begins anew if it went stale on the way
	busyTries   = 5                // of a request, while the server is busy
	busyWait    = 5 * time.Second  // between them, at the most
)

// errExpired is wrapped when the rest of a list, or what a watch begins with,
// is too old to be had.
var errExpired = errors.New("expired")

// A query is what is asked of a path of the API server.
type query struct {
	path   []string
	values url.Values
	accept string // default: JSON
	limit  int    // objects a page of a list
	verb   string // the right that it takes; default: get
}

// read decodes the answer to a query.
func (c *cluster) read(ctx context.Context, q query, into any) error {
	resp, err := c.request(within(ctx, bounds{pageTimeout, maxPage}), q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return &named{c.String(), c.unreachable(err)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return unreachable(hintNewer, "%s: /%s: its answer is not understood", c, strings.Join(q.path, "/"))
	}
	return nil
}

// request does a query whose answer's body the caller closes. Where the API
// server is busy it waits as it is told, some times.
func (c *cluster) request(ctx context.Context, q query) (*http.Response, error) {
	address := c.base.JoinPath(q.path...)
	address.RawQuery = q.values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", cmp.Or(q.accept, "application/json"))
	for try := 1; ; try++ {
		resp, err := c.client.Do(req)
		if err != nil {
			return nil, &named{c.String(), c.silent(err)}
		}
		if resp.StatusCode == http.StatusOK {
			return resp, nil
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests || try == busyTries || !retryAfter(ctx, resp.Header) {
			return nil, c.answered(resp, q, strings.TrimPrefix(address.Path, c.base.Path))
		}
	}
}

// answered is the error that another answer than the wanted one means.
func (c *cluster) answered(resp *http.Response, q query, what string) error {
	if resp.StatusCode == http.StatusGone {
		return fmt.Errorf("%s: %s: %w", c, what, errExpired)
	}
	return c.refusal(resp, cmp.Or(q.verb, "get"), what)
}

// retryAfter waits as long as a busy server asks for, but not long.
func retryAfter(ctx context.Context, header http.Header) bool {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		seconds = 1
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(min(time.Duration(seconds)*time.Second, busyWait)):
		return true
	}
}

// silent is unreachable for verbs that need a cluster.
func (c *cluster) silent(err error) error {
	return &fault{netReason(err), "is it the right context, and its network up?", exitUnreachable}
}

// listAll reads all pages of a list, and as of which version they are.
func listAll[T any](ctx context.Context, c *cluster, q query) ([]T, string, error) {
	for try := 1; ; try++ {
		all, version, err := listOnce[T](ctx, c, q)
		if try == listTries || !errors.Is(err, errExpired) {
			return all, version, err
		}
	}
}

func listOnce[T any](ctx context.Context, c *cluster, q query) ([]T, string, error) {
	all := []T{}
	values := url.Values{"limit": {strconv.Itoa(q.limit)}}
	for name, value := range q.values {
		values[name] = value
	}
	q.values, q.verb = values, "list"
	for {
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []T `json:"items"`
		}
		if err := c.read(ctx, q, &page); err != nil {
			return nil, "", err
		}
		all = append(all, page.Items...)
		if page.Metadata.Continue == "" {
			return all, page.Metadata.ResourceVersion, nil
		}
		if len(all) > maxListed {
			return nil, "", fail("look at one namespace: -n NAMESPACE", "%s: more than %d objects in /%s", c, maxListed, strings.Join(q.path, "/"))
		}
		values.Set("continue", page.Metadata.Continue)
	}
}
