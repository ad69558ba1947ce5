package environments_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
)

// TestWebhookMakesTheNextFetchImmediate, for whoever signs.
func TestWebhookMakesTheNextFetchImmediate(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, secret(ns, "signers", "token", "canary-token")))
	repo := gittest.New(t).New(t, "hook")
	spec := map[string]any{"interval": slow, "source": map[string]any{
		"git": map[string]any{"url": repo.URL()}, "webhook": map[string]any{"name": "signers"},
	}}
	e := s.environment(repo, ns, "hook", spec)
	e.commit(files{"m.yaml": configMapOf("m", "1")})
	e.Wake()
	e.applies()
	e.commit(files{"m.yaml": configMapOf("m", "2")})

	body := `{"ref":"refs/heads/main"}`
	mac := hmac.New(sha256.New, []byte("canary-token"))
	mac.Write([]byte(body))
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	call := func(path string, header ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.HTTP+path, strings.NewReader(body))
		s.OK(err)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		s.OK(err)
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		s.OK(err)
		if strings.Contains(string(said), "canary") {
			t.Errorf("%s answers with the token: %s", path, said)
		}
		return resp.StatusCode
	}
	path := "/v1/hook/" + ns + "/hook"
	for name, got := range map[string]int{
		"unsigned":       call(path),
		"wrong":          call(path, "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)),
		"wrong token":    call(path, "X-Gitlab-Token", "other"),
		"no environment": call("/v1/hook/"+ns+"/none", "X-Hub-Signature-256", signature),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s: answered %d", name, got)
		}
	}
	time.Sleep(300 * time.Millisecond) // nothing may have happened by now
	if e.configMap("m").Data["k"] != "1" {
		t.Fatal("an unsigned call was heard")
	}
	if got := call(path, "X-Hub-Signature-256", signature); got != http.StatusAccepted {
		t.Fatalf("a signed call: answered %d", got)
	}
	e.Eventually("the commit is applied", func() bool { return e.configMap("m").Data["k"] == "2" })
	e.commit(files{"m.yaml": configMapOf("m", "3")})
	if got := call(path, "X-Gitlab-Token", "canary-token"); got != http.StatusAccepted {
		t.Fatalf("a call with the token: answered %d", got)
	}
	e.Eventually("the next commit is applied", func() bool { return e.configMap("m").Data["k"] == "3" })
	if strings.Contains(p.Log.String(), "canary-token") {
		t.Error("the token is in the log")
	}
}
