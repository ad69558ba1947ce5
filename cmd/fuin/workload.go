package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A workload is what fuin status reads of an object that has a pod template.
type workload struct {
	kind     string
	Metadata struct {
		Namespace  string            `json:"namespace"`
		Name       string            `json:"name"`
		Generation int64             `json:"generation"`
		Labels     map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Replicas    *int64      `json:"replicas"`
		Template    podTemplate `json:"template"`
		JobTemplate struct {
			Spec struct {
				Template podTemplate `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration     json.RawMessage `json:"observedGeneration"`
		Replicas               int64           `json:"replicas"`
		UpdatedReplicas        int64           `json:"updatedReplicas"`
		AvailableReplicas      int64           `json:"availableReplicas"`
		DesiredNumberScheduled int64           `json:"desiredNumberScheduled"`
		CurrentNumberScheduled int64           `json:"currentNumberScheduled"`
		UpdatedNumberScheduled int64           `json:"updatedNumberScheduled"`
		NumberAvailable        int64           `json:"numberAvailable"`
		Conditions             []condition     `json:"conditions"`
	} `json:"status"`
}

type podTemplate struct {
	Spec struct {
		InitContainers []container `json:"initContainers"`
		Containers     []container `json:"containers"`
	} `json:"spec"`
}

type container struct {
	Image string `json:"image"`
}

// observed is the generation that the status is about: a number, but text in
// Argo Rollouts.
func (w *workload) observed() int64 {
	n, err := strconv.ParseInt(string(bytes.Trim(w.Status.ObservedGeneration, `"`)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// workloadKinds are the kinds that have a pod template, with their paths.
var workloadKinds = map[string]struct{ group, path, plural string }{
	"Deployment":  {"apps", "apis/apps/v1", "deployments"},
	"StatefulSet": {"apps", "apis/apps/v1", "statefulsets"},
	"DaemonSet":   {"apps", "apis/apps/v1", "daemonsets"},
	"CronJob":     {"batch", "apis/batch/v1", "cronjobs"},
	"Job":         {"batch", "apis/batch/v1", "jobs"},
	"Rollout":     {"argoproj.io", "apis/argoproj.io/v1alpha1", "rollouts"},
}

func (w *workload) String() string { return w.kind + "/" + w.Metadata.Name }

// images are those of all containers, each once.
func (w *workload) images() []string {
	var out []string
	for _, t := range []podTemplate{w.Spec.Template, w.Spec.JobTemplate.Spec.Template} {
		for _, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
			if !slices.Contains(out, c.Image) {
				out = append(out, c.Image)
			}
		}
	}
	return out
}

// rolled tells whether all pods are of the current template and available,
// and if not, how far it is.
func (w *workload) rolled() (bool, string) {
	if w.observed() < w.Metadata.Generation && w.kind != "Job" && w.kind != "CronJob" {
		return false, "the cluster has not seen the change yet"
	}
	want, updated, available, all := int64(1), w.Status.UpdatedReplicas, w.Status.AvailableReplicas, w.Status.Replicas
	switch w.kind {
	case "CronJob":
		return true, "from its next run"
	case "Job":
		return true, ""
	case "DaemonSet":
		s := w.Status
		want, updated, available, all = s.DesiredNumberScheduled, s.UpdatedNumberScheduled, s.NumberAvailable, s.CurrentNumberScheduled
	default:
		if w.Spec.Replicas != nil {
			want = *w.Spec.Replicas
		}
	}
	progress := fmt.Sprintf("%d of %d updated, %d available", updated, want, available)
	for _, c := range w.Status.Conditions {
		if c.Type == "Progressing" && c.Status == "False" {
			progress += ": " + c.Reason
		}
	}
	if old := all - updated; old > 0 {
		progress += fmt.Sprintf(", %d of the old ones left", old)
	}
	return updated >= want && available >= want && all <= updated, progress
}

// workloads reads those that an Environment applied, and notes on what the user
// may not read, by kind.
func (c *cluster) workloads(ctx context.Context, e *environment) (found []workload, unread map[string]string, err error) {
	unread = map[string]string{}
	known := newManaged([]environment{*e})
	for _, at := range e.workloadPlaces() {
		kind := workloadKinds[at.Kind]
		some, _, err := listAll[workload](ctx, c, query{
			path: []string{kind.path, "namespaces", at.Namespace, kind.plural}, limit: 100,
		})
		switch {
		case refused(err):
			unread[at.Kind] = fmt.Sprintf("you may not list %s in namespace %s", kind.plural, at.Namespace)
			continue
		case err != nil:
			return nil, nil, err
		}
		for _, w := range some {
			w.kind = at.Kind
			at.Name = w.Metadata.Name
			if known.inventory[at] || e.labelled(w.Metadata.Labels) {
				found = append(found, w)
			}
		}
	}
	return found, unread, nil
}

// workloadPlaces are the kinds of workloads that an inventory has, by
// namespace; the name is empty.
func (e *environment) workloadPlaces() []objectID {
	var out []objectID
	seen := map[objectID]bool{}
	for _, entry := range e.Status.Inventory {
		id, ok := entry.object()
		known, isWorkload := workloadKinds[id.Kind]
		id.Name = ""
		if ok && isWorkload && known.group == id.Group && dnsName().MatchString(id.Namespace) && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b objectID) int { return strings.Compare(a.Namespace+" "+a.Kind, b.Namespace+" "+b.Kind) })
	return out
}

// labelled reports whether labels are of what the Environment applied.
func (e *environment) labelled(labels map[string]string) bool {
	return labels[labelEnvironment] == e.Metadata.Name && labels[labelEnvironmentNamespace] == e.Metadata.Namespace
}
