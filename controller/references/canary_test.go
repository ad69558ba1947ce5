package references_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// canary is a value in Vault that must come out nowhere but in its Secret.
const canary = "canary-91be-correcthorse"

// TestNoValueOfVaultComesOut plants a value in Vault, refers to it in whatever can
// fail or not, and searches all that can be seen of it.
func TestNoValueOfVaultComesOut(t *testing.T) {
	s := newStand(t, kubetest.New(t, kubetest.Config{}), vaulttest.New(t, vaulttest.Config{}))
	p := s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "canary"), nil)
	s.put(e.ns, "c", map[string]any{"pw": canary, "nested": map[string]any{"pw": canary}})
	s.put(e.ns, "large", map[string]any{"k": strings.Repeat(canary, 30_000)}) // 720 KB
	pw := s.ref(e.ns, "c", "pw")
	typed := func(o map[string]any) map[string]any {
		o["spec"].(map[string]any)["template"].(map[string]any)["type"] = "kubernetes.io/dockerconfigjson"
		return o
	}
	s.apply(
		templated(e.ns, "fail", map[string]any{"k": pw + `{{ fail (fuinReference "0") }}`}),
		templated(e.ns, "syntax", map[string]any{"k": pw + `{{ nofunction }}`}),
		templated(e.ns, "decode", map[string]any{"k": s.ref(e.ns, "c", "pw", "decode=base64")}),
		templated(e.ns, "deep", map[string]any{"k": s.ref(e.ns, "c", "pw/x/y")}),
		templated(e.ns, "missing", map[string]any{"k": pw, "l": s.ref(e.ns, "c", "other")}),
		templated(e.ns, "large", map[string]any{"k": s.ref(e.ns, "large", "k"), "l": s.ref(e.ns, "large", "k")}),
		typed(templated(e.ns, "type", map[string]any{".dockerconfigjson": pw})),
		templated(e.ns, "good", map[string]any{"k": pw, "all": strings.Split(pw, "#")[0] + "+"}),
	)
	for _, name := range []string{"fail", "syntax", "decode", "deep", "missing", "large", "type"} {
		s.Eventually(name+" is not Ready", func() bool { return isCondition(s.sealed(e.ns, name), bitnami.Ready, corev1.ConditionFalse) })
	}
	s.says(e.ns, "good", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	revision := e.commit(map[string]any{
		"a.json": secretOf("a", map[string]any{"stringData": map[string]any{"pw": pw}}),
		"b.json": secretOf("b", map[string]any{"stringData": map[string]any{"pw": s.ref(e.ns, "c", "pw/x")}}), "web.json": workload("web", "a"),
	})
	e.becomes(revision, metav1.ConditionFalse, "SecretsFailed", "")
	s.has(e.ns, "a", map[string]string{"pw": canary})
	s.OK(s.vault.Seal(t.Context(), 0))
	s.says(e.ns, "good", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")
	s.says(e.ns, "a", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")

	s.search("log", p.Log.String())
	s.search("metrics", p.Do(http.MethodGet, p.Metrics, ""))
	var events corev1.EventList
	s.OK(s.Client().List(t.Context(), &events))
	if len(events.Items) < 8 {
		t.Errorf("only %d events", len(events.Items))
	}
	s.search("events", events)
	for _, kind := range []string{"sealedsecrets.bitnami.com", "environments.fuin.dev", "vaultconnections.fuin.dev", "deployments", "events"} {
		s.search("kubectl get "+kind, s.kubectl("get", kind, "-n", e.ns, "-o", "yaml"))
		s.search("kubectl describe "+kind, s.kubectl("describe", kind, "-n", e.ns))
	}
	s.search("kubectl describe secrets", s.kubectl("describe", "secrets", "-n", e.ns))
	for _, args := range [][]string{{"status", e.ns + "/shop"}, {"status"}} {
		out, _ := s.Fuin(args...)
		s.search("fuin "+strings.Join(args, " "), out)
		if len(args) > 1 && (!strings.Contains(out, "SECRETS THAT ARE STALE") || !strings.Contains(out, e.ns+"/a: VaultSealed")) {
			t.Errorf("fuin status does not tell what is stale: %s", out)
		}
	}
	body, err := json.Marshal(templated(e.ns, "good", map[string]any{"k": pw}))
	s.OK(err)
	for _, path := range []string{"/v1/verify", "/v1/rotate", "/v1/recipients", "/healthz"} {
		s.search("answer of "+path, p.Do(http.MethodPost, p.HTTP+path, string(body)))
	}
	p.Stop()
	s.search("log at the end", p.Log.String())
}

func isCondition(ss *bitnami.SealedSecret, kind string, status corev1.ConditionStatus) bool {
	for _, c := range ss.Status.Conditions {
		if c.Type == kind {
			return c.Status == status
		}
	}
	return false
}

func (s *stand) kubectl(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	kubeconfig := filepath.Join(s.t.TempDir(), "kubeconfig")
	s.OK(kubetest.WriteKubeconfig(kubeconfig, s.Admin(), "default"))
	cmd := exec.CommandContext(ctx, s.Binary("kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("kubectl %v: %v: %s", args, err, out.String())
	}
	if out.Len() == 0 {
		s.t.Fatalf("kubectl %v said nothing", args)
	}
	return out.String()
}

// search fails if the canary stands in what, plain or in base64.
func (s *stand) search(name string, what any) {
	s.t.Helper()
	text, ok := what.(string)
	if !ok {
		b, err := json.Marshal(what)
		s.OK(err)
		text = string(b)
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), canary[7:]} {
		if i := strings.Index(text, form); i >= 0 {
			s.t.Errorf("%s: the value comes out: …%s…", name, text[max(0, i-80):min(len(text), i+80)])
		}
	}
}
