package render

import (
	"slices"
	"strings"
)

// PodTemplatePath tells where an object keeps the template of its pods, as the
// fields that lead to it: its metadata and spec are below. It knows Pods, for
// which the path is empty, CronJobs, PodTemplates, and every object with
// containers under spec.template, such as Deployments, Jobs and Argo Rollouts.
// ok is false for all else, and for a Rollout that leaves its pods to another
// object; see [WorkloadRef].
func PodTemplatePath(content map[string]any) (path []string, ok bool) {
	path = []string{"spec", "template"}
	switch kind, group := textAt(content, "kind"), group(content); {
	case kind == "Pod" && group == "":
		path = []string{}
	case kind == "PodTemplate" && group == "":
		path = []string{"template"}
	case kind == "CronJob" && group == "batch":
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	spec := mapAt(content, append(slices.Clone(path), "spec")...)
	if _, ok := spec["containers"].([]any); !ok {
		return nil, false
	}
	return path, true
}

// Reference names an object of the same namespace.
type Reference struct {
	APIVersion, Kind, Name string
}

// WorkloadRef is the workload whose pods an Argo Rollout takes over. It has no
// template then, and the Secrets are those that the workload names.
func WorkloadRef(content map[string]any) (Reference, bool) {
	ref := mapAt(content, "spec", "workloadRef")
	r := Reference{textAt(ref, "apiVersion"), textAt(ref, "kind"), textAt(ref, "name")}
	return r, textAt(content, "kind") == "Rollout" && group(content) == "argoproj.io" && r.Kind != "" && r.Name != ""
}

// Images lists the images that the pods of a workload run, in the order in
// which they stand there, each once. It is nil for what is no workload.
func Images(content map[string]any) (images []string) {
	_, spec := podSpec(content)
	add := func(image string) {
		if image != "" && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	for _, list := range containerLists {
		for _, container := range mapsAt(spec, list) {
			add(textAt(container, "image"))
		}
	}
	for _, volume := range mapsAt(spec, "volumes") {
		add(textAt(mapAt(volume, "image"), "reference"))
	}
	return images
}

// containerLists are the fields of a pod that hold containers.
var containerLists = []string{"initContainers", "containers", "ephemeralContainers"}

// podSpec is the spec of a workload's pods and the path to it; nil if there is
// none.
func podSpec(content map[string]any) (path []string, spec map[string]any) {
	path, ok := PodTemplatePath(content)
	if !ok {
		return nil, nil
	}
	path = append(path, "spec")
	return path, mapAt(content, path...)
}

// group is the group of an object's API; "" is the core one.
func group(content map[string]any) string {
	group, _, ok := strings.Cut(textAt(content, "apiVersion"), "/")
	if !ok {
		return ""
	}
	return group
}

// mapAt walks down mappings; nil where there is something else, or nothing.
func mapAt(m map[string]any, path ...string) map[string]any {
	for _, field := range path {
		m, _ = m[field].(map[string]any)
	}
	return m
}

func textAt(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}

// mapsAt lists the mappings of a list by their index; what is no mapping is
// left out.
func mapsAt(m map[string]any, field string) func(yield func(int, map[string]any) bool) {
	list, _ := m[field].([]any)
	return func(yield func(int, map[string]any) bool) {
		for i, item := range list {
			if m, ok := item.(map[string]any); ok && !yield(i, m) {
				return
			}
		}
	}
}
