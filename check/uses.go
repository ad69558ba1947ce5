package check

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/render"
)

// secretUse is a Secret that an object names.
type secretUse struct {
	namespace      string // "" is the object's
	name           string
	keys           []string
	optional, pull bool
	path           string // of the field
}

// usesOf lists the Secrets that an object needs: those of its pods, and in
// Ingresses, Gateways and the kinds of Argo all that it names.
func usesOf(o render.Object) (uses []secretUse) {
	for _, use := range render.Uses(o.Content) {
		if use.Kind == "Secret" {
			uses = append(uses, secretUse{name: use.Name, keys: use.Keys, optional: use.Optional, pull: use.Pull, path: use.Path})
		}
	}
	if len(uses) > 0 || !slices.Contains(namingKinds, o.Kind()) {
		return uses
	}
	w := &useWalk{}
	w.node(o.Content["spec"], "spec", "", 0)
	return w.uses
}

// namingKinds need the Secrets that they name, and have no pod template that
// the render package knows.
var namingKinds = []string{
	"Ingress", "Gateway", "Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow", "Sensor", "EventSource", "Rollout",
	"ServiceMonitor", "PodMonitor", "Task", "Pipeline", "PipelineRun", "TaskRun", "ScaledObject", "TriggerAuthentication", "IngressRoute", "TLSStore", "Middleware",
}

// useWalk finds references to Secrets in any object, by the names of fields.
type useWalk struct {
	uses  []secretUse
	count int
}

const maxUseNodes = 100_000

func (w *useWalk) node(value any, path, field string, depth int) {
	if w.count++; w.count > maxUseNodes || depth > maxDepth {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		if w.reference(v, path, field) {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			w.node(v[key], path+"."+key, key, depth+1)
		}
	case []any:
		for i, item := range v {
			w.node(item, path+"["+strconv.Itoa(i)+"]", field, depth+1)
		}
	case string:
		if field == "secretName" {
			w.uses = append(w.uses, secretUse{name: v, path: path})
		}
	}
}

// reference takes {name: X, key: Y} under a field that is named for a secret,
// and certificateRefs.
func (w *useWalk) reference(m map[string]any, path, field string) bool {
	name := textAt(m, "name")
	isRef := strings.HasSuffix(field, "secretRef") || strings.HasSuffix(field, "SecretRef") || field == "secretKeyRef"
	isCertificate := field == "certificateRefs" && (textAt(m, "kind") == "" || textAt(m, "kind") == "Secret")
	_, keyed := m["key"]
	if name == "" || !isRef && !isCertificate && (!keyed || !strings.Contains(strings.ToLower(field), "secret") && senseOf(field) == harmless) {
		return false
	}
	optional, _ := m["optional"].(bool)
	use := secretUse{name: name, namespace: textAt(m, "namespace"), optional: optional, path: path}
	if key := textAt(m, "key"); key != "" {
		use.keys = []string{key}
	}
	w.uses = append(w.uses, use)
	return true
}
