package render_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/render"
)

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}\n"

// Each error of a kustomization names file and line, in our words.
func TestWhatKustomizeRefuses(t *testing.T) {
	common := map[string]string{
		"base/kustomization.yaml": "resources: [a.yaml]\n",
		"base/a.yaml":             fmt.Sprintf(deployment, "a"),
		"base/secret.yaml":        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pw: hunter2canary}\n",
		"empty/README.md":         "x",
		"values.yaml":             "pw: hunter2canary\n",
	}
	for name, tt := range map[string]struct {
		text   string // of o/kustomization.yaml
		more   map[string]string
		reason render.DirectoryReason
		want   string
		hint   string
	}{
		"an empty one":              {"kind: Kustomization\n", nil, render.NotRenderable, "o/kustomization.yaml: is empty", "resources"},
		"no YAML":                   {"resources:\n  - a: b: hunter2canary\n", nil, render.Malformed, "o/kustomization.yaml:2: is no YAML", ""},
		"two documents":             {"resources: []\n---\nresources: []\n", nil, render.NotRenderable, "o/kustomization.yaml: holds 2 documents", ""},
		"two files":                 {"resources: []\n", map[string]string{"o/kustomization.yml": "resources: []\n"}, render.Conflict, "o/kustomization.yml: stands beside kustomization.yaml", "delete"},
		"an unknown field":          {"resources: []\nhunter: {pw: hunter2canary}\n", nil, render.NotRenderable, "o/kustomization.yaml:2: has a field that kustomize does not know: hunter", "indentation"},
		"a field of another type":   {"resources: []\nnamePrefix: [hunter2canary]\n", nil, render.NotRenderable, "o/kustomization.yaml:2: has a field of the wrong type: namePrefix", ""},
		"another kind":              {"apiVersion: v2\nkind: Kustomization\nresources: [../base]\n", nil, render.NotRenderable, "o/kustomization.yaml: has another apiVersion or kind", "v1beta1"},
		"a missing file":            {"resources:\n- ../base\n- b.yaml\n", nil, render.NotFound, "o/kustomization.yaml:3: names b.yaml, which is not there", "add the file"},
		"a missing patch":           {"resources: [../base]\npatches:\n- path: p.yaml\n", nil, render.NotFound, "o/kustomization.yaml:3: names p.yaml, which is not there", ""},
		"a missing value":           {"resources: [../base]\nsecretGenerator:\n- name: s\n  files: [pw=secret.txt]\n", nil, render.NotFound, "o/kustomization.yaml:4: names secret.txt, which is not there", ""},
		"a directory of files":      {"resources: [../empty]\n", nil, render.NotFound, "o/kustomization.yaml:1: names the directory ../empty, in which is no kustomization", "list its files"},
		"a directory as patch":      {"resources: [../base]\npatches: [{path: ../base}]\n", nil, render.NotFound, "o/kustomization.yaml:1: names ../base, which is a directory", ""},
		"a file outside":            {"resources: [../../../etc/passwd]\n", nil, render.OutsideRefused, "o/kustomization.yaml:1: names ../../../etc/passwd, which is not in the checkout", "relative paths"},
		"an absolute file":          {"resources: [/etc/passwd]\n", nil, render.OutsideRefused, "o/kustomization.yaml:1: names /etc/passwd", ""},
		"a value outside":           {"configMapGenerator:\n- name: a\n  files:\n  - ../../../../etc/passwd\n", nil, render.OutsideRefused, "o/kustomization.yaml:4: names ../../../../etc/passwd", ""},
		"a mount":                   {"resources: [../.fuin-remote/0]\n", nil, render.OutsideRefused, "o/kustomization.yaml:1: names ../.fuin-remote/0", ""},
		"a base by HTTPS":           {"resources: ['https://user:hunter2canary@example.com/org/repo//base?ref=v1']\n", nil, render.RemoteRefused, "o/kustomization.yaml:1: names https://example.com/org/repo//base?ref=v1, which lies elsewhere", "allowRemote"},
		"a base by name":            {"bases:\n- github.com/org/repo/base\n", nil, render.RemoteRefused, "o/kustomization.yaml:2: names github.com/org/repo/base", ""},
		"a base by git":             {"resources: ['git::ssh://git@example.com/repo.git']\n", nil, render.RemoteRefused, "o/kustomization.yaml:1: names git::ssh://example.com/repo.git", ""},
		"a base by scp":             {"components: ['git@example.com:org/repo']\n", nil, render.RemoteRefused, "o/kustomization.yaml:1: names example.com:org/repo", ""},
		"a file by HTTP":            {"resources: ['http://127.0.0.1:1/a.yaml']\n", nil, render.RemoteRefused, "o/kustomization.yaml:1: names http://127.0.0.1:1/a.yaml", ""},
		"a patch by HTTP":           {"resources: [../base]\npatches: [{path: 'http://127.0.0.1:1/a.yaml'}]\n", nil, render.RemoteRefused, "o/kustomization.yaml:2: names http://127.0.0.1:1/a.yaml", ""},
		"a patch of a plugin":       {"resources: [../base]\ntransformers: [t.yaml]\n", map[string]string{"o/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: http://127.0.0.1:1/a.yaml\n"}, render.RemoteRefused, "o", "allowRemote"},
		"itself":                    {"resources: [../o]\n", nil, render.Cycle, "o/kustomization.yaml:1: includes ../o, which includes it", ""},
		"what lies above":           {"resources: [..]\n", map[string]string{"kustomization.yaml": "resources: [o]\n"}, render.Cycle, "o/kustomization.yaml:1: includes .., which includes it", ""},
		"a longer cycle":            {"resources: [../p]\n", map[string]string{"p/kustomization.yaml": "resources: [../q]\n", "q/kustomization.yaml": "resources: [../o]\n"}, render.Cycle, "q/kustomization.yaml:1: includes ../o, which includes it", ""},
		"a chart":                   {"helmCharts: [{name: a}]\n", nil, render.Unsupported, "o/kustomization.yaml:1: uses helmCharts", "helm template"},
		"a chart of a plugin":       {"generators: [g.yaml]\n", map[string]string{"o/g.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\nname: a\n"}, render.Unsupported, "o/kustomization.yaml: uses a Helm chart", ""},
		"a command":                 {"secretGenerator:\n- name: a\n  commands: {pw: echo hunter2canary}\n", nil, render.Unsupported, "o/kustomization.yaml:3: generates a by commands", "SealedSecret"},
		"a plugin of 2019":          {"secretGenerator:\n- name: a\n  kvSources: [{pluginType: go, name: x, args: [hunter2canary]}]\n", nil, render.Unsupported, "o/kustomization.yaml:3: generates a by a plugin", ""},
		"a function":                {"resources: [../base]\ntransformers: [t.yaml]\n", map[string]string{"o/t.yaml": "apiVersion: example.com/v1\nkind: Run\nmetadata:\n  name: a\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: /bin/sh}\n"}, render.Unsupported, "o/kustomization.yaml: uses a plugin", ""},
		"a manifest that is none":   {"resources: [a.yaml]\n", map[string]string{"o/a.yaml": fmt.Sprintf(deployment, "a") + "---\na: b: hunter2canary\n"}, render.Malformed, "o/a.yaml:6: is no YAML", ""},
		"a placeholder":             {"resources: [a.yaml]\n", map[string]string{"o/a.yaml": "kind: Pod\nimage: @@NEW_TAG@@\n"}, render.Malformed, "o/a.yaml:2: is no YAML: found character that cannot start any token; a placeholder", "imagesFrom"},
		"half of an object":         {"resources: [../values.yaml]\n", nil, render.NotAnObject, "values.yaml:1: ", ""},
		"an object without a name":  {"resources: [a.yaml]\n", map[string]string{"o/a.yaml": "apiVersion: v1\nkind: Secret\nstringData: {pw: hunter2canary}\n"}, render.NotAnObject, "o/a.yaml:1: ", "metadata.name"},
		"an object twice":           {"resources: [../base, a.yaml]\n", map[string]string{"o/a.yaml": fmt.Sprintf(deployment, "a")}, render.Duplicate, "o/kustomization.yaml: includes an object twice: Deployment.v1.apps/a", ""},
		"a patch for nothing":       {"resources: [../base]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: s}\n    stringData: {pw: hunter2canary}\n", nil, render.NotFound, "o/kustomization.yaml: has a patch for an object that is not there", "before prefixes"},
		"an old patch for nothing":  {"resources: [../base]\npatchesStrategicMerge: [../base/secret.yaml]\n", nil, render.NotFound, "o/kustomization.yaml: has a patch for an object that is not there", ""},
		"a patch that is none":      {"resources: [../base]\npatches: [{patch: 'hunter2canary'}]\n", nil, render.Malformed, "o/kustomization.yaml: has a patch that is neither", ""},
		"a patch that fits nowhere": {"resources: [../base]\npatches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/spec/hunter2canary/x\", \"value\": \"hunter2canary\"}]'\n", nil, render.Conflict, "o/kustomization.yaml: has a JSON patch that does not apply", ""},
		"a replacement of nothing":  {"resources: [../base]\nreplacements:\n- source: {kind: Secret, name: x}\n  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]\n", nil, render.Conflict, "o/kustomization.yaml: has a replacement", ""},
		"a merge onto nothing":      {"resources: [../base]\nconfigMapGenerator: [{name: x, behavior: merge, literals: [pw=hunter2canary]}]\n", nil, render.NotFound, "o/kustomization.yaml: generates onto", ""},
		"a literal without a value": {"configMapGenerator: [{name: x, literals: [hunter2canary]}]\n", nil, render.Malformed, "o/kustomization.yaml: has a generator whose literals", ""},
		"a component as resource":   {"resources: [../c]\n", map[string]string{"c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: a\n"}, render.NotRenderable, "o/kustomization.yaml: lists a Component under resources", ""},
		"a resource as component":   {"components: [../base]\n", nil, render.NotRenderable, "o/kustomization.yaml: lists under components what is none", ""},
		"an old OpenAPI":            {"resources: [../base]\nopenapi: {version: v1.20.4}\n", nil, render.Unsupported, "o/kustomization.yaml: names a version of the OpenAPI schema", ""},
		"a bomb":                    {"resources: [bomb.yaml]\n", map[string]string{"o/bomb.yaml": bomb()}, render.LimitExceeded, "o/bomb.yaml:1: has aliases", ""},
		"deep nesting":              {"resources: [a.yaml]\n", map[string]string{"o/a.yaml": fmt.Sprintf(configMap, "a") + "data: " + strings.Repeat("[", 200_000)}, render.LimitExceeded, "o/a.yaml:1: nests fields too deeply", ""},
		"some nesting":              {"resources: [a.yaml]\n", map[string]string{"o/a.yaml": fmt.Sprintf(configMap, "a") + "data: " + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000)}, render.LimitExceeded, "o", ""},
		"a huge file":               {"resources: [a.yaml]\n", map[string]string{"o/a.yaml": strings.Repeat("# 0123456789\n", 400_000)}, render.LimitExceeded, "o/a.yaml: is larger than a manifest may be", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(common)
			maps.Copy(files, tt.more)
			files["o/kustomization.yaml"] = tt.text
			_, err := directory(t, checkout(files), "o")
			refused(t, err, tt.reason, tt.want, tt.hint)
		})
	}
}

func bomb() string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na: &a [hunter2canary,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		text += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	return text
}

// A symbolic link leads where it may: not out of the checkout.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("real/a.yaml", fmt.Sprintf(configMap, "a"))
	for _, d := range []string{"in", "out", "gone", "loop", "dir", "k", "kin"} {
		write(d+"/README.md", "")
	}
	link("../real/a.yaml", "in/a.yaml")
	link("/etc/passwd", "out/a.yaml")
	link("nothing.yaml", "gone/a.yaml")
	link("a.yaml", "loop/a.yaml")
	link("../real", "dir/real")
	link("/etc", "k/etc")
	write("k/kustomization.yaml", "resources: [etc/passwd]\n")
	link("../real", "kin/real")
	write("kin/kustomization.yaml", "resources: [real/a.yaml]\n")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for path, want := range map[string]struct {
		reason  render.DirectoryReason
		begins  string
		objects int
	}{
		"in":   {objects: 1},
		"kin":  {objects: 1},
		"dir":  {}, // noted, not followed
		"out":  {render.OutsideRefused, "out/a.yaml: is a symbolic link, or a path, out of the checkout", 0},
		"gone": {render.NotFound, "gone/a.yaml: is not there", 0},
		"loop": {render.OutsideRefused, "loop/a.yaml: is a symbolic link", 0},
		"k":    {render.OutsideRefused, "k/kustomization.yaml:1: names etc/passwd, which is a symbolic link, or a path, out of the checkout", 0},
	} {
		t.Run(path, func(t *testing.T) {
			set, err := directory(t, root.FS(), path)
			if want.reason != "" {
				refused(t, err, want.reason, want.begins, "")
			} else if err != nil || len(set.Objects) != want.objects {
				t.Errorf("got %v, %v", set, err)
			}
		})
	}
}

// many is a checkout in which a directory has as many files as it is asked for.
type many struct {
	fs.FS
	names int
}

func (m many) ReadDir(name string) ([]fs.DirEntry, error) {
	one, err := fs.ReadDir(m.FS, name)
	if err != nil || name != "many" {
		return one, err
	}
	all := make([]fs.DirEntry, m.names)
	for i := range all {
		all[i] = entry{one[0], fmt.Sprintf("%06d.yaml", i)}
	}
	return all, nil
}

type entry struct {
	fs.DirEntry
	name string
}

func (e entry) Name() string { return e.name }

func TestManyFiles(t *testing.T) {
	files := many{checkout(map[string]string{"many/a.yaml": "a: b", "kustomization.yaml": "resources: [many]"}), 100_000}
	_, err := directory(t, files, "many")
	refused(t, err, render.LimitExceeded, "many: is one file too many", "smaller")
	deep := strings.Repeat("d/", 70) + "a.yaml"
	_, err = directory(t, checkout(map[string]string{deep: "a: b"}), ".")
	refused(t, err, render.LimitExceeded, "d/d/", "")
}

// What multiplies ends at its bounds, names the directory, and leaves the next
// call alone.
func TestRunawayDirectories(t *testing.T) {
	fan := map[string]string{"k0/kustomization.yaml": "resources: [a.yaml]\n", "k0/a.yaml": fmt.Sprintf(deployment, "a")}
	for i := range 16 {
		text := "resources: [a, b]\n"
		for _, side := range []string{"a", "b"} {
			fan[fmt.Sprintf("k%d/%s/kustomization.yaml", i+1, side)] = fmt.Sprintf("namePrefix: %s-\nresources: [../../k%d]\n", side, i)
		}
		fan[fmt.Sprintf("k%d/kustomization.yaml", i+1)] = text
	}
	big := strings.Repeat("x", 3<<20)
	replace := map[string]string{"o/kustomization.yaml": "resources: [c.yaml]\nreplacements:\n"}
	c := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  v: " + big + "\n"
	for i := range 400 {
		c += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {v: a}\n", i)
	}
	replace["o/c.yaml"] = c
	replace["o/kustomization.yaml"] += "- source: {kind: ConfigMap, name: c, fieldPath: data.v}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.v], options: {create: true}}]\n"
	for name, tt := range map[string]struct {
		files  map[string]string
		dir    string
		config render.Config
		want   string
	}{
		"bases that double":       {fan, "k16", render.Config{DirectoryDeadline: 3 * time.Second}, "k16: did not render within 3s"},
		"a value that multiplies": {replace, "o", render.Config{MaxDirectoryMemory: 96 << 20, DirectoryDeadline: 5 * time.Second}, "o: "},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config.Size = 1
			pool := open(t, tt.config)
			_, err := pool.Directory(t.Context(), render.Directory{Files: checkout(tt.files), Path: tt.dir})
			refused(t, err, render.LimitExceeded, tt.want, "")
			works(t, pool)
			if s := pool.Stats(); s.Children != 1 { // that of the templates
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestContextEndsADirectory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := open(t, renderConfig).Directory(ctx, render.Directory{Files: repository(t, "store"), Path: "overlays/staging"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
