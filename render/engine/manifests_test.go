package engine_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"fuin.dev/render/wire"

	"sigs.k8s.io/yaml"
)

const planted = "hunter2canary"

// FuzzManifests: whatever a file holds, rendering it ends with objects or a
// fault within the file that quotes nothing; a file of one document is what
// sigs.k8s.io/yaml makes of it.
func FuzzManifests(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		"# c\n---\na: b\n--- # d\nc: &x [*x]\n...\n%YAML 1.1\n---\n- 1\n",
		"a: &a [x]\nb: {<<: {c: *a}}\n",
		"a: 0644\nb: yes\nc: 1e3\nd: .inf\ne: 2020-01-01\n1: 2\ntrue: x\n",
		"a: {{ .b }}\n", "a: @@TAG@@\n", "a:\n\tb: c\n", "\xef\xbb\xbfa: b\r\n---\r\nc: d\r\n",
		"a: |\n  ---\n  b\n---\n\"---\": x\n", "a: 'x\n---\ny'\n", "a: b\na: c\n", "--- |\n x\n--- {a: b}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.ReplaceAll(text, []byte("x"), []byte(planted))
		r := renderDirectory(t, fstest.MapFS{"a.yaml": {Data: text}}, wire.Directory{Path: "."})
		if strings.Contains(r.says(), planted) {
			t.Errorf("it quotes %q: %s", text, r.says())
		}
		lines := 1 + bytes.Count(text, []byte("\n"))
		if fault := r.done.Fault; fault != nil && (fault.File != "a.yaml" || fault.Line < 0 || fault.Line > lines) {
			t.Errorf("%q: line %d of %s", text, fault.Line, fault.File)
		}
		for _, o := range r.objects {
			if !json.Valid(o.Content) || o.Line < 1 || o.Line > lines {
				t.Errorf("%q: %s in line %d", text, o.Content, o.Line)
			}
		}
		single(t, text, r)
	})
}

// single compares a file of one document with what the library reads.
func single(t *testing.T, text []byte, r rendered) {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("---")) || bytes.HasPrefix(line, []byte("...")) || bytes.HasPrefix(line, []byte("%")) {
			return
		}
	}
	want, err := yaml.YAMLToJSON(text)
	if err != nil || bytes.IndexByte(want, '{') != 0 || len(r.objects) == 0 {
		return
	}
	if got := string(r.objects[0].Content); got != string(want) {
		t.Errorf("%q: got %s, want %s", text, got, want)
	}
}
