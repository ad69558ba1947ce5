package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"fuin.dev/config"
	"fuin.dev/seal"

	"github.com/google/go-cmp/cmp"
)

const sources = `
resources: [a.yaml]
generatorOptions: {labels: {made: here}}
x: &common {envs: [common.env]}
secretGenerator:
- name: db
  literals: [a=b]
  files: [key.pem=keys/db.key, plain.txt, ../../../outside, /etc/passwd]
  options: {disableNameSuffixHash: false, immutable: true}
- <<: *common
  name: other
  behavior: merge
configMapGenerator:
- {name: c, env: c.env}
patches:
- path: db.yaml
- {target: {kind: Secret}, patch: "text"}
- old.yaml
patchesStrategicMerge:
- |-
  kind: Secret
- more.yaml
- https://example.com/x.yaml
`

func TestReadSources(t *testing.T) {
	s, ok := config.ReadSources("o/p/kustomization.yaml", []byte(sources))
	if !ok || len(s.Generators) != 2 {
		t.Fatalf("%+v", s)
	}
	db, other := s.Generators[0], s.Generators[1]
	if !db.Makes || db.Index != 0 || db.Name != "db" || other.Makes || other.Index != 1 {
		t.Errorf("%+v %+v", db, other)
	}
	if diff := cmp.Diff([]string{"o/p/keys/db.key", "o/p/plain.txt"}, db.Reads); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"o/p/keys/db.key", "o/p/plain.txt", "o/p/c.env"}, s.Reads); diff != "" {
		t.Error(diff)
	}
	want := []config.Patch{
		{File: "o/p/db.yaml"}, {Field: "patches[1].patch", Text: "text", Targeted: true}, {File: "o/p/old.yaml"},
		{Field: "patchesStrategicMerge[0]", Text: "kind: Secret"}, {File: "o/p/more.yaml"},
	}
	if diff := cmp.Diff(want, s.Patches); diff != "" {
		t.Error(diff)
	}
	for _, p := range s.Patches {
		if _, err := seal.ParseField(p.Field); p.Field != "" && err != nil {
			t.Error(err)
		}
	}
	var alone struct {
		Generators []map[string]any `json:"secretGenerator"`
		Options    map[string]any   `json:"generatorOptions"`
	}
	if err := json.Unmarshal(other.Alone, &alone); err != nil || len(alone.Generators) != 1 || alone.Options["disableNameSuffixHash"] != true {
		t.Errorf("%s: %v", other.Alone, err)
	}
	if diff := cmp.Diff([]any{"common.env"}, alone.Generators[0]["envs"]); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(db.Alone), `"disableNameSuffixHash":true,"immutable":true`) {
		t.Errorf("%s", db.Alone)
	}
}

// Whatever stands there, nothing panics, and nothing grows.
func TestReadSourcesOfAnything(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		bomb += string(rune('b'+i)) + ": &" + string(rune('b'+i)) + " [" + strings.Repeat("*"+string(rune('a'+i))+",", 9) + "]\n"
	}
	for name, text := range map[string]string{
		"nothing": "", "text": "x", "a list": "[a]", "no YAML": "{{ x }}", "null": "secretGenerator:\npatches:\n",
		"scalars": "secretGenerator: x\npatches: 1\npatchesStrategicMerge: {a: b}\nconfigMapGenerator: y",
		"odd":     "secretGenerator: [x, 1, null, [a], {files: {a: b}}, {envs: [[x]]}, {name: [a]}]\npatches: [null, [a], {patch: {a: b}}, {path: 1}]\npatchesStrategicMerge: [null, [x], {a: b}]",
		"twice":   "secretGenerator: []\nsecretGenerator: []", "a bomb": bomb + "secretGenerator: [{name: db, literals: *i}]",
		"large": strings.Repeat("# x\n", 1<<19),
	} {
		s, ok := config.ReadSources("kustomization.yaml", []byte(text))
		for _, g := range s.Generators {
			if len(g.Alone) > 1<<20 {
				t.Errorf("%s: %d bytes", name, len(g.Alone))
			}
		}
		if ok && (name == "nothing" || name == "text" || name == "a list" || name == "no YAML" || name == "twice" || name == "large") {
			t.Errorf("%s: read as a kustomization", name)
		}
	}
}

func TestWhoPatchesAndReads(t *testing.T) {
	k, err := config.ReadKustomizations(fstest.MapFS{
		"a/kustomization.yaml": {Data: []byte("patches: [{path: ../p/db.yaml}]\nsecretGenerator: [{name: a, envs: [../p/x.env]}]")},
		"b/kustomization.yaml": {Data: []byte("patchesStrategicMerge: [../p/db.yaml]\nconfigMapGenerator: [{name: b, files: [../p/x.env]}]")},
		"c/kustomization.yaml": {Data: []byte("resources: [../p/db.yaml, ../p/x.env]")},
	})
	if err != nil {
		t.Fatal(err)
	}
	both := []string{"a/kustomization.yaml", "b/kustomization.yaml"}
	if diff := cmp.Diff(both, k.Patching("p/db.yaml")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(both, k.Reading("p/x.env")); diff != "" {
		t.Error(diff)
	}
}
