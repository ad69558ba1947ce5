package main

import (
	"cmp"
	"encoding/json"
	"path"
	"strings"

	"fuin.dev/render"

	"fuin.dev/lazy"
	"sigs.k8s.io/yaml"
)

// A manifestEnvironment is what an Environment in a file says about rendering. A
// test holds it to the API.
type manifestEnvironment struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec manifestSpec `json:"spec"`
}

type manifestSpec struct {
	Path            string         `json:"path"`
	Renderer        string         `json:"renderer"`
	TargetNamespace string         `json:"targetNamespace"`
	Images          []render.Image `json:"images"`
	ImagesFrom      string         `json:"imagesFrom"`
	AllowRemote     bool           `json:"allowRemote"`
	Helm            struct {
		ReleaseName string          `json:"releaseName"`
		ValuesFiles []string        `json:"valuesFiles"`
		Values      json.RawMessage `json:"values"`
	} `json:"helm"`
	Jsonnet struct {
		ExternalVariables map[string]string `json:"externalVariables"`
		LibraryPaths      []string          `json:"libraryPaths"`
	} `json:"jsonnet"`
}

// documentEnd is where a YAML document ends.
var documentEnd = lazy.Regexp(`(?m)^---(?:[ \t]|\r?$)`)

// parseEnvironment finds the one Environment of a file. Its errors show nothing
// of the file: an Environment can hold values.
func parseEnvironment(file string, data []byte) (*manifestEnvironment, error) {
	const hint = "name a directory, or a file with an Environment: fuin render --help"
	var found []*manifestEnvironment
	for _, text := range documentEnd().Split(string(data), -1) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if yaml.Unmarshal([]byte(text), &head) != nil {
			return nil, failAt(file, hint, "it does not read as manifests")
		}
		if head.Kind != "Environment" || !strings.HasPrefix(head.APIVersion, "fuin.dev/") {
			continue
		}
		env := &manifestEnvironment{}
		if yaml.Unmarshal([]byte(text), env) != nil {
			return nil, failAt(file, "kubectl explain environment.spec tells the types", "a field of its Environment is of another type than it should be")
		}
		found = append(found, env)
	}
	switch len(found) {
	case 0:
		return nil, failAt(file, hint, "it holds no Environment")
	case 1:
		return found[0], nil
	}
	return nil, failAt(file, "give each a file of its own", "it holds %d Environments", len(found))
}

// path is that of the directory in the repository.
func (e *manifestEnvironment) path() string {
	return path.Clean(cmp.Or(strings.Trim(e.Spec.Path, "/"), "."))
}

// into puts what the Environment says into a source, as the controller does.
func (e *manifestEnvironment) into(s *renderSource) {
	d := &s.directory
	d.Kind = render.Kind(e.Spec.Renderer)
	d.TargetNamespace = e.Spec.TargetNamespace
	d.Images, d.ImagesFrom = e.Spec.Images, e.Spec.ImagesFrom
	d.Helm = render.HelmOptions{
		ReleaseName: cmp.Or(e.Spec.Helm.ReleaseName, e.Metadata.Name),
		Namespace:   cmp.Or(e.Spec.TargetNamespace, e.Metadata.Namespace),
		ValuesFiles: e.Spec.Helm.ValuesFiles, Values: e.Spec.Helm.Values,
	}
	d.Jsonnet = render.JsonnetOptions(e.Spec.Jsonnet)
	s.allowRemote = e.Spec.AllowRemote
	s.defaultNamespace = e.Metadata.Namespace
}
