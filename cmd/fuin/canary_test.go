package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	canary      = "canary-4f1c9e-value"
	canaryShort = "zq7"
)

// TestErrorsShowNoValue runs the verbs over input that fails in many ways and
// looks for the values in all that is said.
func TestErrorsShowNoValue(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(canary))
	secret := func(body string) string {
		return "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n" + body
	}
	for name, manifest := range map[string]string{
		"not base64":          secret("data: {password: " + canary + "}"),
		"almost base64":       secret("data: {password: " + encoded + "!}"),
		"a number":            secret("stringData: {password: [" + canary + "]}"),
		"a mapping":           secret("stringData: {password: {" + canary + ": 1}}"),
		"no mapping":          secret("stringData: " + canary),
		"tab":                 secret("stringData:\n\tpassword: " + canary),
		"unclosed quote":      secret("stringData: {password: \"" + canary),
		"alias to nothing":    secret("stringData: {password: *" + canary + "}"),
		"unknown tag":         secret("stringData: {password: !!int " + canary + "}"),
		"twice":               secret("stringData: {password: " + canary + ", password: " + canary + "}"),
		"template":            secret("stringData: {password: {{ " + canary + " }}}"),
		"text":                canary,
		"env file":            "PASSWORD=" + canary,
		"broken json":         `{"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "` + canary + `"`,
		"json with rest":      `{"kind": "Secret"} ` + canary,
		"wrong json type":     `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "data": {"a": "` + canary + `"}}`,
		"sealed with garbage": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: shop}\nspec: {encryptedData: {password: " + canary + "}}",
		"plain template data": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: shop}\nspec: {encryptedData: {}, template: {data: {a: \"{{ fail \\\"" + canary + "\\\" }}\"}}}",
		"age identity":        "AGE-SECRET-KEY-1" + strings.ToUpper(canary),
		"broken PEM":          "-----BEGIN RSA PRIVATE KEY-----\n" + encoded + "\n-----END RSA PRIVATE KEY-----\n",
		"broken key Secret":   secret("type: kubernetes.io/tls\nlabels: {}\ndata: {tls.key: " + encoded + ", tls.crt: " + canary + "}"),
		"colon":               secret("stringData: {password: a: " + canary + "}"),
		"short":               secret("data: {password: " + canaryShort + "}"),
		"control characters":  "kind: \"\x1b[31m" + canary + "\"\n",
	} {
		t.Run(name, func(t *testing.T) { failSilently(t, manifest, encoded) })
	}
}

// failSilently gives a file to every verb, as every kind of input.
func failSilently(t *testing.T, manifest, encoded string) {
	dir := t.TempDir()
	if err := writeKeys(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "input.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	public, private := filepath.Join(dir, "hybrid.pub"), filepath.Join(dir, "hybrid.txt")
	for _, args := range [][]string{
		{"seal", "-r", public, file},
		{"seal", "-r", public, "--in-place", dir},
		{"seal", "-r", file, file},
		{"seal", "--cert", file, file},
		{"open", "-i", private, file},
		{"open", "-i", file, file},
		{"keys", "list", file},
		{"inspect", file},
		{"render", file},
		{"render", "--values", file, dir},
		{"render", "--ext-str", canary, dir},
		{"set", "-r", public, "-n", "shop", "--from-file", file, file, "password"},
		{"set", "-r", public, "-n", "shop", "--from-file", filepath.Join(dir, "absent"), file, "password=" + canary},
		{"set", "-r", public, file, "password", canary},
		{"set", "-r", file, "--generate", "16", file, "password"},
		{"unset", file, "password"},
	} {
		u, _, stderr := testUI("")
		u.run(t.Context(), args)
		said := stderr.String()
		for _, value := range []string{canary, strings.ToUpper(canary), encoded, canaryShort, "\x1b"} {
			if strings.Contains(said, value) {
				t.Errorf("fuin %s says %q", strings.Join(args, " "), said)
			}
		}
	}
}

// testUI is a ui with standard streams in memory.
func testUI(stdin string) (u *ui, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &ui{
		stdin: strings.NewReader(stdin), stdout: stdout, stderr: stderr,
		isTerminal: func(any) bool { return false },
		getenv:     func(string) string { return "" },
		now:        time.Now,
	}, stdout, stderr
}
