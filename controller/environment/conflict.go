package environment

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fuin.dev/controller/apierror"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

// Who else owns a field that we are to set decides what is done:
//
//   - the scale subresource: an autoscaler; the field is left to it,
//   - a change by hand or by a program that just writes: drift, taken back,
//   - another applier: a dispute, which spec.force settles.

// settle decides on the conflicts of an apply. It returns what to apply by
// force.
func (p *pass) settle(ctx context.Context, o *object, content map[string]any, conflict error) (map[string]any, *failure) {
	live, err := p.account.at(o.resource, o.id.namespace).Get(ctx, o.id.name, metav1.GetOptions{})
	if err != nil {
		return nil, fail("ApplyFailed", "%s", apierror.Text(err))
	}
	content = runtime.DeepCopyJSON(content)
	for _, c := range conflictsOf(conflict) {
		switch owner := ownerOf(live.ManagedFields, c.manager, c.subresource); {
		case c.subresource == "scale" && removeField(content, c.field):
		case owner == metav1.ManagedFieldsOperationApply:
			return nil, fail("Conflict", "%s applies %s too: remove it from one of the two, or set spec.force", c.manager, c.field)
		case p.env.Spec.Drift.Mode != "" && p.env.Spec.Drift.Mode != "Repair" && p.state.get(o.id) != nil:
			return nil, fail("Drifted", "%s changed %s, which spec.drift.mode %s leaves so", c.manager, c.field, p.env.Spec.Drift.Mode)
		}
	}
	return content, nil
}

// conflict is a field that another manager owns.
type conflict struct {
	field, manager, subresource string
}

// conflictsOf reads the causes of a conflict, which the API server words as
// conflict with "MANAGER" [with subresource "SUB"] using VERSION.
func conflictsOf(err error) (out []conflict) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		quoted := strings.Split(cause.Message, `"`)
		c := conflict{field: cause.Field}
		if len(quoted) > 1 {
			c.manager = quoted[1]
		}
		if len(quoted) > 3 && strings.Contains(quoted[2], "subresource") {
			c.subresource = quoted[3]
		}
		out = append(out, c)
	}
	return out
}

// ownerOf is how a manager came to own what it does.
func ownerOf(managed []metav1.ManagedFieldsEntry, manager, subresource string) metav1.ManagedFieldsOperationType {
	operation := metav1.ManagedFieldsOperationUpdate
	for _, m := range managed {
		if m.Manager == manager && m.Subresource == subresource && m.Operation == metav1.ManagedFieldsOperationApply {
			operation = m.Operation
		}
	}
	return operation
}

// removeField removes a field by a path such as .spec.replicas. A path with
// list elements is none of these.
func removeField(content map[string]any, path string) bool {
	if strings.ContainsAny(path, "[]\"") || !strings.HasPrefix(path, ".") {
		return false
	}
	unstructured.RemoveNestedField(content, strings.Split(path[1:], ".")...)
	return true
}

// clientSide are the managers of what kubectl applied before it could
// server-side, and what was there before managers were noted.
var clientSide = sets.New("kubectl-client-side-apply", "before-first-apply")

// takeOver makes fields that kubectl applied ours, so that those which the
// manifest no longer has are removed.
func (p *pass) takeOver(ctx context.Context, o *object) error {
	live := p.live[o.id]
	if live == nil {
		return nil
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, clientSide, FieldOwner)
	if err != nil || patch == nil {
		return err
	}
	_, err = p.account.at(o.resource, o.id.namespace).Patch(ctx, o.id.name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: FieldOwner})
	if apierrors.IsConflict(err) {
		return fmt.Errorf("somebody else changes it at the same time")
	}
	if err != nil {
		return refusedBy(err)
	}
	return nil
}

// sent is what to apply: the object without the fields that spec.drift.ignore
// leaves to others, where others have them.
func (p *pass) sent(ctx context.Context, o *object) (map[string]any, error) {
	paths := p.ignored(o)
	if len(paths) == 0 {
		return o.content.Object, nil
	}
	live, err := p.resource(o).Get(ctx, o.id.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return o.content.Object, nil
	}
	if err != nil {
		return nil, refusedBy(err)
	}
	content := runtime.DeepCopyJSON(o.content.Object)
	for _, path := range paths {
		if differs(content, live.Object, path) {
			unstructured.RemoveNestedField(content, path...)
		}
	}
	return content, nil
}

// differs reports whether both have a field, with different values: then it
// cannot be ours alone, and leaving it out removes nothing.
func differs(ours, live map[string]any, path []string) bool {
	a, inOurs, _ := unstructured.NestedFieldNoCopy(ours, path...)
	b, inLive, _ := unstructured.NestedFieldNoCopy(live, path...)
	return inOurs && inLive && fmt.Sprint(a) != fmt.Sprint(b)
}

// ignored are the fields of an object that spec.drift.ignore names.
func (p *pass) ignored(o *object) (paths [][]string) {
	for _, rule := range p.env.Spec.Drift.Ignore {
		t := rule.Target
		if !matches(t.Group, o.id.group) || !matches(t.Kind, o.id.kind) || !matches(t.Namespace, o.id.namespace) || !matches(t.Name, o.id.name) {
			continue
		}
		for _, pointer := range rule.Paths {
			paths = append(paths, parsePointer(pointer))
		}
	}
	return paths
}

func matches(want, have string) bool { return want == "" || want == have }

// parsePointer takes a JSON pointer (RFC 6901) apart.
func parsePointer(pointer string) []string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts
}
