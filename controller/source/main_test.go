package source_test

import (
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server, one of its repositories, and a store.
type world struct {
	t      *testing.T
	server *gittest.Server
	repo   *gittest.Repo
	store  *source.Store
}

func newWorld(t *testing.T, config source.Config) *world {
	t.Helper()
	server := gittest.New(t)
	return &world{t: t, server: server, repo: server.New(t, "team/app"), store: newStore(t, config)}
}

func newStore(t *testing.T, config source.Config) *source.Store {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	if config.Timeout == 0 {
		config.Timeout = 2 * time.Minute
	}
	store, err := source.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) commit(c gittest.Commit) string {
	w.t.Helper()
	hash, err := w.repo.Commit(w.t.Context(), c)
	w.ok(err)
	return hash
}

func (w *world) write(files map[string]string) string {
	w.t.Helper()
	return w.commit(gittest.Commit{Files: files})
}

func (w *world) git() source.Git { return source.Git{URL: w.repo.URL()} }

func (w *world) ref(ref source.Ref) source.Git { return source.Git{URL: w.repo.URL(), Ref: ref} }

func (w *world) fetch(g source.Git) *source.Checkout {
	w.t.Helper()
	c, err := w.store.Fetch(w.t.Context(), g)
	w.ok(err)
	w.t.Cleanup(c.Release)
	return c
}

// refused wants an error with a reason, and none of the words in its text.
func (w *world) refused(g source.Git, reason source.Reason, secrets ...string) {
	w.t.Helper()
	_ = w.refusal(g, reason, secrets...)
}

// refusal is refused, and returns the error.
func (w *world) refusal(g source.Git, reason source.Reason, secrets ...string) error {
	w.t.Helper()
	c, err := w.store.Fetch(w.t.Context(), g)
	if err == nil {
		c.Release()
		w.t.Fatalf("got %s, want %s", c.Revision, reason)
	}
	if got := source.ReasonOf(err); got != reason {
		w.t.Fatalf("got %s (%v), want %s", got, err, reason)
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			w.t.Errorf("%q holds %q", err, secret)
		}
	}
	return err
}

func (w *world) read(c *source.Checkout, path string) string {
	w.t.Helper()
	data, err := fs.ReadFile(c.Files, path)
	w.ok(err)
	return string(data)
}

// keyText is a public key as it stands in files.
func keyText(key ssh.PublicKey) string { return base64.StdEncoding.EncodeToString(key.Marshal()) }

func pemOf(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

func readAll(c *source.Checkout, path string) ([]byte, error) { return fs.ReadFile(c.Files, path) }
