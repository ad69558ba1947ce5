package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"
)

const (
	watchTime = time.Minute // of one watch; then what it shows is read anew
	maxEvent  = 8 << 20     // bytes
)

// A watchEvent is one line of a watch.
type watchEvent struct {
	Type   string          `json:"type"` // ADDED, MODIFIED, DELETED, BOOKMARK or ERROR
	Object json.RawMessage `json:"object"`
}

// watch calls each with every change after a version, until the server ends
// the stream (nil), what comes is no stream, or each fails.
func (c *cluster) watch(ctx context.Context, q query, version string, each func(watchEvent) error) error {
	values := url.Values{
		"watch": {"1"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"},
		"timeoutSeconds": {strconv.Itoa(int(watchTime.Seconds()))},
	}
	for name, value := range q.values {
		values[name] = value
	}
	q.values, q.verb = values, "watch"
	resp, err := c.request(within(ctx, unbounded), q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := &rationed{from: resp.Body}
	decoder := json.NewDecoder(lines)
	for {
		var event watchEvent
		lines.left = maxEvent
		if err := decoder.Decode(&event); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return &named{c.String(), c.silent(err)}
		}
		if event.Type == "ERROR" {
			return fmt.Errorf("%s: the watch: %w", c, errExpired)
		}
		if err := each(event); err != nil {
			return err
		}
	}
}

// rationed fails where more is read than is left.
type rationed struct {
	from io.Reader
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errors.New("an event of the watch is too large")
	}
	n, err := r.from.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
