package engine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"fuin.dev/render/wire"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	helmengine "helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

// helmTemplate is what helm template --include-crds --no-hooks makes, by Helm's
// own loader and sorter.
func helmTemplate(t *testing.T, dir string, valuesFiles []string, release common.ReleaseOptions) []string {
	t.Helper()
	c, err := loader.LoadDir(dir)
	check(t, err)
	values := map[string]any{}
	for _, name := range valuesFiles {
		more, err := common.ReadValuesFile(dir + "/" + name)
		check(t, err)
		values = loader.MergeMaps(values, more)
	}
	check(t, chartutil.ProcessDependencies(c, values))
	caps := common.DefaultCapabilities.Copy()
	version, err := common.ParseKubeVersion("v1.36.0")
	check(t, err)
	caps.KubeVersion = *version
	top, err := util.ToRenderValues(c, values, release, caps)
	check(t, err)
	files, err := helmengine.Render(c, top)
	check(t, err)
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, "NOTES.txt") })
	_, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	check(t, err)
	var out []string
	for _, crd := range c.CRDObjects() {
		out = append(out, canonicalYAML(t, string(crd.File.Data)))
	}
	for _, m := range manifests {
		if one := canonicalYAML(t, m.Content); one != "null" {
			out = append(out, one)
		}
	}
	return out
}

func canonicalYAML(t *testing.T, text string) string {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	check(t, err)
	return canonicalJSON(t, data)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHelmMakesWhatHelmMakes(t *testing.T) {
	for _, environment := range []string{"staging", "production"} {
		valuesFiles := []string{"values-" + environment + ".yaml"}
		got := mustRender(t, repository(t, "chart"), wire.Directory{
			Path: "shop", Helm: wire.HelmOptions{ReleaseName: "web", Namespace: environment, ValuesFiles: valuesFiles},
		})
		want := helmTemplate(t, "../../testdata/repos/chart/shop", valuesFiles,
			common.ReleaseOptions{Name: "web", Namespace: environment, Revision: 1, IsInstall: true})
		have := got.canonical(t)
		slices.Sort(have)
		slices.Sort(want)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", environment, diff)
		}
		if len(want) < 8 || got.done.Kind != "Helm" {
			t.Errorf("%s: %d objects by %s", environment, len(want), got.done.Kind)
		}
	}
}

// The end of a text in a document counts, and its beginning does not.
func TestHelmKeepsTheLastNewline(t *testing.T) {
	got := mustRender(t, chartFiles(map[string]string{
		"templates/a.yaml": "\n\n" + configMap + "data:\n  a: |\n    text\n",
		"templates/b.yaml": configMap + "data:\n  a: |\n    text\n---\n" + configMap + "data:\n  a: |+\n    text\n\n",
	}), wire.Directory{Path: "."})
	for i, want := range []string{`"text\n"`, `"text\n"`, `"text\n\n"`} {
		if content := string(got.objects[i].Content); !strings.Contains(content, want) {
			t.Errorf("%s has not %s", content, want)
		}
	}
}

func TestHelmTellsWhereObjectsComeFromAndWhatIsLeftOut(t *testing.T) {
	got := mustRender(t, repository(t, "chart"), wire.Directory{Path: "shop", Helm: wire.HelmOptions{ReleaseName: "web"}})
	files := map[string]bool{}
	for _, o := range got.objects {
		files[o.File] = true
	}
	for _, file := range []string{"shop/crds/coupon.yaml", "shop/templates/service.yaml", "shop/charts/cache/templates/statefulset.yaml", "shop/charts/queue/templates/topics.yaml"} {
		if !files[file] {
			t.Errorf("nothing comes from %s: %v", file, files)
		}
	}
	var notes []string
	for _, n := range got.notes {
		notes = append(notes, n.File+" "+n.Message)
	}
	want := []string{
		"shop/templates/migration.yaml makes Job web-migrate, a hook (pre-upgrade, post-install), which is not applied: " +
			"only Helm runs hooks; remove the annotation helm.sh/hook to have it applied with the rest",
		"shop/templates/tests/connection.yaml makes Pod web-test, a hook (test), which is not applied: " +
			"only Helm runs hooks; remove the annotation helm.sh/hook to have it applied with the rest",
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
}

// chartFiles is a chart at "." with these files more.
func chartFiles(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: app\nversion: 1.0.0\n")}}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

func TestHelmValuesAndDependencies(t *testing.T) {
	sub := func(name, more string) string {
		return "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n" + more
	}
	object := func(name string) string { return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n" }
	for name, tt := range map[string]struct {
		files map[string]string
		path  string
		helm  wire.HelmOptions
		want  string
	}{
		"later values count more": {
			files: map[string]string{"values.yaml": "who: a", "b.yaml": "who: b", "c.yaml": "who: c", "templates/x.yaml": object("{{ .Values.who }}")},
			helm:  wire.HelmOptions{ValuesFiles: []string{"b.yaml", "c.yaml"}}, want: "ConfigMap/c",
		},
		"values count most": {
			files: map[string]string{"b.yaml": "who: b", "templates/x.yaml": object("{{ .Values.who }}")},
			helm:  wire.HelmOptions{ValuesFiles: []string{"b.yaml"}, Values: []byte(`{"who":"v"}`)}, want: "ConfigMap/v",
		},
		"an empty values file": {
			files: map[string]string{"b.yaml": "", "templates/x.yaml": configMap},
			helm:  wire.HelmOptions{ValuesFiles: []string{"b.yaml"}}, want: "ConfigMap/a",
		},
		"a values file beside the chart": {
			path: "chart", files: map[string]string{
				"chart/Chart.yaml": sub("app", ""), "chart/templates/x.yaml": object("{{ .Values.who }}"), "values/b.yaml": "who: b",
			},
			helm: wire.HelmOptions{ValuesFiles: []string{"../values/b.yaml"}}, want: "ConfigMap/b",
		},
		"the release": {
			files: map[string]string{"templates/x.yaml": object("{{ .Release.Name }}-{{ .Release.Namespace }}-{{ .Release.IsInstall }}-{{ .Release.Service | lower }}")},
			helm:  wire.HelmOptions{ReleaseName: "r", Namespace: "n"}, want: "ConfigMap/r-n-true-helm",
		},
		"the release by default": {
			files: map[string]string{"templates/x.yaml": object("{{ .Release.Name }}-{{ .Release.Namespace }}")}, want: "ConfigMap/app-default",
		},
		"many documents, some empty": {
			files: map[string]string{"templates/x.yaml": "---\n# nothing\n---\n" + object("a") + "---\n\n---\n{{ if false }}" + object("b") + "{{ end }}---\n" + object("c")},
			want:  "ConfigMap/a ConfigMap/c",
		},
		"lookup finds nothing": {
			files: map[string]string{"templates/x.yaml": object(`x{{ len (lookup "v1" "Secret" "a" "b") }}{{ getHostByName "localhost" }}`)}, want: "ConfigMap/x0",
		},
		"the files of the chart": {
			files: map[string]string{".helmignore": "b/\n", "a/x": "a", "b/x": "b", ".git/x": "git", "templates/x.yaml": object(`{{ range $p, $_ := .Files }}{{ $p | replace "/" "." }}-{{ end }}`)},
			want:  "ConfigMap/.helmignore-a.x-",
		},
		"keys and values in order": {
			files: map[string]string{
				"values.yaml":      "m: {e: five, d: four, c: three, b: two, a: one}",
				"templates/x.yaml": object(`{{ keys .Values.m | join "" }}-{{ values .Values.m | join "" }}`),
			},
			want: "ConfigMap/abcde-onetwothreefourfive",
		},
		"a dependency that is off by a condition": {
			files: map[string]string{
				"Chart.yaml": sub("app", "dependencies: [{name: s, version: 1.x, condition: s.enabled}]"), "values.yaml": "s: {enabled: false}",
				"charts/s/Chart.yaml": sub("s", ""), "charts/s/templates/x.yaml": object("s"), "templates/x.yaml": object("a"),
			},
			want: "ConfigMap/a",
		},
		"a chart of the repository": {
			path: "app", files: map[string]string{
				"app/Chart.yaml": sub("app", "dependencies: [{name: s, version: 1.x, repository: \"file://../s\"}]"),
				"s/Chart.yaml":   sub("s", ""), "s/templates/x.yaml": object("{{ .Values.global.g }}"), "app/values.yaml": "global: {g: g}",
			},
			want: "ConfigMap/g",
		},
		"requirements of Helm 2": {
			files: map[string]string{
				"Chart.yaml": "name: app\nversion: 1.0.0\n", "requirements.yaml": "dependencies: [{name: s, version: 1.x, tags: [t]}]", "values.yaml": "tags: {t: false}",
				"charts/s/Chart.yaml": sub("s", ""), "charts/s/templates/x.yaml": object("s"), "templates/x.yaml": object("a"),
			},
			want: "ConfigMap/a",
		},
		"a hidden template and NOTES.txt": {
			files: map[string]string{"templates/.x.yaml": "{{ fail }}", "templates/NOTES.txt": "hello", "templates/_p.yaml": "{{ define \"p\" }}p{{ end }}no object", "templates/x.yaml": object("a")},
			want:  "ConfigMap/a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.path == "" {
				tt.path = "."
			}
			got := mustRender(t, chartFiles(tt.files), wire.Directory{Path: tt.path, Kind: "Helm", Helm: tt.helm})
			if names := got.names(t); names != tt.want {
				t.Errorf("got %s, want %s", names, tt.want)
			}
		})
	}
}

func TestHelmNotesWhatDiffersEachTime(t *testing.T) {
	got := mustRender(t, chartFiles(map[string]string{
		"values.yaml":           "length: 8",
		"templates/_h.tpl":      "{{ define \"pw\" }}\n{{ randAlphaNum (int .) }}{{ end }}",
		"templates/x.yaml":      configMap + `data: {a: {{ include "pw" .Values.length | trim | quote }}, b: "{{ now | date "2006" }}"}`,
		"templates/unused.yaml": "{{ if false }}{{ genCA \"a\" 1 }}{{ end }}",
	}), wire.Directory{Path: "."})
	var where []string
	for _, n := range got.notes {
		where = append(where, fmt.Sprintf("%s:%d %s", n.File, n.Line, strings.Split(n.Message, ":")[0]))
	}
	want := []string{"templates/_h.tpl:2 calls randAlphaNum", "templates/x.yaml:4 calls now"}
	if diff := cmp.Diff(want, where); diff != "" {
		t.Error(diff)
	}
}

// packaged is a chart archive, gzipped, with these files.
func packaged(t testing.TB, files ...[2]string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelmFaultsSayWhereAndShowNoValue(t *testing.T) {
	const tmpl = "templates/x.yaml"
	sub := "apiVersion: v2\nname: s\nversion: 1.0.0\n"
	for name, tt := range map[string]struct {
		files map[string]string
		helm  wire.HelmOptions
		want  string // FILE:LINE MESSAGE
	}{
		"no template":             {files: map[string]string{tmpl: "a: b\n{{ if }}"}, want: tmpl + ":2 is not a template: it does not parse"},
		"a function of elsewhere": {files: map[string]string{tmpl: "\n{{ env \"HOME\" }}"}, want: tmpl + ":2 calls env, a function that does not exist here"},
		"a misspelt function":     {files: map[string]string{tmpl: "{{ toyaml .Values.pw }}"}, want: tmpl + ":1 calls toyaml, a function that does not exist here"},
		"nil":                     {files: map[string]string{tmpl: "a: 1\nb: {{ .Values.image.tag.x }}"}, want: tmpl + ":2 fails: there is nothing at .Values.image.tag.x, or above it"},
		"a value as a key":        {files: map[string]string{tmpl: "{{ .Values.pw.x }}"}, want: tmpl + ":1 fails: a value is not what it expects"},
		"required":                {files: map[string]string{tmpl: "{{ required \"a host is wanted\" .Values.host }}"}, want: tmpl + ":1 refuses what it is given: a host is wanted"},
		"fail with a value":       {files: map[string]string{tmpl: "{{ fail (print .Values.pw \" is bad\") }}"}, want: tmpl + ":1 refuses what it is given, by fail or required"},
		"fail with the value":     {files: map[string]string{tmpl: "{{ fail .Values.pw }}"}, want: tmpl + ":1 refuses what it is given, by fail or required"},
		"a value that poses as an error": {
			files: map[string]string{tmpl: "{{ fail (print \"x\\n" + "app/templates/x.yaml:99: \" .Values.pw) }}"}, want: tmpl + ":1 refuses what it is given, by fail or required",
		},
		"an included failure": {
			files: map[string]string{"templates/_h.tpl": "{{ define \"h\" }}\n\n{{ .Values.pw.x }}{{ end }}", tmpl: "a: 1\nb: {{ include \"h\" . }}"},
			want:  tmpl + ":2 fails in templates/_h.tpl, line 3: a value is not what it expects",
		},
		"no such template": {files: map[string]string{tmpl: "{{ include \"labels.all\" . }}"}, want: tmpl + ":1 fails: no template is named \"labels.all\""},
		"tpl of a value":   {files: map[string]string{tmpl: "{{ tpl .Values.tpl . }}"}, want: tmpl + ":1 fails: tpl does not take what it is given"},
		"mustToJson":       {files: map[string]string{tmpl: "{{ mustFromJson .Values.pw }}"}, want: tmpl + ":1 fails: mustFromJson does not take what it is given"},
		"a panic":          {files: map[string]string{tmpl: "{{ mustToDuration .Values.pw }}"}, want: tmpl + ":1 fails: mustToDuration does not take what it is given"},
		"include of itself": {
			files: map[string]string{"templates/_h.tpl": "{{ define \"h\" }}{{ include \"h\" . }}{{ end }}", tmpl: "\n{{ include \"h\" . }}"},
			want:  tmpl + ":2 includes itself without end",
		},
		"no YAML":                {files: map[string]string{tmpl: "a: b: {{ .Values.pw }}"}, want: tmpl + ":0 renders to what is no YAML: mapping values are not allowed in this context"},
		"no object":              {files: map[string]string{tmpl: "pw: {{ .Values.pw }}"}, want: tmpl + ":0 renders to a document that is no object of Kubernetes"},
		"text":                   {files: map[string]string{tmpl: "{{ .Values.pw }}"}, want: tmpl + ":0 renders to a document that is no object of Kubernetes"},
		"a CRD that is none":     {files: map[string]string{"crds/x.yaml": "a: b: c"}, want: "crds/x.yaml:0 holds what is no YAML: mapping values are not allowed in this context"},
		"broken values":          {files: map[string]string{"values.yaml": "a: 1\nb: c: canary-7f3a"}, want: "values.yaml:2 is not the YAML that a chart has there"},
		"values that are text":   {files: map[string]string{"values.yaml": "canary-7f3a"}, want: "values.yaml:0 is not the YAML that a chart has there"},
		"values that are a bomb": {files: map[string]string{"values.yaml": yamlBomb()}, want: "values.yaml:0 is not the YAML that a chart has there"},
		"an output that is a bomb": {
			files: map[string]string{tmpl: yamlBomb()}, want: tmpl + ":0 renders to what has aliases that, written out, are too many or too large",
		},
		"a broken Chart.yaml":   {files: map[string]string{"Chart.yaml": "name: [canary-7f3a"}, want: "Chart.yaml:1 is not the YAML that a chart has there"},
		"no name":               {files: map[string]string{"Chart.yaml": "apiVersion: v2\nversion: 1.0.0"}, want: "Chart.yaml:0 is not valid: chart.metadata.name is required"},
		"a chart of the future": {files: map[string]string{"Chart.yaml": "apiVersion: v9\nname: app\nversion: 1.0.0"}, want: "Chart.yaml:0 has an apiVersion other than v1 and v2"},
		"a library":             {files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\ntype: library"}, want: "Chart.yaml:0 is a library chart, which makes no objects by itself"},
		"another Kubernetes":    {files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\nkubeVersion: <1.20.0"}, want: "Chart.yaml:0 has a kubeVersion that leaves out v1.36.0, which charts are rendered for"},
		"a release name":        {helm: wire.HelmOptions{ReleaseName: "A b"}, want: "Chart.yaml:0 cannot have the release name \"A b\""},
		"not vendored": {
			files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x, repository: \"https://example.com\"}, {name: s, version: 1.x}]", "charts/s/Chart.yaml": sub},
			want:  "Chart.yaml:0 names dependencies that are not in charts/: redis",
		},
		"a neighbour outside": {
			files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x, repository: \"file://../../etc\"}]"},
			want:  "Chart.yaml:0 has the dependency redis, whose repository is a path out of the checkout",
		},
		"a neighbour of itself": {
			files: map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [{name: b, version: 1.x, repository: \"file://.\"}]"},
			want:  "Chart.yaml:0 is a subchart that is nested more than 16 deep",
		},
		"a subchart given text": {
			files: map[string]string{"charts/s/Chart.yaml": sub, "values.yaml": "s: canary-7f3a"}, want: "Chart.yaml:0 has values that do not fit together: the key of a subchart holds no mapping",
		},
		"a stray file":           {files: map[string]string{"charts/README": "hello"}, want: "charts/README:0 is in charts/, and neither a chart nor an archive of one"},
		"a folder of no chart":   {files: map[string]string{"charts/s/x": "hello"}, want: "charts/s/Chart.yaml:0 is missing: there is no chart"},
		"no archive":             {files: map[string]string{"charts/s.tgz": "canary-7f3a"}, want: "charts/s.tgz:0 is a damaged archive"},
		"half an archive":        {files: map[string]string{"charts/s.tgz": packaged(t, [2]string{"s/Chart.yaml", sub})[:60]}, want: "charts/s.tgz:0 is a damaged archive"},
		"an archive of no chart": {files: map[string]string{"charts/s.tgz": packaged(t, [2]string{"s/x", sub})}, want: "charts/s.tgz:0 is missing (Chart.yaml in the archive): there is no chart"},
		"an archive that climbs": {files: map[string]string{"charts/s.tgz": packaged(t, [2]string{"s/../../x", sub})}, want: "charts/s.tgz:0 is an archive that holds a link, or a path that leads out of its chart"},
		"a broken template in an archive": {
			files: map[string]string{"charts/s.tgz": packaged(t, [2]string{"s/Chart.yaml", sub}, [2]string{"s/templates/y.yaml", "{{"})},
			want:  "charts/s.tgz:1 is not a template: it does not parse (templates/y.yaml in the archive)",
		},
		"values that are absent": {helm: wire.HelmOptions{ValuesFiles: []string{"x/y.yaml"}}, want: "x/y.yaml:0 is a values file that is not there"},
		"values out of the tree": {helm: wire.HelmOptions{ValuesFiles: []string{"../y.yaml"}}, want: ".:0 is given the values file \"../y.yaml\", which is out of the checkout"},
		"values of the machine":  {helm: wire.HelmOptions{ValuesFiles: []string{"/etc/passwd"}}, want: ".:0 is given the values file \"/etc/passwd\", which is out of the checkout"},
		"values of a URL":        {helm: wire.HelmOptions{ValuesFiles: []string{"https://example.com/v.yaml"}}, want: ".:0 is given a values file that is a URL"},
		"a values file of text":  {files: map[string]string{"v.yaml": "- canary-7f3a"}, helm: wire.HelmOptions{ValuesFiles: []string{"v.yaml"}}, want: "v.yaml:0 is not a values file: no YAML, or no mapping"},
		"a broken values file":   {files: map[string]string{"v.yaml": "a: 1\nb: *canary-7f3a"}, helm: wire.HelmOptions{ValuesFiles: []string{"v.yaml"}}, want: "v.yaml:0 is not a values file: no YAML, or no mapping"},
		"values that are a list": {helm: wire.HelmOptions{Values: []byte(`["canary-7f3a"]`)}, want: ".:0 is given values that are no mapping"},
		"a schema": {
			files: map[string]string{"values.schema.json": `{"properties": {"pw": {"type": "integer"}, "n": {"enum": [1]}, "deep": {"additionalProperties": false, "required": ["a", "b"]}}}`, "values.yaml": "pw: canary-7f3a\n\"n\": canary-7f3a\ndeep: {c: canary-7f3a}"},
			want:  "values.schema.json:0 refuses the values: deep has unknown keys: c, deep lacks a, b, n does not hold to enum, pw is string, not integer",
		},
		"a schema of a subchart": {
			files: map[string]string{"charts/s/Chart.yaml": sub, "charts/s/values.schema.json": `{"properties": {"pw": {"type": "integer"}}}`, "values.yaml": "s: {pw: canary-7f3a}"},
			want:  "charts/s/values.schema.json:0 refuses the values: s.pw is string, not integer",
		},
		"a schema that is elsewhere": {
			files: map[string]string{"values.schema.json": `{"$ref": "https://example.com/s.json"}`}, want: "values.schema.json:0 is not a JSON schema that stands by itself",
		},
		"a schema of the machine": {
			files: map[string]string{"values.schema.json": `{"$ref": "file:///etc/passwd"}`}, want: "values.schema.json:0 is not a JSON schema that stands by itself",
		},
		"ignored wrongly": {files: map[string]string{".helmignore": "**/x"}, want: ".helmignore:0 has a pattern that Helm does not take"},
	} {
		t.Run(name, func(t *testing.T) {
			files := chartFiles(tt.files)
			if tt.files["values.yaml"] == "" {
				files["values.yaml"] = &fstest.MapFile{Data: []byte("pw: canary-7f3a\ntpl: \"{{ canary-7f3a }}\"\n")}
			}
			got := renderDirectory(t, files, wire.Directory{Path: ".", Kind: "Helm", Helm: tt.helm})
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

// yamlBomb is a document whose aliases, written out, are 10^9 values.
func yamlBomb() string {
	text := "a0: &a0 [canary-7f3a]\n"
	for i := range 9 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return text
}

func TestHelmArchivesAreBounded(t *testing.T) {
	chart := [2]string{"s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n"}
	zeros := strings.Repeat("\x00", 1<<20)
	many := [][2]string{chart}
	for i := range 70 {
		many = append(many, [2]string{fmt.Sprintf("s/f%d", i), zeros})
	}
	empty := [][2]string{chart}
	for i := range 11_000 {
		empty = append(empty, [2]string{fmt.Sprintf("s/f%d", i), ""})
	}
	nested := packaged(t, chart)
	for range 20 {
		nested = packaged(t, chart, [2]string{"s/charts/s.tgz", nested})
	}
	half := packaged(t, many[:40]...)
	for name, files := range map[string]map[string]string{
		"much":        {"charts/s.tgz": packaged(t, many...)},
		"many":        {"charts/s.tgz": packaged(t, empty...)},
		"in each":     {"charts/s.tgz": half, "charts/t.tgz": half},
		"deep inside": {"charts/s.tgz": nested},
	} {
		got := renderDirectory(t, chartFiles(files), wire.Directory{Path: "."})
		if f := got.done.Fault; f == nil || f.Cause != wire.LimitExceeded {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
