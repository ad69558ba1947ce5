package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fuin.dev/config"
	"fuin.dev/seal"
)

// placings are those of a file, in one line each.
func placings(t *testing.T, files map[string]string, file string, rendered ...string) ([]string, error) {
	t.Helper()
	all, err := config.ReadKustomizations(repository(files))
	if err != nil {
		return nil, err
	}
	isRendered := func(dir string) bool { return slices.Contains(rendered, dir) }
	found, err := all.Placings(file, isRendered)
	if reduced, _ := reducedOf(t, files).Placings(file, isRendered); !reflect.DeepEqual(reduced, found) {
		t.Errorf("reduced, the kustomizations tell %v, want %v", reduced, found)
	}
	var out []string
	for _, p := range found {
		namespace, name := p.Place("own", "db")
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s/%s by %s %s", p.Top, namespace, name, strings.Join(p.Through, " "), p.Unsure)))
	}
	return out, err
}

func TestPlacings(t *testing.T) {
	for name, c := range map[string]struct {
		files    map[string]string
		rendered []string
		want     []string
	}{
		"none":      {map[string]string{"other/kustomization.yaml": "resources: [x.yaml]"}, nil, nil},
		"its own":   {map[string]string{"base/kustomization.yaml": "namespace: n\nnamePrefix: p-\nnameSuffix: -s\nresources: [db.yaml]"}, nil, []string{"base n/p-db-s by base/kustomization.yaml"}},
		"unchanged": {map[string]string{"base/kustomization.yml": "resources: [db.yaml]"}, nil, []string{"base own/db by base/kustomization.yml"}},
		"the outer namespace counts": {map[string]string{
			"base/kustomization.yaml": "namespace: inner\nnamePrefix: b-\nresources: [db.yaml]",
			"a/Kustomization":         "namespace: outer\nnamePrefix: a-\nbases: [../base]",
		}, nil, []string{"a outer/a-b-db by base/kustomization.yaml a/Kustomization"}},
		"two overlays": {map[string]string{
			"base/kustomization.yaml": "resources: [db.yaml]",
			"a/kustomization.yaml":    "namespace: a\nresources: [../base]", "b/kustomization.yaml": "namespace: b\nresources: [../base/]",
		}, nil, []string{"a a/db by base/kustomization.yaml a/kustomization.yaml", "b b/db by base/kustomization.yaml b/kustomization.yaml"}},
		"one that is rendered though others include it": {map[string]string{
			"base/kustomization.yaml": "resources: [db.yaml]",
			"a/kustomization.yaml":    "namespace: a\nresources: [../base]", "eu/kustomization.yaml": "namespace: eu\nresources: [../a]",
		}, []string{"a"}, []string{"a a/db by base/kustomization.yaml a/kustomization.yaml", "eu eu/db by base/kustomization.yaml a/kustomization.yaml eu/kustomization.yaml"}},
		"from outside of its directory": {map[string]string{"a/kustomization.yaml": "namespace: a\nresources: [../base/db.yaml]"}, nil, []string{"a a/db by a/kustomization.yaml"}},
		"a component that nothing uses": {map[string]string{"base/kustomization.yaml": "kind: Component\nresources: [db.yaml]"}, nil, nil},
		"components see what was there": {map[string]string{
			"c1/kustomization.yaml": "kind: Component\nnamePrefix: c1-", "c2/kustomization.yaml": "kind: Component\nnamePrefix: c2-\ncomponents: [../c1]",
			"base/kustomization.yaml": "namePrefix: b-\nresources: [db.yaml]\ncomponents: [../c2]",
		}, nil, []string{"base own/b-c2-c1-db by c1/kustomization.yaml c2/kustomization.yaml base/kustomization.yaml"}},
		"an anchor":       {map[string]string{"base/kustomization.yaml": "metadata: {name: &n shop}\nnamespace: *n\nresources: &r [db.yaml]"}, nil, []string{"base shop/db by base/kustomization.yaml"}},
		"escaped":         {map[string]string{"base/kustomization.yaml": `resources: ["d\u0062.yaml"]`}, nil, []string{"base own/db by base/kustomization.yaml"}},
		"folded":          {map[string]string{"base/kustomization.yaml": "resources: [\"./x y/../db\\\n  .yaml\"]"}, nil, []string{"base own/db by base/kustomization.yaml"}},
		"a way of dots":   {map[string]string{"base/kustomization.yaml": "resources: [db.yaml]", "base/over/lay/kustomization.yaml": "namespace: n\nresources: [../..]"}, nil, []string{"base/over/lay n/db by base/kustomization.yaml base/over/lay/kustomization.yaml"}},
		"at the root":     {map[string]string{"kustomization.yaml": "namespace: n\nresources: [base/db.yaml]", "a/kustomization.yaml": "namespace: a\nresources: [..]"}, nil, []string{"a a/db by kustomization.yaml a/kustomization.yaml"}},
		"transformers":    {map[string]string{"base/kustomization.yaml": "resources: [db.yaml]\ntransformers: [x.yaml]"}, nil, []string{"base own/db by base/kustomization.yaml base/kustomization.yaml"}},
		"a broken one":    {map[string]string{"base/kustomization.yaml": "resources: [db.yaml]\n{{ if }}"}, nil, nil},
		"listed twice":    {map[string]string{"base/kustomization.yaml": "resources: [db.yaml, ./db.yaml]"}, nil, []string{"base own/db by base/kustomization.yaml"}},
		"in a hidden one": {map[string]string{".tools/kustomization.yaml": "resources: [../base/db.yaml]", "a/node_modules/m/kustomization.yaml": "resources: [../../../base/db.yaml]"}, nil, nil},
		"a remote base":   {map[string]string{"base/kustomization.yaml": "resources: [db.yaml, 'https://example.com/x?ref=v1', /etc/passwd, ../../out]"}, nil, []string{"base own/db by base/kustomization.yaml"}},
		"a circle that ends nowhere": {map[string]string{
			"base/kustomization.yaml": "resources: [db.yaml, ../a]", "a/kustomization.yaml": "resources: [../base]",
		}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.files["base/db.yaml"] = ""
			got, err := placings(t, c.files, "base/db.yaml", c.rendered...)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v\nwant %q", got, err, c.want)
			}
		})
	}
}

func TestHostileKustomizationsEnd(t *testing.T) {
	wide := map[string]string{"k0/kustomization.yaml": "resources: [db.yaml]"}
	for i := 1; i < 60; i++ { // 2^59 ways, all of another name
		wide[fmt.Sprintf("k%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [../k%d, ../l%d]", i-1, i-1)
		wide[fmt.Sprintf("l%d/kustomization.yaml", i)] = fmt.Sprintf("namePrefix: p\nresources: [../k%d, ../l%d]", i-1, i-1)
	}
	namespaces := map[string]string{"k0/kustomization.yaml": "resources: [db.yaml]"}
	for i := range 1_001 {
		namespaces[fmt.Sprintf("n%d/kustomization.yaml", i)] = fmt.Sprintf("namespace: n%d\nresources: [../k0]", i)
	}
	parts := map[string]string{"k0/kustomization.yaml": "resources: [db.yaml]\ncomponents: [../c0, ../c0]"}
	for i := range 40 {
		parts[fmt.Sprintf("c%d/kustomization.yaml", i)] = fmt.Sprintf("kind: Component\ncomponents: [../c%d, ../c%d]", i+1, i+1)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a circle that renames":   {map[string]string{"k0/kustomization.yaml": "namePrefix: p-\nresources: [db.yaml, ../k0]"}, "a circle of them"},
		"components in a circle":  {map[string]string{"k0/kustomization.yaml": "resources: [db.yaml]\ncomponents: [../c]", "c/kustomization.yaml": "kind: Component\ncomponents: [../c]"}, "a circle"},
		"components doubled":      {parts, "a circle"},
		"ways that double":        {wide, "more than 1000 ways"},
		"more ways than expected": {namespaces, "more than 1000 ways"},
		"a list without end":      {map[string]string{"k0/kustomization.yaml": "resources: [" + strings.Repeat("a,", 500_001) + "]"}, ""},
		"deep":                    {map[string]string{"k0/kustomization.yaml": strings.Repeat("[", 100_000)}, ""},
		"aliases of aliases":      {map[string]string{"k0/kustomization.yaml": "a: &a [db.yaml,db.yaml]\nb: &b [*a,*a]\nresources: [*b,*b,*b]"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := placings(t, c.files, "k0/db.yaml")
			var own *config.Error
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.As(err, &own) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// crowded is a repository of more kustomizations than fit into a test's
// directory: each of its directories holds one.
type crowded struct {
	fs.FS // holds a directory x with the kustomization
	count int
}

func (c crowded) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return fs.ReadDir(c.FS, "x")
	}
	out := make([]fs.DirEntry, c.count)
	one, err := fs.ReadDir(c.FS, ".")
	for i := range out {
		out[i] = numbered{one[0], i}
	}
	return out, err
}

func (c crowded) Open(name string) (fs.File, error) {
	if at, base := path.Split(name); at != "" {
		name = "x/" + base
	}
	return c.FS.Open(name)
}

type numbered struct {
	fs.DirEntry
	i int
}

func (n numbered) Name() string { return strconv.Itoa(n.i) }

func TestMoreKustomizationsThanAnyoneHas(t *testing.T) {
	for count, fails := range map[int]bool{20_000: false, 20_001: true} {
		files := crowded{repository(map[string]string{"x/kustomization.yaml": "resources: [a]"}), count}
		_, err := config.ReadKustomizations(files)
		var own *config.Error
		if errors.As(err, &own) != fails {
			t.Errorf("%d: %v", count, err)
		}
	}
}

func TestFinal(t *testing.T) {
	a := config.Placing{Top: "a", Namespace: "shop", Prefix: "a-"}
	b := config.Placing{Top: "b", Namespace: "shop", Prefix: "b-"}
	c := config.Placing{Top: "c", Namespace: "other", Prefix: "a-"}
	none := config.Placing{Top: "d"}
	for name, row := range map[string]struct {
		placings            []config.Placing
		scope               seal.Scope
		namespace, fallback string
		want, fails         string
	}{
		"as the file says":          {nil, seal.Strict, "own", "rule", "own/db", ""},
		"the rule's namespace":      {nil, seal.Strict, "", "rule", "rule/db", ""},
		"the kustomization's":       {[]config.Placing{a}, seal.Strict, "own", "rule", "shop/a-db", ""},
		"twice the same":            {[]config.Placing{a, a}, seal.Strict, "", "", "shop/a-db", ""},
		"names differ":              {[]config.Placing{a, b}, seal.Strict, "", "", "", "a makes it shop/a-db, b makes it shop/b-db"},
		"names that do not bind":    {[]config.Placing{a, b}, seal.NamespaceWide, "", "", "shop/a-db", ""},
		"namespaces differ":         {[]config.Placing{a, c}, seal.NamespaceWide, "", "", "", "c makes it other/a-db"},
		"one gives none":            {[]config.Placing{a, none}, seal.NamespaceWide, "", "", "", "d makes it (no namespace)/db"},
		"one gives none, the same":  {[]config.Placing{a, none}, seal.NamespaceWide, "shop", "", "shop/a-db", ""},
		"one gives none, the rule":  {[]config.Placing{a, none}, seal.NamespaceWide, "", "shop", "shop/a-db", ""},
		"bound to no place":         {[]config.Placing{a, b, c}, seal.ClusterWide, "", "", "shop/a-db", ""},
		"strict, namespaces differ": {[]config.Placing{a, c}, seal.Strict, "", "", "", "its overlays give it different places"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace, final, err := config.Final(row.placings, row.fallback, row.scope, row.namespace, "db")
			var own *config.Error
			switch {
			case row.fails != "" && (!errors.As(err, &own) || !strings.Contains(err.Error(), row.fails) || own.Hint() == ""):
				t.Errorf("got %v", err)
			case row.fails == "" && (err != nil || namespace+"/"+final != row.want):
				t.Errorf("got %s/%s, %v", namespace, final, err)
			}
		})
	}
}
