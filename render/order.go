package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Stage is a step of applying a set. Objects of a stage are there before those
// of the next.
type Stage int

// The stages, in their order.
const (
	StageDefinitions Stage = iota // definitions, namespaces, cluster roles and classes
	StageSecrets                  // Secrets and SealedSecrets
	StageConfigs                  // all that is in no other stage
	StageWorkloads                // what has a pod template, and Pods
	StageHooks                    // what the API server calls when others are applied
)

func (s Stage) String() string {
	return [...]string{"definitions", "secrets", "configs", "workloads", "hooks"}[s]
}

// stages are those of kinds, by GROUP/KIND, that do not go by what they hold.
var stages = map[string]Stage{
	"apiextensions.k8s.io/CustomResourceDefinition": StageDefinitions,
	"/Namespace":                             StageDefinitions,
	"rbac.authorization.k8s.io/ClusterRole":  StageDefinitions,
	"scheduling.k8s.io/PriorityClass":        StageDefinitions,
	"node.k8s.io/RuntimeClass":               StageDefinitions,
	"storage.k8s.io/StorageClass":            StageDefinitions,
	"networking.k8s.io/IngressClass":         StageDefinitions,
	"gateway.networking.k8s.io/GatewayClass": StageDefinitions,

	"/Secret":                  StageSecrets,
	"bitnami.com/SealedSecret": StageSecrets,
	"/PodTemplate":             StageConfigs, // runs nothing
	"/Pod":                     StageWorkloads,
	"/ReplicationController":   StageWorkloads,
	"argoproj.io/Rollout":      StageWorkloads, // may name its template by reference
	"apps/Deployment":          StageWorkloads,
	"apps/StatefulSet":         StageWorkloads,
	"apps/DaemonSet":           StageWorkloads,
	"apps/ReplicaSet":          StageWorkloads,
	"extensions/Deployment":    StageWorkloads,
	"extensions/DaemonSet":     StageWorkloads,
	"extensions/ReplicaSet":    StageWorkloads,
	"batch/Job":                StageWorkloads,
	"batch/CronJob":            StageWorkloads,

	"admissionregistration.k8s.io/MutatingWebhookConfiguration":     StageHooks,
	"admissionregistration.k8s.io/ValidatingWebhookConfiguration":   StageHooks,
	"admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": StageHooks,
	"admissionregistration.k8s.io/MutatingAdmissionPolicyBinding":   StageHooks,
	"apiregistration.k8s.io/APIService":                             StageHooks,
}

// StageOf tells when an object is applied. What has containers in a pod
// template is a workload, of whatever kind it is.
func StageOf(o Object) Stage {
	if s, ok := stages[o.Group()+"/"+o.Kind()]; ok {
		return s
	}
	template := mapping(o.Content, "spec", "template", "spec")
	if template == nil {
		template = mapping(o.Content, "spec", "jobTemplate", "spec", "template", "spec")
	}
	if len(sequence(template, "containers")) > 0 {
		return StageWorkloads
	}
	return StageConfigs
}

// position is FILE:LINE, or FILE.
func position(file string, line int) string {
	if line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(line)
}

func (s *Set) sort() {
	slices.SortStableFunc(s.Objects, func(a, b Object) int {
		return cmp.Or(
			cmp.Compare(StageOf(a), StageOf(b)),
			strings.Compare(a.Kind(), b.Kind()),
			strings.Compare(a.Namespace(), b.Namespace()),
			strings.Compare(a.Name(), b.Name()),
			strings.Compare(a.Group(), b.Group()))
	})
}

// identity is what no two objects share.
type identity struct{ group, kind, namespace, name string }

func (o Object) identity() identity {
	return identity{o.Group(), o.Kind(), o.Namespace(), o.Name()}
}

// unique fails if an object is there twice.
func (s *Set) unique() error {
	first := make(map[identity]int, len(s.Objects))
	for i, o := range s.Objects {
		earlier, twice := first[o.identity()]
		if !twice {
			first[o.identity()] = i
			continue
		}
		name := o.Name()
		if ns := o.Namespace(); ns != "" {
			name = ns + "/" + name
		}
		return &DirectoryError{
			File: o.File, Line: o.Line, Reason: Duplicate,
			Message: clip(o.Kind()) + " " + clip(name) + " is there twice, first in " + position(s.Objects[earlier].File, s.Objects[earlier].Line),
			hint:    "delete one of them, or give it another name",
		}
	}
	return nil
}
