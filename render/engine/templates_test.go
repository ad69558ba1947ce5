package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"fuin.dev/render/engine"
	"fuin.dev/render/wire"

	"github.com/google/go-cmp/cmp"
)

// canary is the value that nothing may show. It is a number too, for what
// could be mistaken for a line.
const canary = "7777777canary"

var inputs = []wire.Input{{Key: "pw", Value: []byte(canary)}}

func run(t testing.TB, texts ...string) []wire.Rendered {
	t.Helper()
	req := wire.Templates{Inputs: inputs}
	for i, text := range texts {
		req.Items = append(req.Items, wire.Template{Key: fmt.Sprint("k", i), Text: []byte(text)})
	}
	var all []wire.Rendered
	err := engine.Templates(req, func(r wire.Rendered) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFailuresSayWhereAndNothingElse(t *testing.T) {
	for text, want := range map[string]wire.Failure{
		// what does not parse
		"{{":                                {Class: wire.Parse, Line: 1},
		"\n\n{{ if }}":                      {Class: wire.Parse, Line: 3},
		"{{ foo_Bar9 .pw }}":                {Class: wire.Undefined, Line: 1},
		"{{ default x" + canary + " .pw }}": {Class: wire.Undefined, Line: 1},
		"{{ .pw | toYaml }}":                {Class: wire.Undefined, Line: 1, Function: "toYaml"},
		"\n{{ env \"HOME\" }}":              {Class: wire.Undefined, Line: 2, Function: "env"},
		`{{ expandenv "$HOME" }}`:           {Class: wire.Undefined, Line: 1, Function: "expandenv"},
		`{{ getHostByName "a" }}`:           {Class: wire.Undefined, Line: 1, Function: "getHostByName"},
		`{{ include "a" . }}`:               {Class: wire.Undefined, Line: 1, Function: "include"},
		"{{ passwörd }}":                    {Class: wire.Undefined, Line: 1},
		"{{ " + canary + " }}":              {Class: wire.Parse, Line: 1},
		`{{ "` + canary:                     {Class: wire.Parse, Line: 1},
		"{{ $" + canary + " }}":             {Class: wire.Parse, Line: 1},
		"{{ '" + canary + "' }}":            {Class: wire.Parse, Line: 1},
		"{{ .pw | " + canary + "(}}":        {Class: wire.Parse, Line: 1},
		"{{ if true }}" + canary:            {Class: wire.Parse, Line: 1},

		// what fails while it runs
		"{{ fail .pw }}": {Class: wire.Execute, Line: 1},
		"\n{{ fail (printf \"template: k0:3: %s\" .pw) }}\n\n":              {Class: wire.Execute, Line: 2},
		"a\nb\n{{ index .m .pw }}":                                          {Class: wire.Execute, Line: 3},
		"{{ .pw.x }}":                                                       {Class: wire.Execute, Line: 1},
		"{{ template \"none\" .pw }}":                                       {Class: wire.Execute, Line: 1},
		"{{ define \"a\" }}\n{{ fail . }}{{ end }}{{ template \"a\" .pw }}": {Class: wire.Execute, Line: 2},
		"{{ mustToDate \"2006\" .pw }}":                                     {Class: wire.Execute, Line: 1},
		"{{ mustRegexMatch (cat \"[\" .pw) .pw }}":                          {Class: wire.Execute, Line: 1},
		"{{ semver .pw }}":                                                  {Class: wire.Execute, Line: 1},
		"{{ mustFromJson .pw }}":                                            {Class: wire.Execute, Line: 1},
		"{{ first .pw }}":                                                   {Class: wire.Execute, Line: 1},
		"{{ call .pw }}":                                                    {Class: wire.Execute, Line: 1},
		"{{ range .pw }}{{ end }}":                                          {Class: wire.Execute, Line: 1},
		"{{ slice .pw 90 }}":                                                {Class: wire.Execute, Line: 1},
		"{{ lt .pw 1 }}":                                                    {Class: wire.Execute, Line: 1},
		"{{ div 1 0 }}":                                                     {Class: wire.Execute, Line: 1},
		"{{ repeat -1 .pw }}":                                               {Class: wire.Execute, Line: 1},
		"{{ len 3 }}":                                                       {Class: wire.Execute, Line: 1},
		"{{ decryptAES .pw .pw }}":                                          {Class: wire.Execute, Line: 1},
		"{{ genSignedCert .pw nil nil 1 .pw }}":                             {Class: wire.Execute, Line: 1},
		"{{ genCAWithKey .pw 1 .pw }}":                                      {Class: wire.Execute, Line: 1},
		"{{ urlParse (cat \"://\" .pw) }}":                                  {Class: wire.Execute, Line: 1},
		"{{ printf \"%d\" (atoi .pw) | fail }}":                             {Class: wire.Execute, Line: 1},
	} {
		t.Run(text, func(t *testing.T) {
			got := run(t, text)[0]
			if got.Failure == nil {
				t.Fatalf("it rendered %q", got.Value)
			}
			if said, _ := json.Marshal(got); strings.Contains(string(said), "canary") {
				t.Errorf("the failure holds a value: %s", said)
			}
			if diff := cmp.Diff(&want, got.Failure); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The error of text/template begins with the key, which may imitate it.
func TestOddKeys(t *testing.T) {
	for _, key := range []string{"", "a:7", "%s", "%d:9", "a\nb", "template: a:3: ", strings.Repeat("k", 300), "a%%b"} {
		req := wire.Templates{Inputs: inputs, Items: []wire.Template{{Key: key, Text: []byte("\n{{ fail .pw }}")}}}
		err := engine.Templates(req, func(r wire.Rendered) error {
			if r.Key != key || r.Failure == nil || r.Failure.Class != wire.Execute || r.Failure.Line != 2 && !strings.Contains(key, "%") {
				t.Errorf("key %q: %+v", key, r.Failure)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	full := fmt.Sprintf(`{{ repeat %d "x" }}`, wire.MaxOutput)
	got := run(t, full, "", "y")
	if len(got[0].Value) != wire.MaxOutput || got[1].Failure != nil {
		t.Errorf("what fits exactly fails: %+v", got[0].Failure)
	}
	if f := got[2].Failure; f == nil || f.Class != wire.Output {
		t.Errorf("the byte above the bound: %+v", f)
	}
	loop := "{{ range 100000000000 }}0123456789{{ end }}"
	if f := run(t, loop)[0].Failure; f == nil || f.Class != wire.Output {
		t.Errorf("a loop that writes: %+v", f)
	}
}

func TestAFailureDoesNotStopTheOthers(t *testing.T) {
	got := run(t, "{{ fail .pw }}", "{{ .pw }}", "{{ nope }}", "ok")
	if string(got[1].Value) != canary || string(got[3].Value) != "ok" || got[0].Failure == nil || got[2].Failure == nil {
		t.Errorf("%+v", got)
	}
}

func TestTemplatesDoNotSeeEachOther(t *testing.T) {
	got := run(t, `{{ define "a" }}secret{{ end }}`, `{{ template "a" }}`, `{{ template "k0" }}`)
	if got[1].Failure == nil || got[2].Failure == nil {
		t.Errorf("%+v", got)
	}
}

func TestEndsWithItsReader(t *testing.T) {
	gone := errors.New("gone")
	calls := 0
	req := wire.Templates{Items: make([]wire.Template, 3)}
	err := engine.Templates(req, func(wire.Rendered) error { calls++; return gone })
	if !errors.Is(err, gone) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if engine.Templates(wire.Templates{Items: make([]wire.Template, wire.MaxTemplates+1)}, nil) == nil {
		t.Error("any number of templates is accepted")
	}
}

// hang matches templates that may, lawfully, run for ever or use up memory:
// in the sandbox they are killed, here they would only stop the fuzzer.
var hang = regexp.MustCompile(`\d{3}|0[xXbBoO]|'|template|block|until|seq|repeat|indent|wrap|rand|gen|bcrypt|htpasswd|derive|mul|pow|date|printf|set|range[^}]*range`)

// FuzzTemplates: no template panics, and no failure holds an input.
func FuzzTemplates(f *testing.F) {
	for _, seed := range []string{
		`{{ .pw | b64enc | quote }}`, `{{ index . "pw" }}`, `{{ if .pw }}{{ .pw }}{{ else }}x{{ end }}`,
		`{{ range $i, $c := splitList "a" .pw }}{{ $i }}{{ end }}`, `{{ with .pw }}{{ . }}{{ end }}`,
		`{{ fail .pw }}`, `{{ .pw.x }}`, `{{ (dict "a" .pw).a }}`, `{{- /* c */ -}}`, `{{ break }}`, `{{ $x := .pw }}{{ $x = 1 }}`,
		"{{ `raw` }}", `{{ call .pw }}`, `{{ .pw | `, `{{ and .pw (or nil .pw) | toJson }}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if hang.MatchString(text) || len(text) > 300 || strings.Contains(text, "canary") {
			t.Skip()
		}
		got := run(t, text)[0]
		if got.Failure == nil {
			return
		}
		if said, _ := json.Marshal(got); strings.Contains(string(said), "canary") || got.Value != nil {
			t.Errorf("the failure holds a value: %s", said)
		}
		if lines := 1 + strings.Count(text, "\n"); got.Failure.Line > lines {
			t.Errorf("line %d of %d", got.Failure.Line, lines)
		}
	})
}

// TestValuesOfReferences are reached by their function only, wherever in a
// template it stands: not by who ranges over all inputs.
func TestValuesOfReferences(t *testing.T) {
	req := wire.Templates{Inputs: []wire.Input{
		{Key: "a", Value: []byte("sealed")},
		{Key: wire.Reference + "0", Value: []byte("{{ .a }}")}, {Key: wire.Reference + "1", Value: []byte{0, 0xff}},
	}}
	call := "{{" + wire.ReferenceFunction + ` "0"}}`
	want := map[string]string{
		call:                    "{{ .a }}",
		`{{fuinReference "1"}}`: "\x00\xff",
		`{{range $k, $v := .}}{{$k}}{{end}} {{len .}}`:           "a 1",
		`{{define "t"}}<` + call + `>{{end}}{{template "t" .a}}`: "<{{ .a }}>",
		`{{with .a}}{{.}}` + call + `{{end}}`:                    "sealed{{ .a }}",
		`{{index . "fuin.dev/reference/0"}}`:                     "",
	}
	for text := range want {
		req.Items = append(req.Items, wire.Template{Key: text, Text: []byte(text)})
	}
	got := map[string]string{}
	if err := engine.Templates(req, func(r wire.Rendered) error {
		if r.Failure != nil {
			t.Errorf("%s: %+v", r.Key, r.Failure)
		}
		got[r.Key] = string(r.Value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
