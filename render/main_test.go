package render_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fuin.dev/render"

	"go.uber.org/goleak"
)

// child is fuin-render, built once for all tests, and imposters what stands
// in its place, by name.
var (
	child     string
	imposters string
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // as in the sandbox, for what is compared with it
	if os.Getenv(orphanMaker) != "" {
		makeOrphan()
		return
	}
	dir, err := os.MkdirTemp("", "fuin-render-test")
	if err == nil {
		child, imposters = filepath.Join(dir, "fuin-render"), dir
		err = build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// build makes all binaries before the first test: one that is written while
// another is started may be busy.
func build() error {
	cmd := exec.Command("go", "build", "-o", child, "fuin.dev/cmd/fuin-render")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	for name, script := range scripts {
		body := "#!/bin/sh\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(imposters, name), []byte(body), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func open(t testing.TB, config render.Config) *render.Pool {
	t.Helper()
	if config.Path == "" {
		config.Path = child
	}
	pool := render.NewPool(config)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// works fails the test unless the pool does ordinary work.
func works(t testing.TB, pool *render.Pool) {
	t.Helper()
	got, err := pool.Templates(t.Context(), texts{"k": "{{ .a }}"}, values{"a": []byte("1")})
	if err != nil || len(got) != 1 || string(got[0].Value) != "1" {
		t.Errorf("ordinary work: %v, %v", got, err)
	}
}

type (
	texts  = map[string]string
	values = map[string][]byte
)

const orphanMaker = "FUIN_TEST_MAKE_ORPHAN"

// makeOrphan is a process of its own, which the test kills.
func makeOrphan() {
	pool := render.NewPool(render.Config{Path: os.Getenv(orphanMaker), Deadline: time.Hour})
	if _, err := pool.Check(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	_, err := pool.Templates(context.Background(), texts{"k": spin}, nil)
	fmt.Println(err)
}
