package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"fuin.dev/render/wire"
)

func frame(t *testing.T, v any) string {
	t.Helper()
	b, err := wire.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswersWithOneFrameForEachTemplate(t *testing.T) {
	var out bytes.Buffer
	req := wire.Request{
		Limits:    wire.Limits{Time: time.Minute, Memory: 1 << 30},
		Templates: &wire.Templates{Items: []wire.Template{{Key: "a", Text: []byte("1")}, {Key: "b", Text: []byte("2")}}},
	}
	if err := answer(req, pipe{out: &out}); err != nil {
		t.Fatal(err)
	}
	want := frame(t, wire.Rendered{Key: "a", Value: []byte("1")}) + frame(t, wire.Rendered{Key: "b", Value: []byte("2")})
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestServesUntilItsInputEnds(t *testing.T) {
	limits := wire.Limits{Time: time.Minute, Memory: 1 << 30}
	work := frame(t, wire.Request{Limits: limits, Templates: &wire.Templates{}})
	for name, tt := range map[string]struct {
		in string
		ok bool
	}{
		"nothing":            {"", true},
		"two requests":       {work + work, true},
		"an unknown request": {frame(t, wire.Request{Limits: limits}), false},
		"half a request":     {work[:9], false},
		"no request":         {frame(t, 7), false},
	} {
		err := requests(strings.NewReader(tt.in), &bytes.Buffer{})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
