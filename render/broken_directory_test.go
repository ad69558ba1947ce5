package render_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/render"
	"fuin.dev/render/wire"
)

// says is a script that stands in for fuin-render and says some steps.
func says(then string, steps ...wire.Step) string {
	script := hello + "printf '"
	for _, s := range steps {
		frame, err := wire.Encode(s)
		if err != nil {
			panic(err)
		}
		for _, b := range frame {
			script += fmt.Sprintf(`\%03o`, b)
		}
	}
	return script + "'; " + then
}

func rawObject(content string) wire.Object { return wire.Object{Content: json.RawMessage(content)} }

func faulty(f wire.Fault) wire.Step { return wire.Step{Done: &wire.Done{Kind: "Plain", Fault: &f}} }

// liars say what fuin-render never does.
var liars = map[string][]wire.Step{
	"d-nothing":       {{}},
	"d-cause":         {faulty(wire.Fault{Cause: canary, Message: "x"})},
	"d-lines":         {faulty(wire.Fault{Cause: wire.Malformed, Message: "a\n" + canary})},
	"d-long":          {faulty(wire.Fault{Cause: wire.Malformed, Message: strings.Repeat(canary, 100)})},
	"d-hint":          {faulty(wire.Fault{Cause: wire.Malformed, Hint: "\x1b[31m" + canary})},
	"d-path":          {faulty(wire.Fault{Cause: wire.Malformed, File: "../" + canary})},
	"d-note":          {{Notes: []wire.Note{{Message: canary + "\n"}}}},
	"d-note-path":     {{Notes: []wire.Note{{File: "/" + canary}}}},
	"d-many-paths":    {{Ask: &wire.Ask{Op: wire.OpStat, Paths: make([]string, wire.MaxBatch+1)}}},
	"d-object-path":   {{Objects: []wire.Object{{Content: json.RawMessage(`{}`), File: "../x"}}}},
	"d-object-line":   {{Objects: []wire.Object{{Content: json.RawMessage(`{}`), Line: -1}}}},
	"d-too-many-done": {{Done: &wire.Done{Kind: "Plain"}}, {Done: &wire.Done{Kind: "Plain"}}},
	"d-no-object":     {{Objects: []wire.Object{rawObject(`7`)}}, {Done: &wire.Done{Kind: "Plain"}}},
	"d-deep": {{Objects: []wire.Object{rawObject(`{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`)}},
		{Done: &wire.Done{Kind: "Plain"}}},
}

// curious asks for what is not in the checkout, and keeps the answers.
const curious = "d-curious"

func init() {
	for name, steps := range liars {
		scripts[name] = says("exec sleep 60", steps...)
	}
	scripts[curious] = says(`exec cat >"$0.answers"`, wire.Step{Ask: &wire.Ask{Op: wire.OpRead, Paths: []string{
		"../../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "link", "link/passwd", ".fuin-remote/0/etc/passwd", ".fuin-remote/-1/x", "a.yaml",
	}}}, wire.Step{Ask: &wire.Ask{Op: wire.OpRemote, Paths: []string{"https://example.com"}}})
}

// What the child says is believed as far as it can be seen to be true.
func TestLyingChildren(t *testing.T) {
	for name := range liars {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t, render.Config{Path: filepath.Join(imposters, name)})
			set, err := pool.Directory(t.Context(), render.Directory{Files: checkout(nil), Path: "."})
			var fault *render.DirectoryError
			switch name {
			case "d-too-many-done": // the child is gone by then
				if err != nil || len(set.Objects) != 0 {
					t.Errorf("got %v, %v", set, err)
				}
			case "d-no-object", "d-deep", "d-object-path", "d-object-line":
				if !errors.As(err, &fault) {
					t.Errorf("got %v", err)
				}
			default:
				if !errors.Is(err, render.ErrUnavailable) || errors.As(err, &fault) {
					t.Errorf("got %v", err)
				}
			}
			clean(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
			if s := pool.Stats(); s.Children != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestChildrenOfTemplatesThatBreakAtDirectories(t *testing.T) {
	for _, name := range []string{"garbage", "no-answer", "exit-1", "garbled-answer", "hello-again", "half-frame", "oversized", "closed-input", "killed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t, render.Config{Path: filepath.Join(imposters, name)})
			_, err := pool.Directory(t.Context(), render.Directory{Files: checkout(nil), Path: "."})
			var fault *render.DirectoryError
			if !errors.Is(err, render.ErrUnavailable) || errors.As(err, &fault) {
				t.Errorf("got %v", err)
			}
			clean(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
		})
	}
	_, err := open(t, render.Config{Path: filepath.Join(imposters, "crash")}).Directory(t.Context(), render.Directory{Files: checkout(nil), Path: "."})
	refused(t, err, render.EngineFailed, ".: ended the sandbox", "")
}

// A child that was taken over learns nothing but what is in the checkout.
func TestCuriousChildren(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "in the checkout"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	path := filepath.Join(imposters, curious)
	pool := open(t, render.Config{Path: path, DirectoryDeadline: 10 * time.Second})
	if _, err := pool.Directory(t.Context(), render.Directory{Files: root.FS(), Path: "."}); err == nil {
		t.Fatal("no error")
	}
	answers, err := os.Open(path + ".answers")
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	if err := wire.Read(answers, &wire.Request{}); err != nil {
		t.Fatal(err)
	}
	var got []wire.Refusal
	for {
		var a wire.Answer
		if wire.Read(answers, &a) != nil {
			break
		}
		got = append(got, a.Refusal)
		if len(a.Data) > 0 && string(a.Data) != "in the checkout" {
			t.Errorf("it learned %q", a.Data)
		}
	}
	want := []wire.Refusal{wire.Outside, wire.Outside, wire.Outside, wire.Outside, wire.Outside, wire.Missing, wire.Missing, "", wire.Forbidden}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
