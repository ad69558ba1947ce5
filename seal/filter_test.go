package seal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"text/template"

	"fuin.dev/seal"
	"github.com/Masterminds/sprig/v3"
	"github.com/google/go-cmp/cmp"
)

// run runs templates as the sandbox does.
func run(_ context.Context, templates map[string]string, inputs map[string][]byte) (map[string]seal.Rendered, error) {
	values := map[string]string{}
	for key, value := range inputs {
		values[key] = string(value)
	}
	out := map[string]seal.Rendered{}
	for key, text := range templates {
		t, err := template.New(key).Funcs(sprig.TxtFuncMap()).Parse(text)
		if err != nil {
			return nil, err
		}
		var made bytes.Buffer
		if err := t.Execute(&made, values); err != nil {
			return nil, err
		}
		out[key] = seal.Rendered{Value: made.Bytes()}
	}
	return out, nil
}

// secretOf is a manifest of a Secret with one value.
func secretOf(field, value string) string {
	text, _ := json.Marshal(value)
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: app, namespace: shop}\n%s: {k: %s}\n", field, text)
}

// filtered filters a manifest of one Secret, and opens what came of it.
func filtered(t testing.TB, manifest string, o seal.FilterOptions) map[string]string {
	t.Helper()
	r, err := seal.Filter([]byte(manifest), o)
	if err != nil {
		t.Fatalf("%.2000s: %v", manifest, err)
	}
	all, err := seal.Objects(r.Out, 1)
	if err != nil {
		t.Fatal(err)
	}
	opener := opener("x25519", "rsa")
	opener.Render = run
	made, err := opener.Object(t.Context(), all[0])
	if err != nil {
		t.Fatalf("%s: %v", r.Out, err)
	}
	data := map[string]string{}
	for key, value := range made.Data {
		data[key] = string(value)
	}
	return data
}

var b64 = base64.StdEncoding.EncodeToString

// wraps are what charts make of values, as functions of the value.
var wraps = map[string]func(pw string) string{
	"alone":            func(pw string) string { return pw },
	"a URL":            func(pw string) string { return "postgres://shop:" + pw + "@db:5432/shop?sslmode=require" },
	"twice":            func(pw string) string { return pw + pw + " and " + pw },
	"beside braces":    func(pw string) string { return "{{ .Values.x }} {{{" + pw + "}}} {" + pw + "} {{" },
	"base64":           func(pw string) string { return b64([]byte(pw)) },
	"base64 in a text": func(pw string) string { return "Authorization: Basic " + b64([]byte("shop:"+pw)) + "\n" },
	"base64 in a path": func(pw string) string { return "https://host/auth/" + b64([]byte("shop:"+pw)) + "?x=1" },
	"base64 twice":     func(pw string) string { return b64([]byte("a: " + b64([]byte("b "+pw+" c")) + " d")) },
	"base64 thrice":    func(pw string) string { return b64([]byte(b64([]byte(b64([]byte(pw)))))) },
	"base64 in letters": func(pw string) string {
		return "abcdefg" + b64([]byte("12"+pw)) + "==z"
	},
	"base32": func(pw string) string { return "x " + base32.StdEncoding.EncodeToString([]byte(pw+"!")) },
	"base32 anywhere": func(pw string) string {
		text := ""
		for n := range 5 {
			text += "." + base32.StdEncoding.EncodeToString([]byte("abcde"[:n]+pw)) + ".ABC2" + b64([]byte("abc"[:n%3]+pw))
		}
		return text
	},
	"base64 in paths": func(pw string) string {
		text := ""
		for n := range 6 {
			text += "/auth/" + b64([]byte("shop:"[:n]+pw+":abcdef"[:n])) + "/more/" + b64([]byte(pw)) + "/" + b64([]byte("x"+pw))
		}
		return text
	},
	"hex":       func(pw string) string { return "0x" + hex.EncodeToString([]byte("a"+pw)) },
	"binary":    func(pw string) string { return "\x00\xff\x01" + pw + "\xfe\u0085" },
	"a YAML":    func(pw string) string { return "db:\n  password: " + pw + "\n  user: u\n" },
	"lines":     func(pw string) string { return "pem: |\n    " + strings.ReplaceAll(pw, "\n", "\n    ") + "\nend" },
	"backticks": func(pw string) string { return "`" + pw + "`\\ \"'" },
	"JSON": func(pw string) string {
		return `{"password": ` + rawJSON(pw) + `, "n": 1.0, "x": ["` + b64([]byte("u:"+pw)) + `", {}]}`
	},
	"JSON that Helm wrote": func(pw string) string {
		return string(marshalled(map[string]any{"a": []any{1, pw, "x" + pw}, "b": map[string]any{pw[:0] + "c": pw}}))
	},
	"JSON in JSON": func(pw string) string {
		return `{"config": ` + rawJSON(`{"password": `+rawJSON(pw)+`, "tab": "\t"}`) + `}`
	},
	"a docker config": func(pw string) string {
		return fmt.Sprintf(`{"auths":{"registry.example":{"username":"u","password":%s,"auth":"%s"}}}`, rawJSON(pw), b64([]byte("u:"+pw)))
	},
	"a docker config in base64": func(pw string) string {
		return b64([]byte(fmt.Sprintf(`{"auths":{"registry.example":{"auth":"%s"}}}`, b64([]byte("u:"+pw)))))
	},
}

func rawJSON(s string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)
	return strings.TrimSuffix(out.String(), "\n")
}

func marshalled(v any) []byte {
	text, _ := json.Marshal(v)
	return text
}

// What a chart makes of a token becomes what it would have made of the value.
func TestFilteredSecretsAreThoseOfThePlainValues(t *testing.T) {
	for _, value := range []string{"hunter2", "", "p\"a'ss\\w{{ .x }}`<&>\u00e9$\x01", "line one\n  line two\nthree", "fuin1n_12_abc {{ fail }}", "\xff\xfe binary \x00"} {
		for _, kind := range []string{"x25519", "rsa"} {
			token := tokenTo(t, kind, seal.NamespaceWide, value).String()
			for name, wrap := range wraps {
				if strings.Contains(name, "JSON") && strings.Contains(value, "\xff") {
					continue // JSON holds no such bytes
				}
				want := wrap(value)
				for field, in := range map[string]string{"data": b64([]byte(wrap(token))), "stringData": wrap(token)} {
					if field == "stringData" && name == "binary" {
						continue
					}
					got := filtered(t, secretOf(field, in), seal.FilterOptions{})
					if diff := cmp.Diff(map[string]string{"k": want}, got); diff != "" {
						t.Errorf("%s of %q under %s: %s", name, value, field, diff)
					}
				}
			}
		}
	}
}

// The SealedSecret has the scope of its tokens, and what belongs to whoever
// applies it; the same manifests give the same.
func TestFilteredObjects(t *testing.T) {
	a := tokenTo(t, "x25519", seal.NamespaceWide, "a").String()
	b := tokenTo(t, "x25519", seal.NamespaceWide, "b").String()
	token, _ := seal.ParseToken(a)
	second, _ := seal.ParseToken(b)
	manifest := strings.NewReplacer("AAA", a, "B64", b64([]byte(a)), "BBB", b).Replace(`---
# Source: app/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name:   kept-as-it-is}
---
# Source: app/templates/secret.yaml
apiVersion: v1
kind: Secret
metadata:
  name: app
  labels: {app: shop}
  annotations:
    helm.sh/resource-policy: keep
    internal.config.kubernetes.io/needsHashSuffix: enabled
    example.com/note: x
    fuin.dev/plain: user
type: Opaque
immutable: true
data:
  password: B64
stringData:
  user: shop {{ x
  url: https://u:AAA@host/BBB
  ref: ref+vault://secret/data/x#y
  empty: ""
---
apiVersion: v1
kind: Secret
metadata: {name: other, namespace: shop}
stringData: {a: plain}
`)
	r, err := seal.Filter([]byte(manifest), seal.FilterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.Filter([]byte(manifest), seal.FilterOptions{})
	if err != nil || !bytes.Equal(r.Out, again.Out) {
		t.Errorf("filtering twice gives other manifests: %v", err)
	}
	want := strings.NewReplacer("SEALED1", token.Sealed, "SEALED2", second.Sealed).Replace(`---
# Source: app/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name:   kept-as-it-is}
---
# Source: app/templates/secret.yaml
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: app
  annotations:
    sealedsecrets.bitnami.com/namespace-wide: "true"
    fuin.dev/inputs: url.token
    helm.sh/resource-policy: keep
    internal.config.kubernetes.io/needsHashSuffix: enabled
  labels: {app: shop}
spec:
  encryptedData:
    password: SEALED1
    url.token: SEALED2
  template:
    metadata:
      name: app
      labels: {app: shop}
      annotations:
        helm.sh/resource-policy: keep
        example.com/note: x
        sealedsecrets.bitnami.com/namespace-wide: "true"
    type: Opaque
    immutable: true
    data:
      empty: ""
      ref: ref+vault://secret/data/x#y
      url: https://u:{{ .password }}@host/{{ index . "url.token" }}
      user: shop {{ "{{" }} x
---
apiVersion: v1
kind: Secret
metadata: {name: other, namespace: shop}
stringData: {a: plain}
`)
	if diff := cmp.Diff(want, string(r.Out)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedByTheFilter(t *testing.T) {
	a := tokenTo(t, "x25519", seal.NamespaceWide, "a").String()
	c := tokenTo(t, "x25519", seal.ClusterWide, "c").String()
	object := func(kind, rest string) string {
		return "# first\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: app, namespace: shop}\n" + rest + "\n"
	}
	for name, tt := range map[string]struct{ manifest, want string }{
		"in a ConfigMap":          {object("ConfigMap", "data: {a: x, url: 'http://"+a+"@h'}"), "line 5: ConfigMap shop/app: data.url: a token outside"},
		"in a ConfigMap, encoded": {object("ConfigMap", "binaryData: {a: "+b64([]byte("x"+a))+"}"), "binaryData.a: a token outside"},
		"in an argument":          {object("Pod", "spec: {containers: [{name: a, args: [x, --pw="+a+"]}]}"), "Pod shop/app: spec.containers[0].args[1]: a token outside"},
		"in env":                  {object("Pod", "spec: {containers: [{name: a, env: [{name: A, value: "+a+"}]}]}"), "spec.containers[0].env[0].value: a token outside"},
		"as a name of a field":    {object("ConfigMap", "data: {"+a+": x}"), "ConfigMap shop/app: data: a token outside"},
		"in a label of a Secret":  {object("Secret", "stringData: {a: "+a+"}\ntype: "+a), "Secret shop/app: type: a token outside"},
		"in a SealedSecret":       {"apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: app}\nspec: {template: {data: {a: " + a + "}}}\n", "SealedSecret app: spec.template.data.a: a token outside"},
		"cut short":               {object("Secret", "stringData: {a: "+a[:30]+"}"), `line 5: Secret shop/app: key "a": a token that is cut short`},
		"cut short and encoded":   {object("Secret", "data: {a: "+b64([]byte(a[:20]))+"}"), `key "a": a token that is cut short`},
		"in upper case":           {object("Secret", "stringData: {a: "+strings.ToUpper(a)+"}"), `key "a": a token that was altered`},
		"in a cut base64":         {object("Secret", "stringData: {a: x "+b64([]byte(a))[:200]+"}"), `key "a": a token that is cut short`},
		"cut in a ConfigMap":      {object("ConfigMap", "data: {a: "+a[:30]+"}"), `data.a: a token that is cut short`},
		"bcrypt":                  {object("Secret", "stringData: {a: 'u:failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes'}"), `key "a": bcrypt or htpasswd of a token`},
		"sha256":                  {object("Secret", "stringData: {h: 'x"+sha256Hex(a)+"'}") + "---\n" + object("Secret", "data: {a: "+b64([]byte(a))+"}"), `line 5: Secret shop/app: key "h": sha256 of a token`},
		"two scopes":              {object("Secret", "stringData: {a: "+a+", b: "+c+"}"), `key "b": its token is cluster-wide, and others of the Secret are namespace-wide`},
		"not in base64":           {object("Secret", "data: {a: "+a+"}"), `key "a": a token under data that is not in base64`},
		"beside a plain one":      {object("Secret", "stringData: {a: "+a+", user: canary}"), `key "user": it is in plain, in a Secret with tokens`},
		"no name":                 {"apiVersion: v1\nkind: Secret\nstringData: {a: " + a + "}\n", "no name"},
		"a number beside":         {object("Secret", "stringData: {a: "+a+", b: 1}"), `key "b": a number, not text`},
		"in a list":               {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: " + a + "}}\n", "line 4: ConfigMap c: data.a: a token outside"},
		"no YAML":                 {"a: [canary", "no YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := seal.Filter([]byte(tt.manifest), seal.FilterOptions{})
			var refused *seal.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) || r.Out != nil {
				t.Fatalf("got %v", err)
			}
			said := err.Error() + refused.Hint()
			if strings.Contains(said, "canary") || strings.Contains(said, "fuin1") || len(said) > 600 {
				t.Errorf("it quotes the manifest: %s", said)
			}
		})
	}
}

// Without tokens nothing changes, whatever the manifests are.
func TestTheFilterPassesOnWhatHoldsNoToken(t *testing.T) {
	for _, manifest := range []string{
		"", "# nothing\n", "---\n---\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: a}\ndata: {a: '%%% no base64'}\nstringData: {b: 1}\n",
		"kind: Deployment\napiVersion: apps/v1\nmetadata:   {name: a}\nspec: {x: &a [1], y: *a, cert: " + b64(bytes.Repeat([]byte("cert"), 400)) + "}\n",
		"kind: ConfigMap\napiVersion: v1\ndata: {doc: 'a token is fuin1n_<length>_…', sha: " + sha256Hex("x") + "}\n",
		`{"apiVersion": "v1", "kind": "List", "items": []}`,
	} {
		r, err := seal.Filter([]byte(manifest), seal.FilterOptions{})
		if err != nil || string(r.Out) != manifest || len(r.Objects) != 0 {
			t.Errorf("%q becomes %q, %v", manifest, r.Out, err)
		}
	}
}

// A block of YAML ends in one line end, however many the value has, as it does
// where Helm writes the value itself.
func TestLineEndsBehindABlock(t *testing.T) {
	for _, value := range []string{"-----BEGIN\nkey\n-----END\n", "x", "x\n\n"} {
		token := tokenTo(t, "x25519", seal.NamespaceWide, value).String()
		got := filtered(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: app, namespace: shop}\nstringData:\n  k: |\n    "+token+"\n", seal.FilterOptions{})
		if want := strings.TrimRight(value, "\n") + "\n"; got["k"] != want {
			t.Errorf("%q becomes %q", value, got["k"])
		}
	}
}

func TestPlainValuesMayBeAllowed(t *testing.T) {
	token := tokenTo(t, "rsa", seal.NamespaceWide, "pw").String()
	manifest := "apiVersion: v1\nkind: Secret\nmetadata: {name: app, namespace: shop}\nstringData: {pw: " + token + ", user: 'shop {{'}\ndata: {key: " + b64([]byte("\x00\xff")) + "}\n"
	want := map[string]string{"pw": "pw", "user": "shop {{", "key": "\x00\xff"}
	for _, o := range []seal.FilterOptions{{Plain: []string{"user", "key"}}, {Plain: []string{"*"}}, {Sealer: sealer(t, "rsa")}} {
		if diff := cmp.Diff(want, filtered(t, manifest, o)); diff != "" {
			t.Error(diff)
		}
		r, err := seal.Filter([]byte(manifest), o)
		if sealed := !strings.Contains(string(r.Out), "user: shop {{"); err != nil || sealed != (o.Sealer != nil) {
			t.Errorf("%v: %s", err, r.Out)
		}
	}
}

func TestFilterObject(t *testing.T) {
	token := tokenTo(t, "rsa", seal.NamespaceWide, "pw").String()
	out, plain, err := seal.FilterObject(marshalled(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "a"},
		"stringData": map[string]any{"a": token, "b": "x", "c": ""},
	}))
	if err != nil || cmp.Diff(plain, []string{"b"}) != "" || !json.Valid(out) || !strings.Contains(string(out), `"kind": "SealedSecret"`) {
		t.Errorf("got %v, %v, %s", plain, err, out)
	}
	for _, object := range []string{`{"kind":"Secret","apiVersion":"v1","stringData":{"a":"b"}}`, `{"kind":"ConfigMap"}`, `[]`, ``} {
		if out, plain, err := seal.FilterObject([]byte(object)); out != nil || plain != nil || err != nil {
			t.Errorf("%s: got %s, %v, %v", object, out, plain, err)
		}
	}
	if _, _, err := seal.FilterObject([]byte(`{"kind":"ConfigMap","data":{"a":"` + token + `"}}`)); err == nil {
		t.Error("a token in a ConfigMap passes")
	}
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// What is large, repeats itself or is encoded without end comes to an end.
func TestTheFilterIsBounded(t *testing.T) {
	token := tokenTo(t, "x25519", seal.NamespaceWide, "x").String()
	deep := token
	for range 8 {
		deep = b64([]byte(deep))
	}
	for name, tt := range map[string]struct{ manifest, want string }{
		"many encodings":     {secretOf("stringData", deep), "a token below more encodings than are looked into"},
		"letters":            {secretOf("data", b64([]byte(strings.Repeat("A", 700<<10)))), ""},
		"letters of letters": {secretOf("stringData", b64([]byte(strings.Repeat(b64([]byte("ZnVpbj")), 90<<10)))), ""},
		"ones":               {secretOf("stringData", strings.Repeat("fuin1", 200<<10)), ""},
		"beginnings":         {secretOf("stringData", strings.Repeat("fuin1n_9_", 100<<10)), "a token that was altered"},
		"a JSON of quotes":   {secretOf("stringData", `["`+strings.Repeat(`\"","`, 100<<10)+`"]`), ""},
		"brackets":           {secretOf("stringData", strings.Repeat("[", 1<<20)), ""},
		"many tokens":        {secretOf("stringData", strings.Repeat(token+" {{", 1000)), ""},
		"too large a value":  {secretOf("stringData", token+strings.Repeat("x", 1<<20)), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := seal.Filter([]byte(tt.manifest), seal.FilterOptions{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}
