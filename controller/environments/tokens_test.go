package environments_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// token seals a value as a token, with the newest key of the cluster.
func (s *system) token(ns, value string, age bool) string {
	s.T.Helper()
	name := "cert.pem"
	if age {
		name = "recipients"
	}
	sealer, err := seal.NewSealer(s.Recipient(name))
	s.OK(err)
	token, err := sealer.Token(seal.NamespaceWide, ns, []byte(value))
	s.OK(err)
	return token.String()
}

// shopValues are values of the chart in testdata/repos/tokens.
func shopValues(password, registry, key string) map[string]any {
	return map[string]any{
		"auth": map[string]any{"password": password}, "registry": map[string]any{"password": registry}, "tls": map[string]any{"key": key},
	}
}

// secrets are those of a list of objects, with their data as the API server
// keeps it.
func (s *system) secrets(objects []*unstructured.Unstructured) map[string]map[string]string {
	s.T.Helper()
	all := map[string]map[string]string{}
	for _, o := range objects {
		if o.GetKind() != "Secret" {
			continue
		}
		secret := &corev1.Secret{}
		s.OK(runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, secret))
		all[secret.Name] = map[string]string{}
		for key, value := range secret.Data {
			all[secret.Name][key] = string(value)
		}
		maps.Copy(all[secret.Name], secret.StringData)
	}
	return all
}

// TestAChartWithSealedValues: an Environment of a chart whose values are tokens
// makes the Secrets that Helm makes of the plain values, in the cluster; a
// token of another namespace opens nothing, and the same revision opens nothing
// twice.
func TestAChartWithSealedValues(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	chart := repository(t, filepath.Join("..", "..", "testdata", "repos", "tokens"))
	plain := []string{`p"a\s's<&>{{ .Values.x }}é`, "correct horse", "-----BEGIN KEY-----\none\n-----END KEY-----\n"}
	for _, age := range []bool{true, false} {
		ns := s.Tenant()
		values := shopValues(s.token(ns, plain[0], age), s.token(ns, plain[1], age), s.token(ns, plain[2], age))
		e := s.environment(server.New(t, "sealed-"+ns), ns, "shop", map[string]any{
			"path": "shop", "helm": map[string]any{"releaseName": "web", "values": values},
		})
		e.commit(chart)
		e.applies()
		for name, want := range s.secrets(s.rendered(s.renderPlain(ns, plain)...)) {
			got := e.Secret(ns, name)
			data := map[string]string{}
			for key, value := range got.Data {
				data[key] = string(value)
			}
			if !maps.Equal(data, want) {
				t.Errorf("age %v: %s has %q, Helm makes %q", age, name, data, want)
			}
		}
		if got := e.Secret(ns, "web-registry"); got.Type != corev1.SecretTypeDockerConfigJson {
			t.Errorf("web-registry is of type %s", got.Type)
		}
		before, _ := e.Rests(ns, "web-auth")
		e.commit(withNote(chart))
		e.applies()
		if after := e.SealedSecret(ns, "web-auth").ResourceVersion; after != before {
			t.Error("a revision that changes no value writes the SealedSecret again")
		}
	}
}

// renderPlain are the arguments of fuin that render the chart with plain values.
func (s *system) renderPlain(ns string, plain []string) []string {
	s.T.Helper()
	text, err := json.Marshal(shopValues(plain[0], plain[1], plain[2]))
	s.OK(err)
	root := filepath.Join(s.T.TempDir(), "shop")
	s.OK(os.CopyFS(root, os.DirFS(filepath.Join("..", "..", "testdata", "repos", "tokens", "shop"))))
	s.OK(os.WriteFile(filepath.Join(root, "plain.json"), text, 0o600))
	return []string{"render", root, "--release-name", "web", "--target-namespace", ns, "--values", filepath.Join(root, "plain.json")}
}

// withNote adds a file that changes nothing.
func withNote(all files) files {
	more := maps.Clone(all)
	more["shop/NOTES.md"] = "another revision\n"
	return more
}

// TestTokensThatDoNotOpenOrStayInPlain: a token of another namespace, and plain
// values beside tokens.
func TestTokensThatDoNotOpenOrStayInPlain(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	e := s.environment(server.New(t, "elsewhere"), s.Tenant(), "app", nil)
	manifest := func(rest string) files {
		return files{"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData: {" + rest + "}\n", "m.yaml": configMapOf("m", "1")}
	}
	e.commit(manifest("pw: " + s.token("elsewhere", "canary", true)))
	e.becomes(metav1.ConditionFalse, "SecretsFailed", "sealed for namespace elsewhere")
	mine := s.token(e.NS, "hunter2", true)
	e.commit(manifest("pw: " + mine + ", user: canary"))
	e.becomes(metav1.ConditionFalse, "PlaintextSecrets", "keys user beside tokens")
	e.commit(files{"m.yaml": strings.Replace(configMapOf("m", "1"), `"1"`, mine, 1)})
	e.becomes(metav1.ConditionFalse, "RenderFailed", "a token outside the values of a Secret")
	e.commit(manifest("pw: " + mine + ", user: ''"))
	e.applies()
	e.Opens(e.NS, "app", "pw", "hunter2")
	if got := e.Secret(e.NS, "app"); !slices.Equal(slices.Sorted(maps.Keys(got.Data)), []string{"pw", "user"}) || len(got.Data["user"]) > 0 {
		t.Errorf("the Secret holds %v", got.Data)
	}
}
