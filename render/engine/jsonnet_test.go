package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"fuin.dev/render/wire"

	"github.com/google/go-cmp/cmp"
	gojsonnet "github.com/google/go-jsonnet"
)

// evaluated is what the jsonnet command makes of a program, with the library
// paths of Tanka.
func evaluated(t *testing.T, file string, variables map[string]string) map[string]json.RawMessage {
	t.Helper()
	vm := gojsonnet.MakeVM()
	root := "../../testdata/repos/jsonnet/"
	vm.Importer(&gojsonnet.FileImporter{JPaths: []string{root + "vendor", root + "lib"}})
	for name, value := range variables {
		vm.ExtVar(name, value)
	}
	text, err := vm.EvaluateFile(file)
	check(t, err)
	var out map[string]json.RawMessage
	check(t, json.Unmarshal([]byte(text), &out))
	return out
}

func TestJsonnetMakesWhatJsonnetMakes(t *testing.T) {
	variables := map[string]string{"tag": "1.2.3"}
	for _, environment := range []string{"staging", "production"} {
		got := mustRender(t, repository(t, "jsonnet"), wire.Directory{
			Path: "environments/" + environment, Jsonnet: wire.JsonnetOptions{ExternalVariables: variables},
		})
		made := evaluated(t, "../../testdata/repos/jsonnet/environments/"+environment+"/main.jsonnet", variables)
		var web map[string]json.RawMessage
		check(t, json.Unmarshal(made["web"], &web))
		var want []string
		for _, data := range []json.RawMessage{made["debug"], made["hosts"], made["session"], made["settings"], web["deployment"], web["service"]} {
			if string(data) != "null" {
				want = append(want, canonicalJSON(t, data))
			}
		}
		if diff := cmp.Diff(want, got.canonical(t)); diff != "" {
			t.Errorf("%s: %s", environment, diff)
		}
		if len(want) < 5 || got.done.Kind != "Jsonnet" {
			t.Errorf("%s: %d objects by %s", environment, len(want), got.done.Kind)
		}
		for _, o := range got.objects {
			if o.File != "environments/"+environment+"/main.jsonnet" {
				t.Errorf("an object comes from %s", o.File)
			}
		}
	}
}

// sources are files by name.
func sources(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

// named is a Jsonnet expression for a ConfigMap.
func named(name string) string {
	return "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: " + name + "}}"
}

func TestJsonnetFindsObjectsAndImports(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		path  string
		with  wire.JsonnetOptions
		want  string
	}{
		"one object":      {files: map[string]string{"main.jsonnet": named("'a'")}, want: "ConfigMap/a"},
		"an array":        {files: map[string]string{"main.jsonnet": "[" + named("'b'") + ", [" + named("'a'") + "], null]"}, want: "ConfigMap/b ConfigMap/a"},
		"a tree":          {files: map[string]string{"main.jsonnet": "{z: " + named("'z'") + ", a: {c: [" + named("'c'") + "], b: " + named("'b'") + "}}"}, want: "ConfigMap/b ConfigMap/c ConfigMap/z"},
		"nothing":         {files: map[string]string{"main.jsonnet": "{}"}, want: ""},
		"another program": {files: map[string]string{"app.jsonnet": named("'a'"), "x.libsonnet": "error 'x'"}, want: "ConfigMap/a"},
		"main of several": {files: map[string]string{"main.jsonnet": named("'a'"), "b.jsonnet": "error 'x'"}, want: "ConfigMap/a"},
		"a function of defaults": {
			files: map[string]string{"main.jsonnet": "local n = 'a'; function(name=n) " + named("name")}, want: "ConfigMap/a",
		},
		"an external variable": {
			files: map[string]string{"main.jsonnet": named("std.extVar('n')")}, with: wire.JsonnetOptions{ExternalVariables: map[string]string{"n": "v"}}, want: "ConfigMap/v",
		},
		"a file beside": {
			path: "e/p", files: map[string]string{"e/p/main.jsonnet": "import '../x.libsonnet'", "e/x.libsonnet": named("importstr 'n.txt'"), "e/n.txt": "n"}, want: "ConfigMap/n",
		},
		"native functions": {
			files: map[string]string{"main.jsonnet": `
				local n = std.native;
				local yaml = n('manifestYamlFromJson')(n('manifestJsonFromJson')('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x-1"}}', 2));
				local name = n('regexSubst')(n('escapeStringRegex')('x-'), n('parseYaml')(yaml)[0].metadata.name, 'y');
				n('parseYaml')(yaml + '---\n' + yaml)[1] + {metadata: {name: if n('regexMatch')('^y1$', name) then n('parseJson')('"%s"' % name) else 'no'}}`},
			want: "ConfigMap/y1",
		},
		"lib before vendor, near before far": {
			path: "e/p", files: map[string]string{
				"e/p/main.jsonnet": "[import 'a.libsonnet', import 'b.libsonnet', import 'c.libsonnet']",
				"lib/a.libsonnet":  named("'lib'"), "e/p/vendor/a.libsonnet": named("'vendor'"),
				"e/lib/b.libsonnet": named("'near'"), "lib/b.libsonnet": named("'far'"),
				"vendor/c.libsonnet": named("'vendored'"),
			},
			want: "ConfigMap/lib ConfigMap/near ConfigMap/vendored",
		},
		"library paths, the last first": {
			files: map[string]string{"main.jsonnet": "import 'a.libsonnet'", "one/a.libsonnet": named("'one'"), "two/a.libsonnet": named("'two'"), "lib/a.libsonnet": named("'lib'")},
			with:  wire.JsonnetOptions{LibraryPaths: []string{"one", "two"}}, want: "ConfigMap/two",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.path == "" {
				tt.path = "."
			}
			got := mustRender(t, sources(tt.files), wire.Directory{Path: tt.path, Kind: "Jsonnet", Jsonnet: tt.with})
			if names := got.names(t); names != tt.want {
				t.Errorf("got %s, want %s", names, tt.want)
			}
		})
	}
}

func TestJsonnetFaultsSayWhereAndShowNoValue(t *testing.T) {
	const main = "main.jsonnet"
	for name, tt := range map[string]struct {
		files map[string]string
		with  wire.JsonnetOptions
		want  string
	}{
		"no program":   {want: ".:0 holds 0 files *.jsonnet, and none is main.jsonnet"},
		"two programs": {files: map[string]string{"a.jsonnet": "{}", "b.jsonnet": "{}"}, want: ".:0 holds 2 files *.jsonnet, and none is main.jsonnet"},
		"no Jsonnet":   {files: map[string]string{main: "{\n a: 'canary-7f3a"}, want: main + ":2 is not Jsonnet"},
		"an unknown variable": {
			files: map[string]string{main: "{\n a: foo}"}, want: main + ":2 is not Jsonnet: it uses foo, which is not defined",
		},
		"an import that is none": {
			files: map[string]string{main: "\nimport 'x.libsonnet'", "x.libsonnet": "{\n\n a: 'canary-7f3a"}, want: "x.libsonnet:3 is not Jsonnet",
		},
		"a function":                   {files: map[string]string{main: "local x = 1; function(tag, n=1, pw) {}"}, want: main + ":0 is a function of tag, pw, for which there are no arguments"},
		"a literal error":              {files: map[string]string{main: "\nerror 'a tag is wanted'"}, want: main + ":2 refuses to go on: a tag is wanted"},
		"an error of a literal":        {files: map[string]string{main: "local c = {pw: 'canary-7f3a'};\nerror c.pw"}, want: main + ":2 fails"},
		"an error of a value":          {files: map[string]string{main: "\nerror 'bad: ' + std.extVar('pw')"}, want: main + ":2 fails"},
		"an error that is one":         {files: map[string]string{main: "\nerror std.extVar('pw')"}, want: main + ":2 fails"},
		"an error in an import":        {files: map[string]string{main: "(import 'x.libsonnet').a", "x.libsonnet": "{\n a: error std.extVar('pw')}"}, want: "x.libsonnet:2 fails"},
		"an assertion":                 {files: map[string]string{main: "assert std.extVar('pw') == 'x';\n{}"}, want: main + ":1 fails: an assertion does not hold"},
		"a missing field":              {files: map[string]string{main: "\n{}[std.extVar('pw')]"}, want: main + ":2 fails: a field that it reads does not exist"},
		"std.parseJson":                {files: map[string]string{main: "\nstd.parseJson(std.extVar('pw'))"}, want: main + ":2 fails"},
		"std.assertEqual":              {files: map[string]string{main: "\nstd.assertEqual(std.extVar('pw'), 1)"}, want: main + ":2 fails: an assertion does not hold"},
		"a missing variable":           {files: map[string]string{main: "\nstd.extVar('tag')"}, want: main + ":2 wants the external variable tag, which is not given"},
		"a variable of a value":        {files: map[string]string{main: "\nstd.extVar(std.extVar('pw'))"}, want: main + ":2 fails"},
		"a native function":            {files: map[string]string{main: "\nstd.native('helmTemplate')('canary-7f3a')"}, want: main + ":2 calls a native function that does not exist here"},
		"a native function of text":    {files: map[string]string{main: "\nstd.native('parseJson')(std.extVar('pw'))"}, want: main + ":2 fails"},
		"a native function of no text": {files: map[string]string{main: "\nstd.native('parseYaml')(1)"}, want: main + ":2 fails"},
		"a native function of YAML":    {files: map[string]string{main: "\nstd.native('parseYaml')('a: b: ' + std.extVar('pw'))"}, want: main + ":2 fails"},
		"a trace":                      {files: map[string]string{main: "std.trace(std.extVar('pw'), error std.extVar('pw'))"}, want: main + ":1 fails"},
		"recursion":                    {files: map[string]string{main: "local f(n) = 1 + f(n + 1);\nf(0)"}, want: main + ":1 recurses too deeply: 500 calls are the most"},
		"an import of itself":          {files: map[string]string{main: "(import 'main.jsonnet') + {}"}, want: main + ":1 recurses too deeply: 500 calls are the most"},
		"a string":                     {files: map[string]string{main: "std.extVar('pw')"}, want: main + ":0 makes what is no object of Kubernetes at the top"},
		"a string in a tree":           {files: map[string]string{main: "{a: [{b: std.extVar('pw')}]}"}, want: main + ":0 makes what is no object of Kubernetes at .a[0].b"},
		"a key that is a value":        {files: map[string]string{main: "{a: {[std.extVar('pw')]: 1}}"}, want: main + ":0 makes what is no object of Kubernetes at .a.…"},
		"half of an object":            {files: map[string]string{main: "{a: {kind: 'Secret', data: {}}}"}, want: main + ":0 makes half of an object at .a: it has only one of apiVersion and kind"},
		"a function as a value":        {files: map[string]string{main: "{a: function(x) x}"}, want: main + ":0 fails: a function stands where a value is wanted"},
		"an absent import":             {files: map[string]string{main: "import 'k/k.libsonnet'"}, want: main + ":0 imports k/k.libsonnet, which is not in the checkout"},
		"an import of a folder":        {files: map[string]string{main: "import 'k'", "k/x": ""}, want: main + ":0 imports k, which is not in the checkout"},
		"an import of outside":         {files: map[string]string{main: "importstr '../../../../etc/passwd'"}, want: main + ":0 imports a path out of the checkout"},
		"an import of the root":        {files: map[string]string{main: "importstr '/etc/passwd'"}, want: main + ":0 imports an absolute path"},
		"an outside library path":      {files: map[string]string{main: "{}"}, with: wire.JsonnetOptions{LibraryPaths: []string{"../x"}}, want: ".:0 is given the library path \"../x\", which is out of the checkout"},
		"an absolute library":          {files: map[string]string{main: "{}"}, with: wire.JsonnetOptions{LibraryPaths: []string{"/usr"}}, want: ".:0 is given the library path \"/usr\", which is out of the checkout"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.with.ExternalVariables = map[string]string{"pw": "canary-7f3a"}
			got := renderDirectory(t, sources(tt.files), wire.Directory{Path: ".", Kind: "Jsonnet", Jsonnet: tt.with})
			f := got.done.Fault
			if f == nil {
				t.Fatalf("it renders to %s", got.names(t))
			}
			if said := fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Message); said != tt.want {
				t.Errorf("\ngot  %s\nwant %s", said, tt.want)
			}
			if strings.Contains(got.says(), "canary") {
				t.Errorf("it shows a value: %s", got.says())
			}
		})
	}
}
