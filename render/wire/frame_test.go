package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"fuin.dev/render/wire"

	"github.com/google/go-cmp/cmp"
)

func frame(payload string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) + payload
}

func TestRoundTrip(t *testing.T) {
	sent := wire.Request{
		Limits: wire.Limits{Time: 1, Memory: 2},
		Templates: &wire.Templates{
			Items:  []wire.Template{{Key: "a<b>", Text: []byte("{{ . }}\x00\xff")}},
			Inputs: []wire.Input{{Key: "pw", Value: []byte("\xff\x00 ")}},
		},
	}
	var stream bytes.Buffer
	for range 2 {
		if err := wire.Write(&stream, sent); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		var got wire.Request
		if err := wire.Read(&stream, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Error(diff)
		}
	}
	if err := wire.Read(&stream, &wire.Request{}); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		stream string
		want   error
	}{
		"half a header":   {"\x00\x00", io.ErrUnexpectedEOF},
		"half a payload":  {frame(`{"protocol":1}`)[:10], io.ErrUnexpectedEOF},
		"no payload":      {frame("xx")[:4], io.ErrUnexpectedEOF},
		"an empty frame":  {frame(""), wire.ErrMalformed},
		"no JSON":         {frame("hello"), wire.ErrMalformed},
		"another type":    {frame(`{"protocol":"canary"}`), wire.ErrMalformed},
		"two values":      {frame(`{} {}`), wire.ErrMalformed},
		"too large":       {"\x01\x00\x00\x01{}", wire.ErrTooLarge},
		"far too large":   {"\xff\xff\xff\xff", wire.ErrTooLarge},
		"text, not frame": {"panic: canary", wire.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			err := wire.Read(strings.NewReader(tt.stream), &wire.Hello{})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	var out bytes.Buffer
	err := wire.Write(&out, wire.Input{Value: make([]byte, wire.MaxFrame)})
	if !errors.Is(err, wire.ErrTooLarge) || out.Len() > 0 {
		t.Errorf("got %v and %d bytes", err, out.Len())
	}
}

// FuzzRead: whatever arrives, reading it ends without a panic, and what can
// be read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, payload := range []string{
		`{"protocol":1,"landlock":7}`,
		`{"limits":{"time":1},"templates":{"items":[{"key":"a","text":"e30="}],"inputs":[]}}`,
		`{"key":"a","failure":{"class":"parse","line":3,"function":"x"}}`,
		`{"limits":{},"directory":{"path":".","kind":"Helm","helm":{"valuesFiles":["a"],"values":"e30="},"jsonnet":{}}}`,
		`{"ask":{"op":"read","paths":["a","b"]}}`, `{"objects":[{"content":{"a":[1]},"file":"a","line":1,"origin":{"movedBy":["k"]}}]}`,
		`{"notes":[{"message":"x"}]}`, `{"done":{"kind":"Plain","fault":{"cause":"Malformed","line":2}}}`,
		`{"refusal":"missing"}`, `{"entries":[{"name":"a","dir":true,"link":true}],"data":"e30=","mount":"m"}`,
		``, `[]`, `"`,
	} {
		f.Add([]byte(frame(payload)))
	}
	f.Add([]byte("\x00\x00\x10\x00{"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		check[wire.Hello](t, stream)
		check[wire.Request](t, stream)
		check[wire.Rendered](t, stream)
		check[wire.Step](t, stream)
		check[wire.Answer](t, stream)
	})
}

func check[M any](t *testing.T, stream []byte) {
	var first, second M
	if wire.Read(bytes.NewReader(stream), &first) != nil {
		return
	}
	var again bytes.Buffer
	if err := wire.Write(&again, first); err != nil {
		t.Fatal(err)
	}
	if err := wire.Read(&again, &second); err != nil {
		t.Fatal(err)
	}
	canonical, _ := wire.Encode(first)
	if got, _ := wire.Encode(second); !bytes.Equal(got, canonical) {
		t.Errorf("%s became %s", canonical, got)
	}
}
