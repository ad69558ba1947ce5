package config

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sources are what a kustomization makes and changes Secrets of.
type Sources struct {
	Generators []Generator // of secretGenerator
	Patches    []Patch
	Reads      []string // all files that its generators read, also those of ConfigMaps
}

// A Generator is an entry of secretGenerator.
type Generator struct {
	Name  string
	Index int  // in the list
	Makes bool // and does not merge into, or replace, what a base has
	Reads []string
	Alone []byte // a kustomization that generates this Secret, without a hash in its name, and nothing else
}

// A Patch is one that may be of a Secret: a file, or text in the kustomization.
type Patch struct {
	File     string // in the repository; "" for text
	Field    string // of the text, as seal.ParseField reads it
	Text     string
	Targeted bool // by a selector, not by the name in it
}

// ReadSources reads a kustomization file; false for what is none.
func ReadSources(file string, data []byte) (Sources, bool) {
	var doc yaml.Node
	var s Sources
	if len(data) > maxKustomization || yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc) != nil || len(doc.Content) == 0 {
		return s, false
	}
	k := &kustomization{file: file, dir: path.Dir(file)}
	var options *yaml.Node
	err := eachEntry(doc.Content[0], func(key, value *yaml.Node) error {
		if key.Value == "generatorOptions" {
			options = value
		}
		return nil
	})
	if err != nil {
		return s, false
	}
	_ = eachEntry(doc.Content[0], func(key, value *yaml.Node) error {
		value = target(value)
		switch {
		case value.Kind != yaml.SequenceNode:
		case key.Value == "secretGenerator":
			s.generators(k, value, options)
		case key.Value == "configMapGenerator":
			for _, item := range value.Content {
				s.Reads = append(s.Reads, k.generatorReads(target(item))...)
			}
		case key.Value == "patches":
			s.patches(k, value)
		case key.Value == "patchesStrategicMerge":
			s.strategic(k, value)
		}
		return nil
	})
	return s, true
}

func (s *Sources) generators(k *kustomization, list, options *yaml.Node) {
	for i, item := range list.Content {
		item = target(item)
		behavior := textOf(item, "behavior")
		g := Generator{
			Name: textOf(item, "name"), Index: i, Makes: behavior == "" || behavior == "create",
			Reads: k.generatorReads(item), Alone: alone(item, options),
		}
		s.Generators = append(s.Generators, g)
		s.Reads = append(s.Reads, g.Reads...)
	}
}

// alone writes the kustomization of one generator, nil if it is none.
func alone(item, options *yaml.Node) []byte {
	var generator, shared map[string]any
	if item.Decode(&generator) != nil || options != nil && options.Decode(&shared) != nil {
		return nil
	}
	if shared == nil {
		shared = map[string]any{}
	}
	shared["disableNameSuffixHash"] = true
	if own, ok := generator["options"].(map[string]any); ok {
		own["disableNameSuffixHash"] = true
	}
	out, err := json.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
		"secretGenerator": []any{generator}, "generatorOptions": shared,
	})
	if err != nil {
		return nil
	}
	return out
}

// generatorReads are the files of the repository that a generator reads.
func (k *kustomization) generatorReads(item *yaml.Node) []string {
	var out []string
	for _, field := range []string{"env", "envs", "files"} {
		names := valueOf(item, field)
		if names == nil {
			continue
		}
		list := names.Content
		if names.Kind == yaml.ScalarNode {
			list = []*yaml.Node{names}
		}
		for _, name := range list {
			_, file, ok := strings.Cut(target(name).Value, "=")
			if !ok || field != "files" {
				file = target(name).Value
			}
			if p, ok := inside(path.Join(k.dir, file)); ok && file != "" && !path.IsAbs(file) {
				out = append(out, p)
			}
		}
	}
	return out
}

func (s *Sources) patches(k *kustomization, list *yaml.Node) {
	for i, item := range list.Content {
		item = target(item)
		p := Patch{Targeted: valueOf(item, "target") != nil}
		if item.Kind == yaml.ScalarNode { // as it was written in 2018
			p.File = k.fileOf(item.Value)
		} else if p.Text = textOf(item, "patch"); p.Text != "" {
			p.Field = "patches[" + strconv.Itoa(i) + "].patch"
		} else {
			p.File = k.fileOf(textOf(item, "path"))
		}
		if p.File != "" || p.Text != "" {
			s.Patches = append(s.Patches, p)
		}
	}
}

func (s *Sources) strategic(k *kustomization, list *yaml.Node) {
	for i, item := range list.Content {
		text := target(item).Value
		switch {
		case strings.ContainsAny(text, "\n{") || strings.Contains(text, ": "):
			s.Patches = append(s.Patches, Patch{Field: "patchesStrategicMerge[" + strconv.Itoa(i) + "]", Text: text})
		case k.fileOf(text) != "":
			s.Patches = append(s.Patches, Patch{File: k.fileOf(text)})
		}
	}
}

// fileOf is a path of the repository; "" for what leads out of it.
func (k *kustomization) fileOf(name string) string {
	p, ok := inside(path.Join(k.dir, name))
	if !ok || name == "" || path.IsAbs(name) || strings.Contains(name, "://") {
		return ""
	}
	return p
}

func valueOf(m *yaml.Node, field string) *yaml.Node {
	for i := 0; m.Kind == yaml.MappingNode && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == field {
			return target(m.Content[i+1])
		}
	}
	return nil
}

func textOf(m *yaml.Node, field string) string {
	if n := valueOf(m, field); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

// Patching are the kustomization files that name a file as a patch.
func (k *Kustomizations) Patching(file string) []string {
	return k.sourced(file, func(s Sources) bool {
		return slices.ContainsFunc(s.Patches, func(p Patch) bool { return p.File == file })
	})
}

// Reading are the kustomization files whose generators read a file.
func (k *Kustomizations) Reading(file string) []string {
	return k.sourced(file, func(s Sources) bool { return slices.Contains(s.Reads, file) })
}

func (k *Kustomizations) sourced(file string, is func(Sources) bool) []string {
	var out []string
	for _, s := range k.all {
		if !s.mayList(file) {
			continue
		}
		if sources, ok := ReadSources(s.file, s.data); ok && is(sources) {
			out = append(out, s.file)
		}
	}
	return out
}
