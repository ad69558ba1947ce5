package render_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fuin.dev/render"
)

// hello is the frame that a child begins with.
const hello = `printf '\000\000\000\033{"protocol":3,"landlock":0}'; `

// scripts stand in for fuin-render and fail in all ways that it should not.
var scripts = map[string]string{
	"garbage":        `echo 'panic: hunter2canary'`,
	"silent-exit":    `exit 0`,
	"other-release":  `printf '\000\000\000\016{"protocol":9}'; exec sleep 60`,
	"no-answer":      hello + `exit 0`,
	"exit-1":         hello + `read x; echo hunter2canary >&2; exit 1`,
	"garbled-answer": hello + `printf '\000\000\000\005hello'; exec sleep 60`,
	"hello-again":    hello + hello + `exec sleep 60`,
	"half-frame":     hello + `printf '\000\000\000\005he'`,
	"oversized":      hello + `printf '\377\377\377\377hunter2canary'; exec sleep 60`,
	"closed-output":  hello + `exec >&-; exec sleep 60`,
	"closed-input":   hello + `exec <&-; exec sleep 60`,
	"killed":         hello + `kill -9 $$`,
	"no-threads":     hello + `echo 'runtime: failed to create new OS thread' >&2; exit 2`,
	"invented-class": hello + `printf '\000\000\000\061{"key":"k","failure":{"class":"hunter2canary  "}}'; exec sleep 60`,
	"invented-name":  hello + `printf '\000\000\000\074{"key":"k","failure":{"class":"parse","function":"hunter2ca"}}'; exec sleep 60`,
	"crash":          hello + `yes hunter2canary | head -c 1000000 >&2; exit 2`,
	"environment":    `[ -z "$FUIN_TEST$HOME$USER$GOPATH" ] || exit 1; [ "$(pwd)" = / ] || exit 1; [ $# = 0 ] || exit 1; ` + hello + `exec sleep 60`,
}

// What the sandbox does wrong is not blamed on a template.
func TestBrokenChildren(t *testing.T) {
	for _, name := range []string{
		"garbage", "silent-exit", "other-release", "no-answer", "exit-1", "garbled-answer", "hello-again", "half-frame",
		"oversized", "closed-output", "closed-input", "killed", "no-threads", "invented-class", "invented-name",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t, render.Config{Path: filepath.Join(imposters, name)})
			_, err := pool.Templates(t.Context(), texts{"k": "{{ .pw }}"}, secret)
			var fault *render.TemplateError
			if !errors.Is(err, render.ErrUnavailable) || errors.As(err, &fault) {
				t.Errorf("got %v", err)
			}
			clean(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
			if s := pool.Stats(); s.Children != 0 {
				t.Errorf("a broken child is kept: %+v", s)
			}
		})
	}
}

// A crash may be chance once; twice it is the template's.
func TestCrashesAreTheTemplates(t *testing.T) {
	pool := open(t, render.Config{Path: filepath.Join(imposters, "crash")})
	_, err := pool.Templates(t.Context(), texts{"k": "x"}, secret)
	var fault *render.TemplateError
	if !errors.As(err, &fault) || fault.Reason != render.Died || fault.Key != "k" {
		t.Errorf("got %v", err)
	}
	clean(t, "crash", fmt.Sprint(err))
	if s := pool.Stats(); s.Started != 2 {
		t.Errorf("%+v", s)
	}
}

func TestMissingBinary(t *testing.T) {
	for _, path := range []string{"", "/nonexistent/fuin-render"} {
		pool := render.NewPool(render.Config{Path: path}) // none stands beside this test
		defer pool.Close()
		_, err := pool.Templates(t.Context(), texts{"k": "x"}, nil)
		if !errors.Is(err, render.ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "install it beside") {
			t.Errorf("path %q: %v", path, err)
		}
	}
}

func TestNothingOfOursReachesAChild(t *testing.T) {
	t.Setenv("FUIN_TEST", "x")
	pool := open(t, render.Config{Path: filepath.Join(imposters, "environment")})
	if _, err := pool.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCheckTellsOfTheConfinement(t *testing.T) {
	got, err := open(t, renderConfig).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Landlock == 0 && landlocked() || !got.Seccomp && runtime.GOOS == "linux" {
		t.Errorf("the kernel can do more than this: %+v", got)
	}
}

// landlocked reads whether this kernel has Landlock, where it can be read.
func landlocked() bool {
	modules, err := os.ReadFile("/sys/kernel/security/lsm")
	return err == nil && strings.Contains(string(modules), "landlock")
}

func TestClose(t *testing.T) {
	pool := open(t, render.Config{Size: 2, Deadline: time.Minute})
	works(t, pool)
	running := make(chan error)
	for range 3 { // one of them waits for a child
		go func() {
			_, err := pool.Templates(t.Context(), texts{"k": spin}, nil)
			running <- err
		}()
	}
	eventually(t, func() bool { s := pool.Stats(); return s.Children == 2 && s.Idle == 0 })
	pool.Close()
	for range 3 {
		if err := <-running; !errors.Is(err, render.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	if s := pool.Stats(); s.Children != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := pool.Templates(t.Context(), texts{"k": ""}, nil); !errors.Is(err, render.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	pool.Close()
}

func TestChildrenAreReused(t *testing.T) {
	pool := open(t, renderConfig)
	for range 20 {
		works(t, pool)
	}
	s := pool.Stats()
	if s.Started != 1 || s.Children != 1 || s.Idle != 1 || s.Killed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestIdleChildrenEnd(t *testing.T) {
	pool := open(t, render.Config{Deadline: 30 * time.Second, Idle: 10 * time.Millisecond})
	works(t, pool)
	eventually(t, func() bool { return pool.Stats().Children == 0 })
	works(t, pool)
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it never came to be")
		}
	}
}
