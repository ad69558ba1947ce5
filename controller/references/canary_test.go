package references_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	t.Parallel()
	s := newStand(t, kubetest.New(t, kubetest.Config{}), vaulttest.New(t, vaulttest.Config{}))
	p := s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "canary"), nil)
	s.put(e.NS, "c", map[string]any{"pw": canary, "nested": map[string]any{"pw": canary}})
	s.put(e.NS, "large", map[string]any{"k": strings.Repeat(canary, 30_000)}) // 720 KB
	pw := s.ref(e.NS, "c", "pw")
	typed := func(o map[string]any) map[string]any {
		o["spec"].(map[string]any)["template"].(map[string]any)["type"] = "kubernetes.io/dockerconfigjson"
		return o
	}
	s.apply(
		templated(e.NS, "fail", map[string]any{"k": pw + `{{ fail (fuinReference "0") }}`}),
		templated(e.NS, "syntax", map[string]any{"k": pw + `{{ nofunction }}`}),
		templated(e.NS, "decode", map[string]any{"k": s.ref(e.NS, "c", "pw", "decode=base64")}),
		templated(e.NS, "deep", map[string]any{"k": s.ref(e.NS, "c", "pw/x/y")}),
		templated(e.NS, "missing", map[string]any{"k": pw, "l": s.ref(e.NS, "c", "other")}),
		templated(e.NS, "large", map[string]any{"k": s.ref(e.NS, "large", "k"), "l": s.ref(e.NS, "large", "k")}),
		typed(templated(e.NS, "type", map[string]any{".dockerconfigjson": pw})),
		templated(e.NS, "good", map[string]any{"k": pw, "all": strings.Split(pw, "#")[0] + "+"}),
	)
	for _, name := range []string{"fail", "syntax", "decode", "deep", "missing", "large", "type"} {
		s.Eventually(name+" is not Ready", func() bool { return isCondition(s.SealedSecret(e.NS, name), bitnami.Ready, corev1.ConditionFalse) })
	}
	s.says(e.NS, "good", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	revision := e.commit(map[string]any{
		"a.json": secretOf("a", map[string]any{"stringData": map[string]any{"pw": pw}}),
		"b.json": secretOf("b", map[string]any{"stringData": map[string]any{"pw": s.ref(e.NS, "c", "pw/x")}}), "web.json": workload("web", "a"),
	})
	e.becomes(revision, metav1.ConditionFalse, "SecretsFailed", "")
	s.has(e.NS, "a", map[string]string{"pw": canary})
	s.OK(s.vault.Seal(t.Context(), 0))
	s.says(e.NS, "good", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")
	s.says(e.NS, "a", bitnami.Stale, corev1.ConditionTrue, "VaultSealed")

	s.Search("log", p.Log.String(), canary)
	s.Search("metrics", p.Get(p.Metrics), canary)
	events := s.Events("", 8)
	s.Search("events", events, canary)
	for _, kind := range []string{"sealedsecrets.bitnami.com", "environments.fuin.dev", "vaultconnections.fuin.dev", "deployments", "events"} {
		s.Search("kubectl get "+kind, s.kubectl("get", kind, "-n", e.NS, "-o", "yaml"), canary)
		s.Search("kubectl describe "+kind, s.kubectl("describe", kind, "-n", e.NS), canary)
	}
	s.Search("kubectl describe secrets", s.kubectl("describe", "secrets", "-n", e.NS), canary)
	for _, args := range [][]string{{"status", e.NS + "/shop"}, {"status"}} {
		out, messages, _ := s.Fuin(args...)
		out += messages
		s.Search("fuin "+strings.Join(args, " "), out, canary)
		if len(args) > 1 && (!strings.Contains(out, "SECRETS THAT ARE STALE") || !strings.Contains(out, e.NS+"/a: VaultSealed")) {
			t.Errorf("fuin status does not tell what is stale: %s", out)
		}
	}
	body, err := json.Marshal(templated(e.NS, "good", map[string]any{"k": pw}))
	s.OK(err)
	for _, path := range []string{"/v1/verify", "/v1/rotate", "/v1/recipients", "/healthz"} {
		s.Search("answer of "+path, p.Post(path, string(body)).Text, canary)
	}
	p.Stop()
	s.Search("log at the end", p.Log.String(), canary)
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
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), time.Minute)
	defer cancel()
	kubeconfig := filepath.Join(s.T.TempDir(), "kubeconfig")
	s.OK(kubetest.WriteKubeconfig(kubeconfig, s.Admin(), "default"))
	cmd := exec.CommandContext(ctx, s.Binary("kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		s.T.Fatalf("kubectl %v: %v: %s", args, err, out.String())
	}
	if out.Len() == 0 {
		s.T.Fatalf("kubectl %v said nothing", args)
	}
	return out.String()
}
