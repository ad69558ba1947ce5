package render_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"fuin.dev/render"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// inMemory copies files to where kustomize reads them, with those of more in
// the place of others.
func inMemory(t testing.TB, files fs.FS, more map[string]string) filesys.FileSystem {
	t.Helper()
	system := filesys.MakeFsInMemory()
	put := func(name string, data []byte) {
		if err := system.WriteFile("/"+name, data); err != nil {
			t.Fatal(err)
		}
	}
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		put(name, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range more {
		put(name, []byte(text))
	}
	return system
}

// byKustomize are the objects that kustomize itself builds.
func byKustomize(t testing.TB, system filesys.FileSystem, dir string) []map[string]any {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	built, err := krusty.MakeKustomizer(options).Run(system, path.Join("/", dir))
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func directory(t testing.TB, files fs.FS, dir string) (*render.Set, error) {
	t.Helper()
	return open(t, renderConfig).Directory(t.Context(), render.Directory{Files: files, Path: dir})
}

// What is rendered is what kustomize builds, in whatever renders without
// SealedSecrets that are renamed.
func TestKustomizeIsWhatTheLibraryBuilds(t *testing.T) {
	for _, tt := range []struct{ repo, dir string }{
		{"shop", "base"},
		{"shop", "overlays/production"},
		{"store", "base"},
		{"store", "overlays/staging"},
		{"store", "overlays/production"},
	} {
		t.Run(path.Join(tt.repo, tt.dir), func(t *testing.T) {
			files := repository(t, tt.repo)
			set, err := directory(t, files, tt.dir)
			if err != nil {
				t.Fatal(err)
			}
			got := contents(set)
			if diff := cmp.Diff(canonical(t, byKustomize(t, inMemory(t, files, nil), tt.dir)), canonical(t, got)); diff != "" {
				t.Error(diff)
			}
			if set.Kind != render.Kustomize {
				t.Error(set.Kind)
			}
		})
	}
}

// namesOfSecrets is what repositories write for names to follow SealedSecrets.
const namesOfSecrets = `nameReference:
- kind: SealedSecret
  fieldSpecs:
  - {path: spec/template/spec/imagePullSecrets/name, kind: Deployment}
  - {path: spec/template/spec/initContainers/env/valueFrom/secretKeyRef/name, kind: Deployment}
  - {path: spec/template/spec/containers/envFrom/secretRef/name, kind: Deployment}
  - {path: spec/template/spec/volumes/projected/sources/secret/name, kind: Deployment}
  - {path: spec/jobTemplate/spec/template/spec/containers/envFrom/secretRef/name, kind: CronJob}
`

// SealedSecrets are renamed as kustomize does when it is told in each overlay
// where they are named. The Secret in them is called as they are.
func TestNamesFollowSealedSecrets(t *testing.T) {
	files := repository(t, "store")
	more := map[string]string{}
	for _, dir := range []string{"base", "overlays/development", "overlays/production", "overlays/production-variants", "overlays/production-variants/stable", "overlays/production-variants/canary"} {
		name := dir + "/kustomization.yaml"
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		more[name] = string(text) + "\nconfigurations: [names.yaml]\n"
		more[dir+"/names.yaml"] = namesOfSecrets
	}
	for _, dir := range []string{"overlays/development", "overlays/production-variants", "overlays/production-variants/canary"} {
		t.Run(dir, func(t *testing.T) {
			set, err := directory(t, files, dir)
			if err != nil {
				t.Fatal(err)
			}
			want := byKustomize(t, inMemory(t, files, more), dir)
			for _, o := range want {
				follow(o)
			}
			if diff := cmp.Diff(canonical(t, want), canonical(t, contents(set))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// follow calls the Secret in a SealedSecret as that is called.
func follow(o map[string]any) {
	object := render.Object{Content: o}
	if object.Kind() != "SealedSecret" {
		return
	}
	template := o["spec"].(map[string]any)["template"].(map[string]any)
	if metadata, ok := template["metadata"].(map[string]any); ok {
		metadata["name"] = object.Name()
	}
}

// Each object tells its file, what it was called there, and who changed that.
func TestOrigins(t *testing.T) {
	set, err := directory(t, repository(t, "store"), "overlays/production-variants")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range set.Objects {
		if k := o.Kind(); k == "SealedSecret" || k == "ConfigMap" || k == "Deployment" {
			got = append(got, fmt.Sprintf("%s %s/%s: %q/%s in %s by %s", k, o.Namespace(), strings.TrimSuffix(o.Name(), hashOf(o)), o.WasNamespace, o.WasName, o.File, strings.Join(o.MovedBy, " ")))
		}
	}
	var want []string
	for _, kind := range []string{"SealedSecret", "ConfigMap", "Deployment"} {
		for _, variant := range []string{"canary", "stable"} {
			by := "overlays/production-variants/" + variant + "/kustomization.yaml overlays/production-variants/kustomization.yaml"
			switch kind {
			case "SealedSecret":
				for _, name := range []string{"database", "registry", "tls"} {
					want = append(want, fmt.Sprintf("SealedSecret store/%s-%s: \"\"/%s in overlays/production/sealed.yaml by %s", variant, name, name, by))
				}
			case "ConfigMap":
				want = append(want, fmt.Sprintf("ConfigMap store/%s-store: \"\"/store in base/kustomization.yaml by %s base/kustomization.yaml", variant, by))
			default:
				want = append(want, fmt.Sprintf("Deployment store/%s-store: \"\"/store in base/deployment.yaml by %s", variant, by))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func hashOf(o render.Object) string {
	if o.Kind() != "ConfigMap" {
		return ""
	}
	return o.Name()[strings.LastIndex(o.Name(), "-"):]
}

// A kustomization of 2018 renders as one that was brought up to date by hand.
func TestOldKustomizations(t *testing.T) {
	files := repository(t, "legacy")
	today := map[string]string{
		"base/kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
labels: [{pairs: {app: blog}, includeSelectors: true}]
resources: [deployment.yaml, service.yaml]
configMapGenerator: [{name: settings, envs: [settings.env]}]
secretGenerator: [{name: theme, type: Opaque, literals: [color=blue]}]
vars: [{name: SERVICE, objref: {apiVersion: v1, kind: Service, name: blog}}]
`,
		"overlay/kustomization.yml": `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namePrefix: live-
resources: [../base]
images: [{name: registry.example/blog, newTag: "2.0"}]
patches:
- path: memory.yaml
- path: replicas.yaml
- {path: port.yaml, target: {version: v1, kind: Service, name: blog}}
`}
	set, err := directory(t, files, "overlay")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(canonical(t, byKustomize(t, inMemory(t, files, today), "overlay")), canonical(t, contents(set))); diff != "" {
		t.Error(diff)
	}
	var notes []string
	for _, n := range set.Notes {
		notes = append(notes, fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Message))
	}
	slices.Sort(notes)
	want := []string{
		"base/kustomization.yaml:11: old field timeoutSeconds left out, for no command runs",
		"base/kustomization.yaml:17: old field vars, which still works; kustomize edit fix writes what replaced it",
		"base/kustomization.yaml:2: old field commonLabels, which still works; kustomize edit fix writes what replaced it",
		"overlay/kustomization.yml:9: old list of files in patches read as strategic merge patches",
		"overlay/kustomization.yml:11: old field patchesStrategicMerge, which still works; kustomize edit fix writes what replaced it",
		"overlay/kustomization.yml:13: old field patchesJson6902, which still works; kustomize edit fix writes what replaced it",
		"overlay/kustomization.yml:1: apiVersion v1beta1 read as kustomize.config.k8s.io/v1beta1",
		"overlay/kustomization.yml:4: old field bases read as resources",
		"overlay/kustomization.yml:6: old field imageTags read as images",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
}

// A SealedSecret that is marked as what kustomize generated gets a hash over
// what it holds, sealed, and is followed, also by the Secret in it.
func TestHashesOfSealedSecrets(t *testing.T) {
	files := func(value string) fs.FS {
		return checkout(map[string]string{
			"base/kustomization.yaml": "resources: [a.yaml, s.yaml]\n",
			"base/a.yaml":             "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, envFrom: [{secretRef: {name: s}}]}]}\n",
			"base/s.yaml": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: s\n  annotations: {internal.config.kubernetes.io/needsHashSuffix: enabled}\n" +
				"spec: {encryptedData: {pw: " + value + "}, template: {metadata: {name: s, namespace: there}}}\n",
			"o/kustomization.yaml": "resources: [../base]\nnamePrefix: o-\nnamespace: there\n",
		})
	}
	seen := map[string]bool{}
	for _, value := range []string{"AgAx", "AgAy"} {
		set, err := directory(t, files(value), "o")
		if err != nil {
			t.Fatal(err)
		}
		sealed, pod := set.Objects[0], set.Objects[1]
		seen[sealed.Name()] = true
		if !strings.HasPrefix(sealed.Name(), "o-s-") || sealed.WasName != "s" || sealed.WasNamespace != "" {
			t.Errorf("%s was %s/%s", sealed.Name(), sealed.WasNamespace, sealed.WasName)
		}
		if diff := cmp.Diff([]string{"base/kustomization.yaml", "o/kustomization.yaml"}, slices.Sorted(slices.Values(sealed.MovedBy))); diff != "" {
			t.Error(diff)
		}
		for _, named := range []any{pod.Content["spec"], sealed.Content["spec"]} {
			if !strings.Contains(fmt.Sprint(named), "name:"+sealed.Name()) {
				t.Errorf("%s is not named in %v", sealed.Name(), named)
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("the hash is not of the value: %v", seen)
	}
}

// A component changes what its kustomization holds and what it adds itself,
// each once.
func TestComponentsMove(t *testing.T) {
	set, err := directory(t, checkout(map[string]string{
		"o/kustomization.yaml": "resources: [a.yaml]\ncomponents: [../c]\nnameSuffix: -o\n",
		"o/a.yaml":             fmt.Sprintf(configMap, "a"),
		"c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [b.yaml]\nnamePrefix: c-\n",
		"c/b.yaml":             fmt.Sprintf(configMap, "b"),
	}), "o")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range set.Objects {
		got = append(got, fmt.Sprintf("%s was %s in %s by %v", o.Name(), o.WasName, o.File, o.MovedBy))
	}
	want := []string{
		"c-a-o was a in o/a.yaml by [c/kustomization.yaml o/kustomization.yaml]",
		"c-b-o was b in c/b.yaml by [c/kustomization.yaml o/kustomization.yaml]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The places where names follow are those of kustomize for Secrets.
func TestNamesAreThoseOfSecrets(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kustomize/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path.Join(strings.TrimSpace(string(out)), "internal/konfig/builtinpluginconsts/namereference.go"))
	if err != nil {
		t.Fatal(err)
	}
	var theirs, ours struct {
		NameReference []struct {
			Kind       string           `json:"kind"`
			FieldSpecs []map[string]any `json:"fieldSpecs"`
		} `json:"nameReference"`
	}
	_, text, _ := strings.Cut(string(source), "`")
	text, _, _ = strings.Cut(text, "`")
	own, err := os.ReadFile("engine/names.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for text, target := range map[string]any{text: &theirs, string(own): &ours} {
		if err := yaml.Unmarshal([]byte(text), target); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range theirs.NameReference {
		if n.Kind != "Secret" {
			continue
		}
		if diff := cmp.Diff(n.FieldSpecs, ours.NameReference[0].FieldSpecs); diff != "" {
			t.Error(diff)
		}
		return
	}
	t.Error("kustomize has no list for Secrets where it is looked for")
}
