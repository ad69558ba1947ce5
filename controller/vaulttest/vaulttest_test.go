package vaulttest_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
)

func TestMain(m *testing.M) { kubetest.Main(m) }

func TestReleaseIsThePinnedOne(t *testing.T) {
	health, err := vaulttest.Shared(t).Client().Sys().HealthWithContext(t.Context())
	ok(t, err)
	if !health.Initialized || health.Sealed || health.Standby || !strings.HasPrefix(health.Version, "1.14.1") {
		t.Errorf("got %+v", health)
	}
}

func TestStorageOutlivesACrash(t *testing.T) {
	s := vaulttest.New(t, vaulttest.Config{})
	ok(t, s.KV(t.Context(), "apps", 2))
	write(t, s, "apps/data/a", map[string]any{"data": map[string]any{"key": "kept"}})
	before, err := s.Audit(0)
	ok(t, err)

	ok(t, s.Process.Stop())
	_, err = s.Client().Logical().ReadWithContext(t.Context(), "apps/data/a")
	var answered *api.ResponseError
	if err == nil || errors.As(err, &answered) {
		t.Fatalf("a stopped server answers: %v", err)
	}
	ok(t, s.Process.Start(t.Context()))
	if got := read(t, s, "apps/data/a")["data"].(map[string]any)["key"]; got != "kept" {
		t.Errorf("got %v", got)
	}
	after, err := s.Audit(0)
	ok(t, err)
	if len(after) <= len(before) {
		t.Errorf("%d audited requests became %d", len(before), len(after))
	}
}

func TestSealedRefusesUntilUnsealed(t *testing.T) {
	s := vaulttest.New(t, vaulttest.Config{})
	ok(t, s.KV(t.Context(), "apps", 1))
	write(t, s, "apps/a", map[string]any{"key": "kept"})
	ok(t, s.Seal(t.Context(), 0))
	_, err := s.Client().Logical().ReadWithContext(t.Context(), "apps/a")
	wantStatus(t, err, http.StatusServiceUnavailable)
	ok(t, s.Unseal(t.Context(), 0))
	if got := read(t, s, "apps/a")["key"]; got != "kept" {
		t.Errorf("got %v", got)
	}
}

func TestCoresTakeOverFromEachOther(t *testing.T) {
	s := vaulttest.New(t, vaulttest.Config{Cores: 2})
	ok(t, s.KV(t.Context(), "apps", 2))
	active := func() int {
		t.Helper()
		core, err := s.Active(t.Context())
		ok(t, err)
		return core
	}
	first := active()
	ok(t, s.StepDown(t.Context()))
	second := active()
	if first == second {
		t.Fatalf("core %d is active after it stepped down", first)
	}
	// The first core, which Client talks to, forwards now.
	write(t, s, "apps/data/a", map[string]any{"data": map[string]any{"key": "forwarded"}})

	ok(t, s.Unseal(t.Context(), first)) // which changes nothing
	ok(t, s.Seal(t.Context(), second))
	deadline := time.Now().Add(2 * time.Minute)
	for err := errors.New(""); err != nil; _, err = s.Client().Logical().ReadWithContext(t.Context(), "apps/data/a") {
		if time.Now().After(deadline) {
			t.Fatal("nobody took over from a sealed core")
		}
		time.Sleep(20 * time.Millisecond)
	}
	ok(t, s.Unseal(t.Context(), second))
	if got := active(); got != first {
		t.Errorf("core %d is active, not %d", got, first)
	}
}

func TestAuditTellsWhatWasAsked(t *testing.T) {
	s := vaulttest.Shared(t)
	ok(t, s.KV(t.Context(), "audited", 2))
	write(t, s, "audited/data/a", map[string]any{"data": map[string]any{"key": "canary-2b9e"}})
	since, err := s.Mark()
	ok(t, err)
	for _, version := range []string{"0", "1", "1"} {
		_, err := s.Client().Logical().ReadWithDataWithContext(t.Context(), "audited/data/a", map[string][]string{"version": {version}})
		ok(t, err)
	}
	entries, err := s.Audit(since)
	ok(t, err)
	byVersion := map[any]int{}
	for _, e := range entries {
		if e.Operation != "read" || e.Path != "audited/data/a" || e.Error != "" || e.Time.IsZero() {
			t.Errorf("entry %+v", e)
		}
		byVersion[e.Data["version"]]++
	}
	if len(entries) != 3 || len(byVersion) != 2 {
		t.Errorf("3 reads of 2 versions are %d entries of %d", len(entries), len(byVersion))
	}
	log, err := os.ReadFile(filepath.Join(s.Dir, "audit.log"))
	ok(t, err)
	if strings.Contains(string(log), "canary-2b9e") {
		t.Error("the log holds a value")
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	kubetest.Require(t, "vault")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := vaulttest.Start(ctx, vaulttest.Config{})
	ok(t, err)
	cancel()
	ok(t, s.Stop()) // waits for what is under way
	if s.Process.PID() != 0 {
		t.Error("it runs on")
	}
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Errorf("files are left: %v", err)
	}
}

func write(t *testing.T, s *vaulttest.Server, path string, data map[string]any) {
	t.Helper()
	ok(t, s.Write(t.Context(), path, data))
}

func read(t *testing.T, s *vaulttest.Server, path string) map[string]any {
	t.Helper()
	answer, err := s.Client().Logical().ReadWithContext(t.Context(), path)
	ok(t, err)
	if answer == nil {
		t.Fatalf("nothing at %s", path)
	}
	return answer.Data
}

// wantStatus tells whether a request was refused with an HTTP status.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	var answered *api.ResponseError
	if !errors.As(err, &answered) || answered.StatusCode != status {
		t.Errorf("got %v, not status %d", err, status)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
