package render_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/keys"
	"fuin.dev/render"
	"fuin.dev/seal"

	"github.com/google/go-cmp/cmp"
)

// tokens makes tokens, and opens what they become.
type tokens struct {
	identity *keys.Identity
	sealer   *seal.Sealer
}

func newTokens(t *testing.T) tokens {
	t.Helper()
	identity, err := keys.Generate(keys.X25519, time.Now(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.NewSealer(identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	return tokens{identity, sealer}
}

func (k tokens) of(t *testing.T, value string) string {
	t.Helper()
	token, err := k.sealer.Token(seal.NamespaceWide, "shop", []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return token.String()
}

// open returns the data of a SealedSecret's Secret, as text.
func (k tokens) open(t *testing.T, pool *render.Pool, o render.Object) map[string]string {
	t.Helper()
	text, err := json.Marshal(o.Content)
	if err != nil {
		t.Fatal(err)
	}
	all, err := seal.Objects(text, 1)
	if err != nil {
		t.Fatal(err)
	}
	all[0].Namespace = "shop"
	opened, err := seal.Opener{Identities: []*keys.Identity{k.identity}, Render: pool.Render}.Object(t.Context(), all[0])
	if err != nil {
		t.Fatalf("%s: %v", o.Name(), err)
	}
	data := map[string]string{}
	for key, value := range opened.Data {
		data[key] = string(value)
	}
	return data
}

// dataOf is the data of a plain Secret, as the API server has it.
func dataOf(t *testing.T, o render.Object) map[string]string {
	t.Helper()
	data := map[string]string{}
	for key, value := range mapping(o.Content["data"]) {
		text, err := base64.StdEncoding.DecodeString(value.(string))
		if err != nil {
			t.Fatal(err)
		}
		data[key] = string(text)
	}
	for key, value := range mapping(o.Content["stringData"]) {
		data[key] = value.(string)
	}
	return data
}

func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// shopValues are the values of the chart in testdata/repos/tokens.
func shopValues(t *testing.T, password, registry, key string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"auth": map[string]any{"password": password}, "registry": map[string]any{"password": registry}, "tls": map[string]any{"key": key},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func rendered(t *testing.T, pool *render.Pool, d render.Directory) map[string]render.Object {
	t.Helper()
	set, err := pool.Directory(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]render.Object{}
	for _, o := range set.Objects {
		all[o.Kind()+"/"+o.Name()] = o
	}
	return all
}

// A chart with tokens makes the Secrets that it makes with the plain values,
// whatever it wraps them in, and nothing else of it changes.
func TestAChartWithTokensMakesTheSameSecrets(t *testing.T) {
	pool, k := open(t, render.Config{}), newTokens(t)
	for _, values := range [][3]string{
		{"hunter2", "correct horse", "-----BEGIN KEY-----\none\ntwo\n-----END KEY-----"},
		{`p"a\s's<&>{{ .Values.x }}é$`, `{{ fail "x" }}%s`, "line\n\n  indented {{\nlast"},
	} {
		d := render.Directory{Files: repository(t, "tokens"), Path: "shop"}
		d.Helm = render.HelmOptions{ReleaseName: "web", Namespace: "shop", Values: shopValues(t, values[0], values[1], values[2])}
		want := rendered(t, pool, d)
		d.Helm.Values = shopValues(t, k.of(t, values[0]), k.of(t, values[1]), k.of(t, values[2]))
		got := rendered(t, pool, d)
		if again := rendered(t, pool, d); cmp.Diff(got, again) != "" {
			t.Error("the same chart renders to other SealedSecrets")
		}
		if len(got) != len(want) || len(got) != 4 {
			t.Fatalf("got %v", slices.Sorted(maps.Keys(got)))
		}
		for _, name := range []string{"web-auth", "web-registry", "web-configuration"} {
			sealed := got["SealedSecret/"+name]
			if diff := cmp.Diff(dataOf(t, want["Secret/"+name]), k.open(t, pool, sealed)); diff != "" {
				t.Errorf("%s with %q: %s", name, values[0], diff)
			}
			if len(sealed.Plain) > 0 || sealed.Name() != name || sealed.File == "" {
				t.Errorf("%s: plain %v, from %q", name, sealed.Plain, sealed.File)
			}
			if text, _ := json.Marshal(sealed.Content); strings.Contains(string(text), "fuin1n_") {
				t.Errorf("%s still holds a token", name)
			}
		}
	}
}

// A Secret that a kustomization generates of tokens keeps its hash, which is
// one over ciphertext, and what names it.
func TestAGeneratedSecretWithTokens(t *testing.T) {
	pool, k := open(t, render.Config{}), newTokens(t)
	got := rendered(t, pool, render.Directory{Path: "overlay", Files: checkout(map[string]string{
		"overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\n",
		"base/kustomization.yaml": "resources: [pod.yaml]\nsecretGenerator:\n- name: db\n  literals: [password=" + k.of(t, "hunter2") +
			", 'url=http://u:" + k.of(t, "second") + "@h']\n",
		"base/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: app, envFrom: [{secretRef: {name: db}}]}]}\n",
	})})
	var sealed render.Object
	for name, o := range got {
		if strings.HasPrefix(name, "SealedSecret/prod-db-") {
			sealed = o
		}
	}
	if sealed.Content == nil {
		t.Fatalf("got %v", slices.Sorted(maps.Keys(got)))
	}
	if diff := cmp.Diff(map[string]string{"password": "hunter2", "url": "http://u:second@h"}, k.open(t, pool, sealed)); diff != "" {
		t.Error(diff)
	}
	uses := render.Uses(got["Pod/prod-app"].Content)
	if len(uses) != 1 || uses[0].Name != sealed.Name() || len(sealed.MovedBy) > 0 {
		t.Errorf("the pod names %v, the SealedSecret is %s, moved by %v", uses, sealed.Name(), sealed.MovedBy)
	}
}

func TestTokensThatADirectoryMisplaces(t *testing.T) {
	pool, k := open(t, render.Config{}), newTokens(t)
	token := k.of(t, "hunter2")
	chart := func(template string) render.Directory {
		return render.Directory{Path: ".", Files: checkout(map[string]string{
			"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n", "values.yaml": "pw: " + token + "\n",
			"templates/x.yaml": "apiVersion: v1\nmetadata: {name: app}\n" + template + "\n",
		})}
	}
	for name, tt := range map[string]struct {
		directory render.Directory
		want      string
	}{
		"a ConfigMap":    {chart("kind: ConfigMap\ndata: {a: {{ .Values.pw }}}"), "templates/x.yaml: makes ConfigMap app: data.a: a token outside the values of a Secret"},
		"an argument":    {chart("kind: Pod\nspec: {containers: [{args: [{{ .Values.pw }}]}]}"), "makes Pod app: spec.containers[0].args[0]: a token outside"},
		"trunc":          {chart("kind: Secret\nstringData: {a: {{ trunc 60 .Values.pw }}}"), `makes Secret app: key "a": a token that is cut short`},
		"upper":          {chart("kind: Secret\ndata: {a: {{ upper .Values.pw | b64enc }}}"), `key "a": a token that was altered`},
		"htpasswd":       {chart(`kind: Secret` + "\n" + `stringData: {a: {{ htpasswd "u" .Values.pw | quote }}}`), `key "a"`},
		"sha256sum":      {chart("kind: Secret\ndata: {a: {{ sha256sum .Values.pw | b64enc }}}"), `templates/x.yaml: makes Secret app, whose key "a" is sha256sum of a token`},
		"sha1sum within": {chart(`kind: Secret` + "\n" + `stringData: {a: x, b: {{ printf "{SHA}%s" (sha1sum (printf "u:%s" .Values.pw)) | quote }}}`), `whose key "b" is sha1sum of a token`},
		"encryptAES":     {chart(`kind: Secret` + "\n" + `stringData: {b: {{ encryptAES "key" .Values.pw | quote }}}`), `whose key "b" is encryptAES of a token`},
		"plain": {render.Directory{Path: ".", Files: checkout(map[string]string{
			"a.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: '" + token + "'}}\n",
		})}, "a.yaml:1: makes ConfigMap c: data.a: a token outside"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pool.Directory(t.Context(), tt.directory)
			var d *render.DirectoryError
			if !errors.As(err, &d) || !strings.Contains(err.Error(), tt.want) || d.Hint() == "" || strings.Contains(err.Error()+d.Hint(), "fuin1n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Values in plain beside tokens are told.
func TestPlainValuesBesideTokens(t *testing.T) {
	pool, k := open(t, render.Config{}), newTokens(t)
	set, err := pool.Directory(t.Context(), render.Directory{Path: ".", Files: checkout(map[string]string{
		"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pw: '" + k.of(t, "x") + "', user: canary, host: h, none: ''}\n",
	})})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"host", "user"}, set.Objects[0].Plain); diff != "" {
		t.Error(diff)
	}
	if len(set.Notes) != 1 || !strings.Contains(set.Notes[0].Message, "host, user") || strings.Contains(set.Notes[0].Message, "canary") {
		t.Errorf("notes: %v", set.Notes)
	}
}
