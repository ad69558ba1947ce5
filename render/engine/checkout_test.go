package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"fuin.dev/render/engine"
	"fuin.dev/render/wire"
)

// checkout answers what an engine asks about files, as the parent would, and
// keeps what it sends.
type checkout struct {
	files   fs.FS
	answers []wire.Answer
	objects []wire.Object
	notes   []wire.Note
	done    *wire.Done
}

func (c *checkout) Send(s wire.Step) error {
	if s.Ask != nil {
		for _, name := range s.Ask.Paths {
			c.answers = append(c.answers, c.answer(s.Ask.Op, name))
		}
	}
	c.objects = append(c.objects, s.Objects...)
	c.notes = append(c.notes, s.Notes...)
	c.done = s.Done
	return nil
}

func (c *checkout) Receive() (wire.Answer, error) {
	next := c.answers[0]
	c.answers = c.answers[1:]
	return next, nil
}

func (c *checkout) answer(op wire.Op, name string) wire.Answer {
	info, err := fs.Stat(c.files, name)
	switch {
	case err != nil:
		return wire.Answer{Refusal: wire.Missing}
	case op == wire.OpStat:
		return wire.Answer{Dir: info.IsDir()}
	case info.IsDir() != (op == wire.OpReadDir):
		return wire.Answer{Refusal: wire.Irregular}
	case op == wire.OpRead:
		data, err := fs.ReadFile(c.files, name)
		if err != nil {
			return wire.Answer{Refusal: wire.Unreadable}
		}
		return wire.Answer{Data: data}
	}
	entries, err := fs.ReadDir(c.files, name)
	if err != nil {
		return wire.Answer{Refusal: wire.Unreadable}
	}
	var answer wire.Answer
	for _, e := range entries {
		answer.Entries = append(answer.Entries, wire.Entry{Name: e.Name(), Dir: e.IsDir()})
	}
	return answer
}

// rendered is what came of a directory.
type rendered struct {
	*checkout
}

func renderDirectory(t testing.TB, files fs.FS, d wire.Directory) rendered {
	t.Helper()
	c := &checkout{files: files}
	if err := engine.Directory(d, c); err != nil {
		t.Fatal(err)
	}
	if c.done == nil {
		t.Fatal("it never ends")
	}
	return rendered{c}
}

// mustRender fails the test if the directory has a fault.
func mustRender(t testing.TB, files fs.FS, d wire.Directory) rendered {
	t.Helper()
	r := renderDirectory(t, files, d)
	if f := r.done.Fault; f != nil {
		t.Fatalf("%s:%d %s (%s; %s)", f.File, f.Line, f.Message, f.Cause, f.Hint)
	}
	return r
}

// says is all that leaves the sandbox for people.
func (r rendered) says() string {
	said, err := json.Marshal([]any{r.notes, r.done})
	if err != nil {
		panic(err)
	}
	return string(said)
}

// canonical is the JSON of each object with its fields in order.
func (r rendered) canonical(t testing.TB) []string {
	t.Helper()
	all := make([]string, len(r.objects))
	for i, o := range r.objects {
		all[i] = canonicalJSON(t, o.Content)
	}
	return all
}

func canonicalJSON(t testing.TB, data []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// repository is one of testdata/repos.
func repository(t testing.TB, name string) fs.FS {
	t.Helper()
	dir := "../../testdata/repos/" + name
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing", dir)
	}
	return os.DirFS(dir)
}

// names lists the objects as KIND/NAME.
func (r rendered) names(t testing.TB) string {
	t.Helper()
	var all []string
	for _, o := range r.objects {
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := json.NewDecoder(bytes.NewReader(o.Content)).Decode(&head); err != nil {
			t.Fatal(err)
		}
		all = append(all, head.Kind+"/"+head.Metadata.Name)
	}
	return strings.Join(all, " ")
}
