package seal_test

import (
	"strings"
	"testing"

	"fuin.dev/seal"

	"github.com/google/go-cmp/cmp"
)

// upper rewrites each <word> of a text, and nothing in annotations.
func upper(t seal.Text) (made []seal.Substitution) {
	if len(t.Way) > 1 && t.Way[1] == "annotations" {
		return nil
	}
	rest := t.Value
	for {
		_, from, ok := strings.Cut(rest, "<")
		word, after, closed := strings.Cut(from, ">")
		if !ok || !closed {
			return made
		}
		made = append(made, seal.Substitution{Old: "<" + word + ">", New: strings.ToUpper(word)})
		rest = after
	}
}

func TestRewriteKeepsEveryOtherByte(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":       {"# c\na: b # d\n", "# c\na: b # d\n"},
		"plain":         {"# c\na:   x<b>y   # <d>\ne: [<f>, 'g <h>']\n", "# c\na:   xBy   # <d>\ne: [F, 'g H']\n"},
		"quotes":        {"a: 'it''s <b>'\nc: \"\\t<d>\\\"\"\n", "a: 'it''s B'\nc: \"\\tD\\\"\"\n"},
		"escaped":       {"a: \"\\x3cb\\x3e\"\nc: d\n", "a: \"B\"\nc: d\n"},
		"a block":       {"a: |\n    x: <b>\n\n    y: <c>\n# d\ne: f\n", "a: |\n    x: B\n\n    y: C\n# d\ne: f\n"},
		"folded":        {"a: >-\n  x <b>\n  y <c>\nd: e\n", "a: >-\n  x B\n  y C\nd: e\n"},
		"over a fold":   {"a: >-\n  x <b\n  c>\nd: e\n", "a: \"x B C\"\nd: e\n"},
		"an alias":      {"a: &x <b>\nc: *x\n", "a: &x B\nc: *x\n"},
		"line ends":     {"a: <b>\r\n---\r\nc: |\r\n  <d>\r\n", "a: B\r\n---\r\nc: |\r\n  D\r\n"},
		"a mark":        {"\xef\xbb\xbfa: <b>\n", "\xef\xbb\xbfA: B\n"},
		"documents":     {"# c\n---\na: b\n--- # d\na: <b>\n...\n# e\n", "# c\n---\na: b\n--- # d\na: B\n...\n# e\n"},
		"keys":          {"<a>: <b>\n", "<a>: B\n"},
		"no text":       {"a: 1\nb: true\nc:\n", "a: 1\nb: true\nc:\n"},
		"JSON":          {"{\"a\":  [ \"<b>\", \"\\u003cc>\" ], \"d\": \"é<e>\"}\n", "{\"a\":  [ \"B\", \"C\" ], \"d\": \"éE\"}\n"},
		"an annotation": {"kind: X\nmetadata: {annotations: {a: <b>}}\nc: <d>\n", "kind: X\nmetadata: {annotations: {a: <b>}}\nc: D\n"},
		"no line end":   {"a: x <b>", "a: x B"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want = strings.Replace(tt.want, "\xbfA:", "\xbfa:", 1)
			got, err := seal.Rewrite([]byte(tt.in), upper)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got.Out)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRewriteTellsWhatItAsksAbout(t *testing.T) {
	const file = `kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {name: a, namespace: b, annotations: {c: d}}
    stringData:
      e: [f]
---
g: h
`
	var got []seal.Text
	result, err := seal.Rewrite([]byte(file), func(t seal.Text) []seal.Substitution {
		got = append(got, t)
		if t.Value == "f" {
			return []seal.Substitution{{Old: "f", New: "true"}}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(file, "[f]", `["true"]`, 1), string(result.Out)); diff != "" {
		t.Error(diff)
	}
	notes := map[string]string{"c": "d"}
	want := []seal.Text{
		{"v1", 3, []string{"apiVersion"}, "v1", "Secret", "b", "a", notes},
		{"Secret", 4, []string{"kind"}, "v1", "Secret", "b", "a", notes},
		{"a", 5, []string{"metadata", "name"}, "v1", "Secret", "b", "a", notes},
		{"b", 5, []string{"metadata", "namespace"}, "v1", "Secret", "b", "a", notes},
		{"d", 5, []string{"metadata", "annotations", "c"}, "v1", "Secret", "b", "a", notes},
		{"f", 7, []string{"stringData", "e", "[0]"}, "v1", "Secret", "b", "a", notes},
		{"h", 9, []string{"g"}, "", "", "", "", nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b/a"}, result.Objects); diff != "" {
		t.Error(diff)
	}
}

func TestRewriteRefusesWhatItCannotProve(t *testing.T) {
	anchor := "kind: X\na: &x <b>\nmetadata: {annotations: {c: *x}}\n"
	for _, in := range []string{anchor, "a: b\n- c", "- a", "a: {{ .b }}"} {
		if got, err := seal.Rewrite([]byte(in), upper); err == nil {
			t.Errorf("%q became %q", in, got.Out)
		}
	}
}

// Whatever is rewritten reads as what was asked for, and nothing else changes.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{
		"a: <b>\n", "a: |+\n  <b>\n\n", "a: >\n <b\n c>\n", "{\"a\":\"\\u003cb>\"}", "a: &x '<b>'\nc: [*x, \"<d>\\n\"]\n", "? <a>\n: <b>\n", "a:\n- <b>\n-\n  - <c>\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after []string
		if _, err := seal.Rewrite(data, func(t seal.Text) []seal.Substitution {
			text := t.Value
			if made := upper(t); len(made) > 0 {
				for _, m := range made {
					text = strings.Replace(text, m.Old, m.New, 1)
				}
			}
			before = append(before, text)
			return nil
		}); err != nil {
			return
		}
		r, err := seal.Rewrite(data, upper)
		if err != nil {
			return
		}
		if _, err := seal.Rewrite(r.Out, func(t seal.Text) []seal.Substitution {
			after = append(after, t.Value)
			return nil
		}); err != nil {
			t.Fatalf("%q became %q: %v", data, r.Out, err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("%q became %q: %s", data, r.Out, diff)
		}
	})
}
