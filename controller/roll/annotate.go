package roll

import (
	"context"
	"errors"
	"slices"

	"fuin.dev/render"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Annotations.
const (
	// AnnotationRoll, "true" on a Deployment, StatefulSet, DaemonSet or Argo
	// Rollout, has it restarted when what it names changes.
	AnnotationRoll = "fuin.dev/roll"
	// AnnotationCode, on a pod template, is the code of what it names.
	AnnotationCode = "fuin.dev/roll-code"
)

var (
	apps    = []schema.GroupKind{{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"}}
	rollout = schema.GroupKind{Group: "argoproj.io", Kind: "Rollout"}
)

// Rolls reports whether objects of a kind make new pods when their template
// changes. Jobs and CronJobs do not: a pod that runs once has read all anew.
func Rolls(kind schema.GroupKind) bool {
	return kind == rollout || slices.Contains(apps, kind)
}

// Annotate puts the code of what a workload names into its pod template, as it
// is about to be applied; it changes nothing of what does not roll, or names
// nothing. live is the workload in the cluster, nil if there is none. Where
// something is missing that the pods need, the template keeps the code of live,
// so that nothing restarts only to wait, and the *[MissingError] is returned
// for whoever wants to tell; the workload can be applied all the same.
func (c *Coder) Annotate(ctx context.Context, read client.Reader, workload, live map[string]any) error {
	if !Rolls(groupKind(workload)) {
		return nil
	}
	namespace, _ := field(workload, "metadata", "namespace").(string)
	code, err := c.Code(ctx, read, namespace, render.Uses(workload))
	var missing *MissingError
	if errors.As(err, &missing) {
		code = codeOf(live)
	} else if err != nil {
		return err
	}
	if code != "" {
		setCode(workload, code)
	}
	return err
}

// codeOf is the code in a workload's pod template, "" if there is none.
func codeOf(workload map[string]any) string {
	code, _ := field(workload, "spec", "template", "metadata", "annotations", AnnotationCode).(string)
	return code
}

// setCode sets it; what is no mapping on the way there is replaced.
func setCode(workload map[string]any, code string) {
	m := workload
	for _, name := range []string{"spec", "template", "metadata", "annotations"} {
		next, ok := m[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[name] = next
		}
		m = next
	}
	m[AnnotationCode] = code
}

func groupKind(object map[string]any) schema.GroupKind {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	return schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind()
}

// field walks down mappings; nil where there is nothing.
func field(m map[string]any, path ...string) any {
	for _, name := range path[:len(path)-1] {
		m, _ = m[name].(map[string]any)
	}
	return m[path[len(path)-1]]
}
