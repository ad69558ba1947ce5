package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"fuin.dev/seal"
)

// FuzzFilter: whatever a chart puts around a token and a plain value, the
// Secret is what it would be with the value of the token.
func FuzzFilter(f *testing.F) {
	token := tokenTo(f, "x25519", seal.NamespaceWide, "hunter2").String()
	for _, around := range []string{"T", "postgres://u:T@h", "{{T}}", "{T", "T{{", "a\n  T\nb", `{"a":"T"}`, `{"a":"\"T\""}`, "`T`", "\x00T", "TT", "base64T==", "%T%s", `{"0":"\\T"}`} {
		f.Add(around, uint8(0))
		f.Add(around, uint8(1))
		f.Add(around, uint8(2))
	}
	f.Fuzz(func(t *testing.T, around string, times uint8) {
		if len(around) > 1<<12 || strings.Contains(around, "ref+vault") || strings.Contains(around, "failed to encrypt") || len(seal.FindTokens(around)) > 0 {
			return
		}
		wrap := func(value string) string {
			text := strings.ReplaceAll(around, "T", value)
			for range times % 3 {
				text = b64([]byte(text))
			}
			return text
		}
		manifest := secretOf("data", b64([]byte(wrap(token))))
		r, err := seal.Filter([]byte(manifest), seal.FilterOptions{Plain: []string{"*"}})
		if err != nil {
			t.Skip() // a T may have made a remnant of it
		}
		if len(r.Objects) == 0 {
			if bytes.Contains([]byte(around), []byte("T")) {
				t.Fatalf("a token is not found in %q", around)
			}
			return
		}
		if got := filtered(t, manifest, seal.FilterOptions{Plain: []string{"*"}}); got["k"] != wrap("hunter2") {
			t.Errorf("%q becomes %q", wrap("hunter2"), got["k"])
		}
	})
}

// FuzzFilterAnything: no manifest makes it panic, and what comes out is read.
func FuzzFilterAnything(f *testing.F) {
	token := tokenTo(f, "x25519", seal.NamespaceWide, "x").String()
	for _, manifest := range []string{
		secretOf("data", b64([]byte(token))), secretOf("stringData", "x "+token), "kind: List\napiVersion: v1\nitems: [{kind: Secret}]\n",
		"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {data: {plain: x}}\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {a: " + token + "}}]\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: 1, labels: [" + token[:20] + "]}\ndata: []\nstringData: {a: {b: c}}\n",
	} {
		f.Add([]byte(manifest))
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		_, _ = seal.FunctionConfig(manifest)
		r, err := seal.Filter(manifest, seal.FilterOptions{})
		if err != nil {
			return
		}
		again, err := seal.Filter(r.Out, seal.FilterOptions{})
		if err != nil || !bytes.Equal(again.Out, r.Out) {
			t.Errorf("filtered twice it is another: %v\n%s\n%s", err, r.Out, again.Out)
		}
	})
}
