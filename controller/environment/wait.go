package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fuin.dev/controller/apierror"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// awaitDefinitions waits until the CustomResourceDefinitions that were applied
// are served, and namespaces are there.
func (p *pass) awaitDefinitions(ctx context.Context, objects []*object) *failure {
	for _, o := range objects {
		if o.id.groupKind() != crdKind || p.state.get(o.id) == nil {
			continue
		}
		var last string
		err := every(ctx, 50*time.Millisecond, func() (bool, error) {
			ready, why := p.readiness(ctx, o)
			last = why
			return ready, nil
		}, errors.New("late"))
		if err != nil {
			return fail("ApplyFailed", "%s was not established: %s", o.id, last)
		}
	}
	return nil
}

// wait waits until all objects are ready, where the Environment says so. What
// failed already is told at once: a SealedSecret that does not open never
// becomes ready.
func (p *pass) wait(ctx context.Context) *failure {
	if !p.env.Spec.Wait || len(p.errors) > 0 || len(p.failed) > 0 {
		return nil
	}
	pending := make([]*object, 0, len(p.objects))
	for _, o := range p.objects {
		if o.held == "" && p.state.get(o.id) != nil {
			pending = append(pending, o)
		}
	}
	var last string
	err := every(ctx, 100*time.Millisecond, func() (bool, error) {
		still := pending[:0:0]
		for _, o := range pending {
			ready, why := p.readiness(ctx, o)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return false, nil
			}
			if !ready {
				still = append(still, o)
				last = fmt.Sprintf("%s: %s", o.id, why)
			}
		}
		pending = still
		return len(pending) == 0, nil
	}, errors.New("late"))
	if err != nil {
		return fail("NotReady", "%d of %d objects are not ready: %s", len(pending), len(p.objects), last)
	}
	return nil
}

// readiness is what kstatus makes of an object; a Job is ready when it is
// complete, an Argo Rollout when it is healthy.
func (p *pass) readiness(ctx context.Context, o *object) (ready bool, why string) {
	live, err := p.resource(o).Get(ctx, o.id.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, "it is gone"
	}
	if err != nil {
		return false, apierror.Text(err)
	}
	return Readiness(live)
}

// Readiness tells whether an object is as its spec says, and if not why, in
// the words of kstatus.
func Readiness(live *unstructured.Unstructured) (ready bool, why string) {
	switch live.GroupVersionKind().GroupKind() {
	case jobKind:
		return jobReadiness(live)
	case rolloutKind:
		phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
		observed, _, _ := unstructured.NestedString(live.Object, "status", "observedGeneration")
		return phase == "Healthy" && observed == fmt.Sprint(live.GetGeneration()), "its phase is " + phase
	}
	result, err := status.Compute(live)
	if err != nil {
		return false, "its status is malformed"
	}
	return result.Status == status.CurrentStatus, string(result.Status)
}

// jobReadiness is stricter than kstatus, which calls a Job that runs current.
func jobReadiness(job *unstructured.Unstructured) (ready bool, why string) {
	conditions, _, _ := unstructured.NestedSlice(job.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["status"] != "True" {
			continue
		}
		switch m["type"] {
		case "Complete":
			return true, ""
		case "Failed":
			return false, "the Job failed"
		}
	}
	return false, "the Job is not complete"
}
