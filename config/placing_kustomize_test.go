package config_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fuin.dev/config"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// A forest is a random repository of kustomizations.
type forest struct {
	*rand.Rand
	files map[string]string
	dirs  [4][]string // of kustomizations, by layer: each lists only lower ones
	parts []string    // directories of components
}

func newForest(random *rand.Rand) *forest {
	f := &forest{Rand: random, files: map[string]string{}}
	for i := range 3 {
		f.component(fmt.Sprintf("components/c%d", i))
	}
	for layer := range f.dirs {
		for i := range 1 + f.IntN(3) {
			f.kustomization(layer, fmt.Sprintf("l%d/k%d", layer, i))
		}
	}
	return f
}

// secret adds a file and returns its name; the annotation tells it apart.
func (f *forest) secret(dir string) string {
	name := path.Join(dir, "db.yaml")
	namespace := f.maybe("namespace: own, ")
	f.files[name] = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, " + namespace + "annotations: {file: " + name + "}}\nstringData: {a: b}\n"
	return name
}

func (f *forest) maybe(text string) string {
	if f.IntN(2) == 0 {
		return ""
	}
	return text
}

func (f *forest) component(dir string) {
	text := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n" + f.changes(path.Base(dir))
	if f.IntN(3) == 0 {
		f.secret(dir)
		text += "resources: [db.yaml]\n"
	}
	if len(f.parts) > 0 && f.IntN(3) == 0 {
		text += "components: [" + relative(dir, f.parts[f.IntN(len(f.parts))]) + "]\n"
	}
	f.files[path.Join(dir, "kustomization.yaml")] = text
	f.parts = append(f.parts, dir)
}

func (f *forest) changes(id string) string {
	return f.maybe("namespace: ns-"+id+"\n") + f.maybe("namePrefix: "+id+"-\n") + f.maybe("nameSuffix: -"+id+"\n")
}

func (f *forest) kustomization(layer int, dir string) {
	var resources, components []string
	if layer == 0 || f.IntN(2) == 0 {
		f.secret(dir)
		resources = append(resources, f.maybe("./")+"db.yaml")
	}
	for below := range layer {
		for _, base := range f.dirs[below] {
			if f.IntN(3) == 0 {
				resources = append(resources, relative(dir, base)+f.maybe("/"))
			}
		}
	}
	for _, part := range f.parts {
		if f.IntN(4) == 0 {
			components = append(components, relative(dir, part))
		}
	}
	if len(resources) == 0 {
		f.secret(dir)
		resources = []string{"db.yaml"}
	}
	name := config.KustomizationNames[f.IntN(len(config.KustomizationNames))]
	f.files[path.Join(dir, name)] = f.changes(path.Base(dir)) + "resources: [" + strings.Join(resources, ", ") + "]\n" +
		"components: [" + strings.Join(components, ", ") + "]\n"
	f.dirs[layer] = append(f.dirs[layer], dir)
}

func relative(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")+1) + to
}

// built is where each file's Secrets stand in what kustomize makes of a
// directory; false if it makes nothing of it, as of two objects of one name.
func (f *forest) built(t *testing.T, dir string) (map[string][]string, bool) {
	t.Helper()
	system := filesys.MakeFsInMemory()
	for name, text := range f.files {
		if err := system.WriteFile("/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	set, err := krusty.MakeKustomizer(options).Run(system, "/"+dir)
	if err != nil {
		return nil, false
	}
	out := map[string][]string{}
	for _, r := range set.Resources() {
		file := r.GetAnnotations()["file"]
		out[file] = append(out[file], r.GetNamespace()+"/"+r.GetName())
	}
	return out, true
}

func TestPlacingsAreWhatKustomizeBuilds(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 6))
	compared := 0
	for range 300 {
		f := newForest(random)
		files := repository(f.files)
		all, err := config.ReadKustomizations(files)
		if err != nil {
			t.Fatal(err)
		}
		predicted := f.predicted(t, all, files)
		if reduced := f.predicted(t, reducedOf(t, f.files), files); !reflect.DeepEqual(reduced, predicted) {
			t.Fatalf("seed %d: reduced, the kustomizations tell %v, want %v\n%v", seed, reduced, predicted, f.files)
		}
		for dir, want := range predicted {
			got, ok := f.built(t, dir)
			if !ok {
				continue
			}
			for file, places := range got {
				compared++
				slices.Sort(places)
				slices.Sort(want[file])
				if !slices.Equal(places, want[file]) {
					t.Fatalf("seed %d: %s in %s stands at %q, and %q was told\n%v", seed, file, dir, places, want[file], f.files)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d: %s has %d files, and %d were told\n%v", seed, dir, len(got), len(want), f.files)
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d places compared: the test looks at little", compared)
	}
}

// reducedOf are the kustomizations among files, of which no more is kept than
// concerns names.
func reducedOf(t *testing.T, files map[string]string) *config.Kustomizations {
	t.Helper()
	var kept []config.KustomizationFile
	for name, text := range files {
		if config.IsKustomization(name) {
			kept = append(kept, config.KustomizationFile{Name: name, Data: config.ReducedKustomization(name, []byte(text))})
		}
	}
	all, err := config.NewKustomizations(kept)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// predicted is where each file stands, by directory that is rendered and by
// file. All directories but those of components are taken to be rendered.
func (f *forest) predicted(t *testing.T, all *config.Kustomizations, files fs.FS) map[string]map[string][]string {
	t.Helper()
	out := map[string]map[string][]string{}
	for name, text := range f.files {
		if path.Base(name) != "db.yaml" {
			continue
		}
		placings, err := all.Placings(name, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		own := ""
		if strings.Contains(text, "namespace: own") {
			own = "own"
		}
		for _, p := range placings {
			namespace, final := p.Place(own, "db")
			if out[p.Top] == nil {
				out[p.Top] = map[string][]string{}
			}
			out[p.Top][name] = append(out[p.Top][name], namespace+"/"+final)
		}
	}
	return out
}
