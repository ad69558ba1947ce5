package controller_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/keys"
)

// request is one of those that strangers send.
type request struct {
	name, path, body string
	want             int // status
	share            int // of a thousand
}

// requests are what kubeseal sends, and what it would not.
func (s *system) requests(ns string, ring []*keys.Identity) []request {
	good := s.sealedWith(ns, "db", ring[0])
	old := s.sealedWith(ns, "db", ring[len(ring)-1])
	moved := strings.Replace(good, `"db"`, `"elsewhere"`, 1)
	large, oversized := junk(ns, "db", 1500, 1<<20), strings.Repeat("x", 3<<20)
	const ok, conflict, failed, tooLarge = http.StatusOK, http.StatusConflict, http.StatusInternalServerError, http.StatusRequestEntityTooLarge
	return []request{
		{"good", "/v1/verify", good, ok, 320},
		{"good", "/v1/rotate", good, ok, 200},
		{"moved", "/v1/verify", moved, conflict, 5},
		{"moved", "/v1/rotate", moved, failed, 5},
		{"of the oldest key", "/v1/verify", old, ok, 5},
		{"of the oldest key", "/v1/rotate", old, ok, 5},
		{"junk of 1,500 values", "/v1/verify", large, conflict, 5},
		{"junk of 1,500 values", "/v1/rotate", large, failed, 5},
		{"oversized", "/v1/verify", oversized, tooLarge, 5},
		{"oversized", "/v1/rotate", oversized, tooLarge, 5},
		{"empty", "/v1/verify", "", failed, 90},
		{"noise", "/v1/rotate", "\x00\x01{{", failed, 90},
		{"half of one", "/v1/verify", good[:len(good)/2], failed, 90},
		{"too deep", "/v1/rotate", strings.Repeat("[", 100000), failed, 10},
		{"aliases", "/v1/verify", aliases(), failed, 10},
		{"a Secret", "/v1/rotate", secret(ns, "db", "k", "v"), failed, 150},
	}
}

// aliases is a document that is large once its aliases are followed.
func aliases() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10))
	}
	return b.String()
}

// flood sends requests with a few clients, and counts the answers.
type flood struct {
	p        *fuintest.Process
	mu       sync.Mutex
	answers  map[int]int
	client   *http.Client
	answered atomic.Int64
}

// clients send requests at the same time.
const clients = 4

// send mixes the requests by their shares and sends so many.
func (f *flood) send(t testing.TB, requests []request, n int) {
	t.Helper()
	f.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: 2 * time.Minute}
	defer f.client.CloseIdleConnections()
	var mixed []request
	for _, r := range requests {
		mixed = append(mixed, slices.Repeat([]request{r}, r.share)...)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				f.one(t, mixed[i*389%int64(len(mixed))]) // a prime: every kind comes early and late
			}
		})
	}
	wg.Wait()
}

func (f *flood) one(t testing.TB, r request) {
	status, err := f.post(t.Context(), r)
	switch {
	case err != nil && r.want == http.StatusRequestEntityTooLarge:
		status = r.want // it hung up before all was sent
	case err != nil:
		t.Errorf("%s of %s: %v", r.path, r.name, err)
	case status != r.want && status != http.StatusTooManyRequests:
		t.Errorf("%s of %s: %d, want %d", r.path, r.name, status, r.want)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[status]++
	f.answered.Add(1)
}

func (f *flood) post(ctx context.Context, r request) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.p.HTTP+r.path, strings.NewReader(r.body))
	if err != nil {
		return 0, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (f *flood) String() string {
	var b bytes.Buffer
	for _, status := range slices.Sorted(maps.Keys(f.answers)) {
		fmt.Fprintf(&b, "%d times %d, ", f.answers[status], status)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// slowly keeps connections open that send a byte now and then, until ctx ends.
func (f *flood) slowly(ctx context.Context, connections int) {
	addr := strings.TrimPrefix(f.p.HTTP, "http://")
	var wg sync.WaitGroup
	for i := range connections {
		path := []string{"/v1/verify", "/v1/rotate"}[i%2]
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = drip(ctx, addr, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
			}
		})
	}
	wg.Wait()
}

// drip sends a head and then a body byte by byte until the server hangs up.
func drip(ctx context.Context, addr, head string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.WriteString(c, head)
	for tick := time.Tick(100 * time.Millisecond); err == nil; {
		select {
		case <-tick:
			_, err = io.WriteString(c, "x")
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return err
}
