package environments_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// helm is one version of Helm, with fuin filter as its post-renderer.
type helm struct {
	*system
	t       *testing.T
	program string
	filter  []string
	env     []string
}

func (s *system) helms(renderers string) map[string]helm {
	s.T.Helper()
	admin, home := filepath.Join(s.T.TempDir(), "admin"), s.T.TempDir()
	s.OK(kubetest.WriteKubeconfig(admin, s.Admin(), ""))
	deploy, err := filepath.Abs(fuintest.Deploy()) // whose helm-plugin is the plugin
	s.OK(err)
	env := append(os.Environ(), "PATH="+fuintest.Bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+home, "KUBECONFIG="+admin)
	return map[string]helm{
		"3": {s, nil, filepath.Join(renderers, "helm3"), []string{"--post-renderer", "fuin", "--post-renderer-args", "filter"}, env},
		"4": {s, nil, filepath.Join(renderers, "helm4"), []string{"--post-renderer", "fuin-filter"}, append(env, "HELM_PLUGINS="+deploy)},
	}
}

func (h helm) run(args ...string) (output string, err error) {
	cmd := exec.CommandContext(h.T.Context(), h.program, args...)
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestHelmInstallsAChartWithSealedValues: what Helm itself installs of tokens,
// through the filter, is what it installs of the plain values. The chart puts
// the first through urlquery, which a filter cannot see.
func TestHelmInstallsAChartWithSealedValues(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	renderers := kubetest.Require(t, "renderers")
	s.Run(fuintest.Alone)
	chart := filepath.Join("..", "..", "testdata", "repos", "tokens", "shop")
	plain := []string{"hunter2.~", `p"a\s's<&>{{ .Values.x }}é`, "-----BEGIN KEY-----\none\n-----END KEY-----\n"}
	for version, h := range s.helms(renderers) {
		t.Run(version, func(t *testing.T) {
			h.T = t
			want := h.installs(chart, s.Namespace(t), shopValues(plain[0], plain[1], plain[2]))
			ns := s.Namespace(t)
			sealed := shopValues(s.token(ns, plain[0], true), s.token(ns, plain[1], true), s.token(ns, plain[2], true))
			got := h.installs(chart, ns, sealed, h.filter...)
			for name, data := range want {
				if !maps.Equal(got[name], data) {
					t.Errorf("%s has %q, want %q", name, got[name], data)
				}
			}
			if len(want) != 3 {
				t.Errorf("Helm makes %d Secrets of the chart", len(want))
			}
			h.refuses(chart, ns)
			h.leavesNothing(ns)
		})
	}
}

// installs installs the chart, and returns the Secrets that are there then.
func (h helm) installs(chart, ns string, values map[string]any, flags ...string) map[string]map[string]string {
	h.T.Helper()
	text, err := json.Marshal(values)
	h.OK(err)
	file := filepath.Join(h.T.TempDir(), ns+".json")
	h.OK(os.WriteFile(file, text, 0o600))
	out, err := h.run(append([]string{"install", "web", chart, "--namespace", ns, "--values", file}, flags...)...)
	if err != nil {
		h.T.Fatalf("helm install: %v: %s", err, out)
	}
	all := map[string]map[string]string{}
	for _, name := range []string{"web-auth", "web-registry", "web-configuration"} {
		h.Eventually("Secret "+name+" is there", func() bool {
			var secret corev1.Secret
			err := h.Client().Get(h.T.Context(), fuintest.Key(ns, name), &secret)
			all[name] = map[string]string{}
			for key, value := range secret.Data {
				all[name][key] = string(value)
			}
			return err == nil
		})
	}
	return all
}

// refuses upgrades to values that would leave a token where nothing opens it.
func (h helm) refuses(chart, ns string) {
	h.T.Helper()
	out, err := h.run(append([]string{"upgrade", "web", chart, "--namespace", ns, "--reuse-values", "--set", "configuration.plain=x"}, h.filter...)...)
	if err == nil {
		h.T.Errorf("a plain value beside tokens is installed: %s", out)
	}
}

// leavesNothing uninstalls the release: SealedSecrets are part of it, and take
// their Secrets along.
func (h helm) leavesNothing(ns string) {
	h.T.Helper()
	if out, err := h.run("uninstall", "web", "--namespace", ns); err != nil {
		h.T.Fatalf("helm uninstall: %v: %s", err, out)
	}
	h.Eventually("the Secrets are gone", func() bool {
		var all corev1.SecretList
		return h.Client().List(h.T.Context(), &all, client.InNamespace(ns)) == nil && len(all.Items) == 0
	})
}
