package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestWatchOfHostileServers: what an API server may not say ends a watch, and
// takes no memory.
func TestWatchOfHostileServers(t *testing.T) {
	for name, row := range map[string]struct {
		says    string
		again   int // times
		events  int
		failure string
	}{
		"events":      {`{"type": "ADDED", "object": {"metadata": {"name": "a"}}}`, 3, 3, ""},
		"nothing":     {"", 0, 0, ""},
		"no events":   {"[]", 1, 0, "cannot unmarshal"},
		"half a line": {`{"type": "ADDED", "obj`, 1, 0, "unexpected EOF"},
		"too old":     {`{"type": "ERROR", "object": {"code": 410}}`, 1, 0, "expired"},
		"no end":      {strings.Repeat("[", 1<<20), 20, 0, "exceeded max depth"},
		"a long text": {`{"type": "` + strings.Repeat("x", 1<<20), 20, 0, "an event of the watch is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for i := range row.again {
					text := row.says
					if name == "a long text" && i > 0 {
						text = strings.Repeat("x", 1<<20)
					}
					fmt.Fprint(w, text)
				}
			}))
			defer server.Close()
			base, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			c := &cluster{base: base, client: server.Client()}
			n := 0
			err = c.watch(t.Context(), query{path: []string{"api"}}, "1", func(watchEvent) error { n++; return nil })
			if n != row.events || (err == nil) != (row.failure == "") || err != nil && !strings.Contains(err.Error(), row.failure) {
				t.Errorf("%d events, %v; want %d, %q", n, err, row.events, row.failure)
			}
		})
	}
}

// TestListThatGoesStale begins anew, but not for ever.
func TestListThatGoesStale(t *testing.T) {
	for _, stale := range []int{0, 2, 9} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch asked++; {
			case r.FormValue("continue") == "":
				fmt.Fprint(w, `{"metadata": {"continue": "more"}, "items": [{"id": "a"}]}`)
			case asked <= 2*stale:
				w.WriteHeader(http.StatusGone)
			default:
				fmt.Fprint(w, `{"metadata": {"resourceVersion": "7"}, "items": [{"id": "b"}]}`)
			}
		}))
		base, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		c := &cluster{base: base, client: server.Client()}
		all, version, err := listAll[inventoryEntry](t.Context(), c, query{path: []string{"api"}, limit: 1})
		server.Close()
		if stale < listTries {
			if err != nil || version != "7" || len(all) != 2 {
				t.Errorf("stale %d times: %v, version %q, %v", stale, all, version, err)
			}
		} else if !errors.Is(err, errExpired) || asked != 2*listTries {
			t.Errorf("always stale: %v after %d requests", err, asked)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Now()
	for past, want := range map[time.Duration]string{
		-time.Hour: "0s", time.Second: "1s", 119 * time.Second: "119s", 3 * time.Minute: "3m", 3 * time.Hour: "3h", 400 * 24 * time.Hour: "400d",
	} {
		at := now.Add(-past)
		if got := (&table{now: now}).ago(&at); got != want {
			t.Errorf("%s ago is %q, want %q", past, got, want)
		}
	}
}

// TestBusyServer: a busy API server is asked again, some times.
func TestBusyServer(t *testing.T) {
	for busy, ok := range map[int]bool{2: true, 99: false} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked <= busy {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			fmt.Fprint(w, `{}`)
		}))
		base, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{}
		err = (&cluster{base: base, client: server.Client()}).read(t.Context(), query{path: []string{"api"}}, &answer)
		server.Close()
		if (err == nil) != ok || !ok && asked != busyTries {
			t.Errorf("busy %d times: %v after %d requests", busy, err, asked)
		}
	}
}
