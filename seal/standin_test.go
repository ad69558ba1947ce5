package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// wordy has a long text in all places, with comments beside it.
const wordy = `# of the file
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
  labels: {app: TEXT, list: [TEXT, TEXT]}
  annotations:
    # above
    note: TEXT # beside
    TEXT: a long key
    again: TEXT
    # at the end
# before the values
stringData:
  a: TEXT # of a
  # of b
  b: x
data: {c: "eA==", d: VEVYVA==} # of all
`

// wordyJSON is JSON, of which nothing says how to quote it in YAML.
const wordyJSON = `{"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": TEXT, TEXT: "b", "c": [TEXT, "d", TEXT]}},
	{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop", "labels": {"a": TEXT}},
	"stringData": {"a": TEXT, "b": "x"}, "data": {"c": "DIGITS"}}]}`

// longTexts are some that YAML must quote and some that it need not.
func longTexts() []string {
	out := []string{"0x" + strings.Repeat("A7", 200), "1e" + strings.Repeat("7", 300), strings.Repeat("QQ==\n", 80)}
	for _, c := range []string{"A", "y", "N", "1", "0", "+", "/", "=", "-", "~", "A: ", "#", " #", "é", "{{", "\t", "|"} {
		out = append(out, c+strings.Repeat("A7", 200), strings.Repeat(c, 300), strings.Repeat("Zg0+/", 80)+c)
	}
	for _, length := range []int{255, 256, 257} {
		out = append(out, strings.Repeat("A", length))
	}
	return out
}

func TestLongTextIsWrittenAsYAMLWritesIt(t *testing.T) {
	for i, text := range longTexts() {
		fill := strings.NewReplacer("TEXT", fmt.Sprintf("%q", text), "DIGITS", strings.Repeat("1234", 100))
		one := plainly(t, fill.Replace(wordy))
		for _, manifest := range []string{one, plainly(t, "---\n"+one+"---\n"+config+"---\n"+one), fill.Replace(wordyJSON)} {
			encodedPlainly(t, manifest, "hybrid", "third")
			if i == 0 {
				encodedPlainly(t, manifest, "rsa", "other")
			}
		}
	}
}

// encodedPlainly seals, opens and reseals a manifest.
func encodedPlainly(t *testing.T, manifest, from, to string) {
	t.Helper()
	sealed, err := sealer(t, from).Manifest([]byte(manifest), seal.Options{Format: seal.YAML})
	if err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}
	opened, err := opener(from).Manifest(t.Context(), sealed.Out, seal.YAML)
	if err != nil {
		t.Fatal(err)
	}
	resealed := reseal(t, opener(from), string(sealed.Out), to)
	for _, r := range []seal.Result{sealed, opened, resealed} {
		if diff := cmp.Diff(plainly(t, string(r.Out)), string(r.Out)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// plainly encodes a file anew with the encoder alone, which decides how each
// long text is quoted.
func plainly(t *testing.T, file string) string {
	t.Helper()
	var out bytes.Buffer
	if strings.HasPrefix(file, "---\n") {
		out.WriteString("---\n")
	}
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for dec := yaml.NewDecoder(strings.NewReader(file)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return out.String()
		} else if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		unquote(&n)
		if err := enc.Encode(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// unquote makes a string of all long text, that of digits too.
func unquote(n *yaml.Node) {
	if len(n.Value) > 200 {
		n.Tag, n.Style = "!!str", 0
	}
	for _, child := range n.Content {
		unquote(child)
	}
}
