package seal_test

import (
	"strings"
	"testing"

	"fuin.dev/seal"
)

const config = "apiVersion:  v1\nkind: ConfigMap\nmetadata: {name: x}\n"

func TestDirectivesBelongToTheNextDocument(t *testing.T) {
	const secret = head + "stringData: {a: hunter2}\n"
	for name, text := range map[string]string{
		"alone":           "%YAML 1.2\n---\n" + secret,
		"with a comment":  "# of the file\n%YAML 1.1\n---\n" + secret,
		"second":          config + "...\n%YAML 1.2\n---\n" + secret,
		"of what follows": secret + "...\n%YAML 1.2\n---\n" + config,
		"of what is kept": "%YAML 1.2\n---\n" + config + "---\n" + secret,
		"tag":             "%TAG !x! tag:example.com,2026:\n---\n" + secret,
		"of both":         "%YAML 1.2\r\n---\n" + secret + "...\n# note\n%YAML 1.2\n---\n" + config + "...\n",
	} {
		r := sealed(t, text, seal.Options{})
		back, err := opener("x25519").Manifest(t.Context(), r.Out, seal.SameFormat)
		if err != nil || !strings.Contains(string(back.Out), "a: aHVudGVyMg==") {
			t.Errorf("%s: opened as\n%s\nof\n%s\n%v", name, back.Out, r.Out, err)
		}
		if strings.Contains(text, config) && !strings.Contains(string(r.Out), config) {
			t.Errorf("%s: came out as\n%s", name, r.Out)
		}
	}
}

func TestLineEndsStay(t *testing.T) {
	text := config + "---\n# note\n" + head + "stringData:\n  a: |\n    one\n    two\n---\n" + config
	out := string(sealed(t, strings.ReplaceAll(text, "\n", "\r\n"), seal.Options{}).Out)
	if n := strings.Count(out, "\n"); n < 20 || strings.Count(out, "\r\n") != n {
		t.Errorf("came out as %q", out)
	}
	if out := string(sealed(t, text, seal.Options{}).Out); strings.Contains(out, "\r") {
		t.Errorf("came out as %q", out)
	}
}

func TestByteOrderMarkStaysWithWhatIsKept(t *testing.T) {
	const mark, secret = "\xef\xbb\xbf", head + "stringData: {a: b}\n"
	if out := string(sealed(t, mark+config+"---\n"+secret, seal.Options{}).Out); !strings.HasPrefix(out, mark+config) {
		t.Errorf("came out as %q", out)
	}
	if out := string(sealed(t, mark+secret+"---\n"+config, seal.Options{}).Out); strings.Contains(out, mark) {
		t.Errorf("came out as %q", out)
	}
}

func TestLineEndOfTheLastJSONObjectStays(t *testing.T) {
	const secret = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"shop"},"stringData":{"a":"b"}}`
	for _, end := range []string{"", "\n", "\n\n", " \n"} {
		const other = `{"kind":  "ConfigMap"}`
		in := []byte(secret + "\n" + other + end)
		r := sealed(t, string(in), seal.Options{})
		if !strings.HasSuffix(string(r.Out), "}\n"+other+end) {
			t.Errorf("%q came out as %q", end, r.Out)
		}
	}
}
