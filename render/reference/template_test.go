package reference_test

import (
	"fmt"
	"strings"
	"testing"
	"text/template"
	"text/template/parse"

	"fuin.dev/render/reference"

	"github.com/google/go-cmp/cmp"
)

func TestParseTemplate(t *testing.T) {
	ab := reference.Reference{Path: "a/b"}
	for text, want := range map[string][]reference.Part{
		"":                                   nil,
		"{{ no template":                     {lit(0, "{{ no template")},
		"ref+vault://a/b":                    {ref(0, ab)},
		"{{ .x }} ref+vault://a/b+ {{ .y }}": {lit(0, "{{ .x }} "), ref(9, ab), lit(25, " {{ .y }}")},
		"{{ `}}` }}ref+vault://a/b+":         {lit(0, "{{ `}}` }}"), ref(10, ab)},
		`{{ "}}\"}}" }}ref+vault://a/b+`:     {lit(0, `{{ "}}\"}}" }}`), ref(14, ab)},
		"{{ '}' }}ref+vault://a/b+":          {lit(0, "{{ '}' }}"), ref(9, ab)},
		"{{/* }} */}}ref+vault://a/b+":       {lit(0, "{{/* }} */}}"), ref(12, ab)},
		"{{- /* }} */ -}}ref+vault://a/b+":   {lit(0, "{{- /* }} */ -}}"), ref(16, ab)},
		"{{- 1 -}}ref+vault://a/b+{{- 1 }}":  {lit(0, "{{- 1 -}}"), ref(9, ab), lit(25, "{{- 1 }}")},
		"ref++vault://{{ .x }}":              {lit(0, "ref+vault://{{ .x }}")},
		"{{ `ref++vault://a` }}":             {lit(0, "{{ `ref++vault://a` }}")},
	} {
		got, err := reference.ParseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestTemplateRefusals(t *testing.T) {
	for text, want := range map[string]struct {
		at      int
		message string
	}{
		"{{ \"ref+vault://a/b+\" }}":                 {4, "inside a template's {{ }}"},
		"{{/* ref+vault://a/b+ */}}":                 {5, "inside a template's {{ }}"},
		"{{ `}} ref+vault://a/b+` }}":                {7, "inside a template's {{ }}"},
		"ref+vault://a/{{ .x }}+":                    {0, "before a template's {{ }}"},
		"ref+vault://a/b{{ .x }}":                    {0, "before a template's {{ }}"},
		"ref+vault://a/b+{{ .x":                      {16, "has no }}"},
		"ref+vault://a/b+{{ \"\n\" }}":               {16, "has no }}"},
		"ref+vault://a/b+{{ `}}":                     {16, "has no }}"},
		"ref+vault://a/b+{{/* */ x}}":                {16, "has no }}"},
		"{{ .x }}ref+vault://a/../b+":                {22, "a segment . or .."},
		strings.Repeat("ref+vault://a/b+{{1}}", 300): {21 * 256, "more than 256"},
	} {
		got, err := reference.ParseTemplate(text)
		e, ok := err.(*reference.Error) //nolint:errorlint // it is returned as it is
		if !ok || got != nil {
			t.Errorf("%.80q: got %v, %v", text, got, err)
			continue
		}
		if e.Offset != want.at || !strings.Contains(e.Message, want.message) {
			t.Errorf("%.80q: at %d: %s", text, e.Offset, e.Message)
		}
	}
}

// What fills a reference's place is data: beside braces, trim markers and
// actions the template makes what it made before.
func TestFill(t *testing.T) {
	for text, want := range map[string]string{
		"ref+vault://a/b":                                "<{{ V }}>",
		"x ref+vault://a/b+ y":                           "x <{{ V }}> y",
		"{ref+vault://a/b+}":                             "{<{{ V }}>}",
		`{{ "{" }}{ref+vault://a/b+}}`:                   "{{<{{ V }}>}}",
		" {{- .x -}} {ref+vault://a/b+ {{- .x }}":        "X{<{{ V }}>X",
		"ref+vault://a/b+ref+vault://a/c+":               "<{{ V }}><{{ V }}>",
		"{{ range $i, $e := .x }}{{ end }}ref++vault://": "ref+vault://",
		`{{ if .x }}ref+vault://a/b+{{ end }}`:           "<{{ V }}>",
		`{{ with .x }}ref+vault://a/b+{{ end }}`:         "<{{ V }}>",
	} {
		parts, err := reference.ParseTemplate(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		filled := reference.Fill(parts, func(i int) string { return fmt.Sprintf("<{{index $ \"in/%d\"}}>", i) })
		var out strings.Builder
		tmpl, err := template.New("").Parse(filled)
		if err == nil {
			inputs := map[string]any{"x": "X", "in/0": "{{ V }}", "in/1": "{{ V }}"}
			if strings.Contains(text, "range") {
				inputs["x"] = []int{1}
			}
			err = tmpl.Execute(&out, inputs)
		}
		if err != nil || out.String() != want {
			t.Errorf("%q, filled as %q: %q, %v", text, filled, out.String(), err)
		}
	}
}

func TestTemplateOfText(t *testing.T) {
	for _, text := range []string{"", "x", "{", "{{", "{{{", "{{{{{", "}}", "{{ .x }}", "{{/* */}}", "a {{- b -}} c", "{{\"", "{{`", "{ {{ {"} {
		var out strings.Builder
		tmpl, err := template.New("").Parse(reference.Template(text))
		if err == nil {
			err = tmpl.Execute(&out, nil)
		}
		if err != nil || out.String() != text {
			t.Errorf("%q: %q, %v", text, out.String(), err)
		}
	}
}

const marker = "ref+vault://m/p+"

// ParseTemplate divides actions and literal text as text/template does: a
// reference that it finds stands in literal text, and no other one does.
func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{
		"@", "{{ .x }}@{{ .y }}", "{{ `@}}` }}@", `{{ "\"}}@" }}@`, "{{/* @ */}}@", "{{- /* }} */ -}}@", "{{ '\\'' }}@", "{@}{{1}}",
		"{{ define `t` }}@{{ end }}{{ template `t` . }}", "{{ range .x }}@{{ break }}{{ else }}@{{ end }}", "{{- -1 -}} @ {{- 3 }}", "{{{@}}}", "{{`a\n`}}@",
		"{{/*a*/ -}}\n@\n{{- /*b*/}}", "{{ (index . `a}}`).b }}@", "{{ $x := 0x1p-2 }}@", "{{\"\\\\\"}}@", "{{- }}@", "{{-}}@", "{{ -}}@", "{{/*/}}@*/}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed string) {
		if strings.Contains(seed, "vault://") {
			return // counted otherwise
		}
		text := strings.ReplaceAll(seed, "@", marker)
		parts, err := reference.ParseTemplate(text)
		literal, ok := literalText(text)
		if !ok || strings.Contains(seed, "f+") || strings.Contains(seed, "ref") {
			return // no template; or a marker that is not one
		}
		inside := strings.Count(text, marker) - strings.Count(literal, marker)
		switch {
		case err != nil && inside == 0 && strings.Count(seed, "@") <= reference.MaxReferences:
			t.Fatalf("%q: %v", text, err)
		case err == nil && inside > 0:
			t.Fatalf("%q: a reference in an action was not seen", text)
		case err == nil && len(reference.Of(parts)) != strings.Count(literal, marker):
			t.Fatalf("%q: %d references, text/template sees %d", text, len(reference.Of(parts)), strings.Count(literal, marker))
		case err == nil && strings.Contains(text, marker):
			filled := reference.Fill(parts, func(int) string { return "{{ `" + marker + "` }}" })
			if _, ok := literalText(filled); !ok {
				t.Fatalf("%q does not parse when filled: %q", text, filled)
			}
		}
	})
}

// literalText is all the literal text of a template; ok is false if it does not
// parse.
func literalText(text string) (string, bool) {
	tree := parse.New("t")
	tree.Mode = parse.SkipFuncCheck | parse.ParseComments
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		return "", false
	}
	var all strings.Builder
	for _, tree := range trees {
		collect(tree.Root, &all)
	}
	if trees["t"] == nil {
		collect(tree.Root, &all)
	}
	return all.String(), true
}

func collect(n parse.Node, all *strings.Builder) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				collect(child, all)
			}
		}
	case *parse.TextNode:
		all.Write(n.Text)
		all.WriteByte('\n')
	case *parse.IfNode:
		collect(n.List, all)
		collect(n.ElseList, all)
	case *parse.RangeNode:
		collect(n.List, all)
		collect(n.ElseList, all)
	case *parse.WithNode:
		collect(n.List, all)
		collect(n.ElseList, all)
	}
}
