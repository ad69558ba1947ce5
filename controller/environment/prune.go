package environment

import (
	"context"
	"fmt"
	"slices"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/apierror"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// record writes what is going to be the inventory, old and new objects, before
// anything is applied: whatever happens then, nothing is lost sight of.
func (p *pass) record(ctx context.Context) *failure {
	if p.lost() {
		p.rebuild(ctx)
	}
	p.old = p.old.with(inventory{})
	coming := p.old.with(inventoryOfSet(p.objects)).entries()
	if size := sizeOf(coming); size > maxInventory {
		return stall("TooManyObjects", "a list of the %d objects that are or would be applied takes %d KiB and may take %d: spread them over several Environments", len(coming), size>>10, maxInventory>>10)
	}
	p.env.Status.Inventory = coming
	setCondition(p.env, v1alpha1.Reconciling, metav1.ConditionTrue, "Applying", "applying "+p.checkout.Revision)
	if err := p.writeStatus(ctx); err != nil {
		return fail("StatusFailed", "recording what is going to be applied: %s", apierror.Text(err))
	}
	p.recorded = true
	return nil
}

// lost tells that something was applied once, and nothing is known of it.
func (p *pass) lost() bool {
	return len(p.old) == 0 && p.env.Status.LastAppliedRevision != ""
}

// rebuild finds what carries the Environment's label: of the kinds and in the
// namespaces of the set, which is where it can be.
func (p *pass) rebuild(ctx context.Context) {
	seen := map[place]bool{}
	for _, o := range p.objects {
		at := place{o.resource, o.id.namespace}
		if o.resource.Resource == "" || seen[at] {
			continue
		}
		seen[at] = true
		_ = eachLive(ctx, p.account.at(at.resource, at.namespace), p.mine(), func(m *metav1.PartialObjectMetadata) {
			p.old[id{o.gvk.Group, o.gvk.Kind, m.Namespace, m.Name}] = o.gvk.Version
		}) // what may not be listed cannot be found
	}
}

// prune deletes what left the source. After a failure nothing is deleted.
func (p *pass) prune(ctx context.Context) *failure {
	gone := p.left()
	if len(p.errors)+len(p.failed) > 0 {
		p.keep(gone)
		return nil
	}
	if !p.env.Spec.Prune {
		gone = nil
	}
	for _, i := range gone {
		if err := p.delete(ctx, i, p.old[i]); err != nil {
			p.errors = append(p.errors, fmt.Errorf("pruning %s: %w", i, err))
			p.keep([]id{i})
		}
	}
	return nil
}

// left lists what was applied and is in the set no more, what depends on
// others first.
func (p *pass) left() (gone []id) {
	now := inventoryOfSet(p.objects)
	for _, i := range p.old.sorted() {
		if _, stays := now[i]; !stays {
			gone = append(gone, i)
		}
	}
	slices.SortStableFunc(gone, func(a, b id) int { return int(stageOf(b) - stageOf(a)) })
	return gone
}

func stageOf(i id) render.Stage {
	api := schema.GroupVersion{Group: i.group, Version: "v1"}.String()
	return render.StageOf(render.Object{Content: map[string]any{"apiVersion": api, "kind": i.kind}})
}

// keep holds objects in the inventory that are not deleted yet.
func (p *pass) keep(ids []id) {
	for _, i := range ids {
		p.kept = append(p.kept, i.entry(p.old[i]))
	}
}

// delete removes an object that this Environment applied. One that carries
// another label, or none, is somebody else's.
func (p *pass) delete(ctx context.Context, i id, version string) error {
	mapping, err := p.Mapper.RESTMapping(i.groupKind(), version)
	if meta.IsNoMatchError(err) {
		mapping, err = p.Mapper.RESTMapping(i.groupKind())
	}
	if meta.IsNoMatchError(err) {
		p.forgetObject(i)
		return nil // the kind is gone, and with it the object
	}
	if err != nil {
		return err
	}
	in := p.account.at(mapping.Resource, i.namespace)
	live, err := in.Get(ctx, i.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		p.forgetObject(i)
		return nil
	}
	if err != nil {
		return refusedBy(err)
	}
	if !p.owns(live) || kept(live.Annotations) {
		p.forgetObject(i)
		return nil
	}
	background := metav1.DeletePropagationBackground
	err = in.Delete(ctx, i.name, metav1.DeleteOptions{
		PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &live.UID},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return refusedBy(err)
	}
	p.pruned++
	p.forgetObject(i)
	p.tell(corev1.EventTypeNormal, "Pruned", i.String())
	return nil
}

const helmPolicy = "helm.sh/resource-policy"

// kept reports whether an object is to stay when it leaves the source; charts
// say so in Helm's words.
func kept(annotations map[string]string) bool {
	return annotations[AnnotationPrune] == "disabled" || annotations[helmPolicy] == "keep"
}

func (p *pass) owns(live *metav1.PartialObjectMetadata) bool {
	return types.NamespacedName{Namespace: live.Labels[LabelNamespace], Name: live.Labels[LabelName]} == p.name
}

func (p *pass) forgetObject(i id) {
	p.state.drop(i)
	p.claims.drop(i, p.name)
}
