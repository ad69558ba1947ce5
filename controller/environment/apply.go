package environment

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"fuin.dev/controller/apierror"
	"fuin.dev/render"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// writers is how many objects of one Environment are written at a time.
const writers = 8

// apply brings the objects to the cluster, stage by stage: what defines others
// first, then SealedSecrets, whose opening is waited for, then the rest, then
// workloads, then what intercepts requests to all of it.
func (p *pass) apply(ctx context.Context) *failure {
	for stage := render.StageDefinitions; stage <= render.StageHooks; stage++ {
		objects := p.of(stage)
		if stage == render.StageWorkloads {
			p.hold(objects)
			p.code(ctx, objects)
		}
		p.applyAll(ctx, objects)
		if ctx.Err() != nil {
			return fail("ApplyFailed", "%s", ctx.Err())
		}
		switch stage {
		case render.StageDefinitions:
			if f := p.awaitDefinitions(ctx, objects); f != nil {
				return f
			}
		case render.StageSecrets:
			p.open(ctx, objects)
		}
	}
	return nil
}

// of lists the objects of a stage.
func (p *pass) of(stage render.Stage) (out []*object) {
	for _, o := range p.objects {
		if o.stage == stage {
			out = append(out, o)
		}
	}
	return out
}

// applyAll applies independent objects. One that cannot be applied keeps no
// other from it.
func (p *pass) applyAll(ctx context.Context, objects []*object) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(writers)
	for _, o := range objects {
		if o.held != "" {
			continue
		}
		group.Go(func() error {
			defer p.recover(&mu, o)
			wrote, err := p.applyOne(ctx, o)
			mu.Lock()
			defer mu.Unlock()
			if wrote {
				p.changed++
			}
			if err != nil && ctx.Err() == nil {
				p.errors = append(p.errors, fmt.Errorf("%s (%s): %w", o.id, whereOf(o.File), err))
			}
			return nil
		})
	}
	_ = group.Wait()
}

// recover turns a panic over one object into that object's error: what a
// tenant writes must not end the process. The panic's own words may hold content.
func (p *pass) recover(mu *sync.Mutex, o *object) {
	what := recover()
	if what == nil {
		return
	}
	p.Log.Error("a panic over an object: report it", "environment", p.name, "object", o.id.String(), "type", fmt.Sprintf("%T", what), "stack", string(debug.Stack()))
	mu.Lock()
	defer mu.Unlock()
	p.errors = append(p.errors, fmt.Errorf("%s (%s): applying it failed inside the controller, whose log says where", o.id, whereOf(o.File)))
}

// unchanged reports whether the object was applied as it is, and stands so.
func (p *pass) unchanged(o *object) bool {
	before := p.state.get(o.id)
	return before != nil && before.digest == o.digest() && !p.state.isDrifted(o.id)
}

func (o *object) digest() [sha256.Size]byte {
	text, _ := json.Marshal(o.content.Object) // keys in order
	return sha256.Sum256(text)
}

// applyOne applies an object unless it is as it was applied.
func (p *pass) applyOne(ctx context.Context, o *object) (wrote bool, err error) {
	if o.resource.Resource == "" {
		if o.scope != "" {
			p.locate(o) // it should be served by now
		}
		if o.resource.Resource == "" {
			return false, fmt.Errorf("the cluster knows no kind %s in %s: apply its CustomResourceDefinition first, or name the Environment that does in spec.dependsOn", o.gvk.Kind, o.gvk.GroupVersion())
		}
	}
	if p.unchanged(o) {
		return false, nil
	}
	if p.leftToOthers(o) || p.ranAlready(o) {
		p.state.undrift(o.id)
		return false, nil
	}
	if err := p.acquire(ctx, o); err != nil {
		return false, err
	}
	if err := p.handOver(ctx, o); err != nil {
		return false, err
	}
	if err := p.write(ctx, o); err != nil {
		if p.state.get(o.id) == nil {
			p.claims.drop(o.id, p.name)
		}
		return false, err
	}
	return true, nil
}

// write applies an object that is this Environment's.
func (p *pass) write(ctx context.Context, o *object) error {
	if err := p.takeOver(ctx, o); err != nil {
		return err
	}
	sent, err := p.sent(ctx, o)
	if err != nil {
		return err
	}
	made, err := p.send(ctx, o, sent)
	if err != nil {
		return err
	}
	p.remember(o, made)
	return nil
}

// send applies, and settles conflicts with other managers.
func (p *pass) send(ctx context.Context, o *object, content map[string]any) (*metav1.PartialObjectMetadata, error) {
	made, err := p.patch(ctx, o, content, p.env.Spec.Force)
	switch {
	case apierrors.IsConflict(err) && !p.env.Spec.Force:
		var f *failure
		if content, f = p.settle(ctx, o, content, err); f != nil {
			return nil, f
		}
		made, err = p.patch(ctx, o, content, true)
	case apierror.IsImmutable(err):
		return p.recreate(ctx, o, content)
	}
	if apierror.IsImmutable(err) {
		return p.recreate(ctx, o, content)
	}
	if err != nil {
		return nil, refusedBy(err)
	}
	return made, nil
}

// refusedBy is the API server's error without content.
func refusedBy(err error) error { return &refusal{apierror.Text(err), err} }

type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

// patch is one server-side apply. Of the answer only the metadata is wanted,
// but of a SealedSecret, which is opened next.
func (p *pass) patch(ctx context.Context, o *object, content map[string]any, force bool) (*metav1.PartialObjectMetadata, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: FieldOwner, Force: &force}
	if o.id.groupKind() != sealedSecretKind {
		return p.account.at(o.resource, o.id.namespace).Patch(ctx, o.id.name, types.ApplyPatchType, body, options)
	}
	if o.made, err = p.resource(o).Patch(ctx, o.id.name, types.ApplyPatchType, body, options); err != nil {
		return nil, err
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		UID: o.made.GetUID(), ResourceVersion: o.made.GetResourceVersion(), ManagedFields: o.made.GetManagedFields(),
	}}, nil
}

// remember notes how the object stands now.
func (p *pass) remember(o *object, made *metav1.PartialObjectMetadata) {
	p.state.put(o.id, &applied{
		digest: o.digest(), resource: o.resource, version: o.gvk.Version,
		uid: made.UID, rv: made.ResourceVersion, fields: fieldsOf(made.ManagedFields),
	})
	o.content.SetUID(made.UID)
	if o.id.kind == configMapKind {
		p.state.touched(o.id.namespace, "")
	}
}

// fieldsOf is what is ours of an object, as the API server writes it.
func fieldsOf(managed []metav1.ManagedFieldsEntry) string {
	for _, m := range managed {
		if m.Manager == FieldOwner && m.Operation == metav1.ManagedFieldsOperationApply && m.Subresource == "" && m.FieldsV1 != nil {
			return m.FieldsV1.GetRawString()
		}
	}
	return ""
}

// recreate deletes an object of which a field is to be changed that cannot be,
// and makes it again: a Job always, others where they say so.
func (p *pass) recreate(ctx context.Context, o *object, content map[string]any) (*metav1.PartialObjectMetadata, error) {
	if o.id.groupKind() != jobKind && o.content.GetAnnotations()[AnnotationRecreate] != "true" {
		return nil, fmt.Errorf("a field changed that cannot be changed: give it another name, or the annotation %s: \"true\" to have it deleted and made again", AnnotationRecreate)
	}
	in := p.account.at(o.resource, o.id.namespace)
	live, err := in.Get(ctx, o.id.name, metav1.GetOptions{})
	if err != nil {
		return nil, refusedBy(err)
	}
	background := metav1.DeletePropagationBackground
	err = in.Delete(ctx, o.id.name, metav1.DeleteOptions{
		PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &live.UID},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, refusedBy(err)
	}
	if err := p.awaitGone(ctx, o.resource, o.id, live.UID); err != nil {
		return nil, err
	}
	made, err := p.patch(ctx, o, content, true)
	if err != nil {
		return nil, refusedBy(err)
	}
	return made, nil
}

// goneWithin bounds the wait for finalizers of an object that is replaced.
const goneWithin = 30 * time.Second

func (p *pass) awaitGone(ctx context.Context, resource schema.GroupVersionResource, i id, uid types.UID) error {
	ctx, cancel := context.WithTimeout(ctx, goneWithin)
	defer cancel()
	return every(ctx, 50*time.Millisecond, func() (bool, error) {
		live, err := p.account.at(resource, i.namespace).Get(ctx, i.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && live.UID != uid {
			return true, nil
		}
		return false, nil
	}, fmt.Errorf("it is being deleted to be made again, and a finalizer holds it"))
}

// every asks until the answer is yes, an error, or the end of ctx, which is late.
func every(ctx context.Context, pause time.Duration, ask func() (bool, error), late error) error {
	for ; ; pause = min(2*pause, 2*time.Second) {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return late
		}
	}
}
