package environment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/apierror"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// report writes the status, tells events and metrics, and says when to look
// again.
func (p *pass) report(ctx context.Context, f *failure) (reconcile.Result, error) {
	p.env.Status.ObservedGeneration = p.env.Generation
	p.reportDrift()
	if f != rested {
		p.conclude(f)
	}
	p.Metrics.observe(p.env)
	if err := p.writeStatus(ctx); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(fmt.Errorf("writing the status of Environment %s: %s", p.name, apierror.Text(err)))
	}
	return reconcile.Result{RequeueAfter: p.next(f)}, nil
}

// conclude puts the outcome of a pass that did something into the status.
func (p *pass) conclude(f *failure) {
	if p.set != nil {
		p.reportSet()
	}
	setConditions(p.env, f, p.summary())
	revision := ""
	if p.checkout != nil {
		revision = p.checkout.Revision
		p.reportRevision(f)
	}
	p.state.settle(p.env, revision, f == nil)
	p.announce(f)
	if p.objects != nil {
		p.follow()
	}
}

// reportSet tells what the set is, and what of it is recorded as applied.
func (p *pass) reportSet() {
	if len(p.objects) == 0 && len(p.set.Objects) > 0 {
		return // it came no further than rendering
	}
	s := &p.env.Status
	s.Secrets = v1alpha1.SecretsStatus{Failed: brief(p.failed)}
	s.Images = nil
	for _, o := range p.objects {
		switch {
		case o.refers:
			s.Secrets.References++
		case o.id.groupKind() == sealedSecretKind:
			s.Secrets.Sealed++
		}
		if o.stage == render.StageWorkloads && o.held == "" {
			s.Images = append(s.Images, render.Images(o.Content)...)
		}
	}
	slices.Sort(s.Images)
	s.Images = fitting(slices.Compact(s.Images))
	if !p.recorded {
		return
	}
	now := inventoryOfSet(p.objects)
	for _, e := range p.kept {
		if i, ok := parseEntry(e); ok {
			now[i] = e.V
		}
	}
	s.Inventory = now.entries()
}

// The limits of what a status lists, which others may have made long.
const (
	maxFailed = 50       // SealedSecrets that did not open
	maxHolds  = 20       // workloads that wait for one of them
	maxImages = 96 << 10 // bytes
)

// brief is the first of many failures, with the first of what waits for each.
func brief(failed []v1alpha1.SecretFailure) []v1alpha1.SecretFailure {
	out := slices.Clone(failed[:min(len(failed), maxFailed)])
	for i := range out {
		out[i].Message = bounded(out[i].Message)
		out[i].Holds = out[i].Holds[:min(len(out[i].Holds), maxHolds)]
	}
	return out
}

// fitting is as many of them as there is room for.
func fitting(images []string) []string {
	room := maxImages
	for i, image := range images {
		if room -= len(image); room < 0 {
			return images[:i]
		}
	}
	return images
}

// summary is what a success says.
func (p *pass) summary() string {
	if p.checkout == nil {
		return ""
	}
	text := fmt.Sprintf("applied %s: %d objects", p.checkout.Revision, len(p.objects))
	if n := p.env.Status.Secrets.Sealed; n > 0 {
		text += fmt.Sprintf(", %d of them sealed", n)
	}
	if n := p.env.Status.Secrets.References; n > 0 {
		text += fmt.Sprintf(", %d with references", n)
	}
	return text
}

// maxHistory is how many revisions are remembered.
const maxHistory = 10

func (p *pass) reportRevision(f *failure) {
	s := &p.env.Status
	r := v1alpha1.Revision{
		Revision: p.checkout.Revision, Author: bounded(p.checkout.Commit.Author), Subject: bounded(p.checkout.Commit.Subject),
		Signer: bounded(p.checkout.Commit.Signer), Result: "Applied", Objects: len(p.objects),
		Time: metav1.NewTime(time.Now().Truncate(time.Second)),
	}
	if f != nil {
		r.Result, r.Message = "Failed", bounded(f.Error())
	} else {
		s.LastAppliedRevision = p.checkout.Revision
	}
	if len(s.History) > 0 && s.History[0].Revision == r.Revision {
		if s.History[0].Result == r.Result && s.History[0].Message == r.Message {
			return
		}
		s.History = s.History[1:]
	}
	s.History = append([]v1alpha1.Revision{r}, s.History[:min(len(s.History), maxHistory-1)]...)
}

// setConditions puts an outcome into the three conditions of kstatus.
func setConditions(env *v1alpha1.Environment, f *failure, summary string) {
	if f == nil {
		setCondition(env, v1alpha1.Ready, metav1.ConditionTrue, "Applied", summary)
		setCondition(env, v1alpha1.Reconciling, metav1.ConditionFalse, "Applied", "")
		setCondition(env, v1alpha1.Stalled, metav1.ConditionFalse, "Applied", "")
		return
	}
	setCondition(env, v1alpha1.Ready, metav1.ConditionFalse, f.reason, f.message)
	if f.stalled {
		setCondition(env, v1alpha1.Reconciling, metav1.ConditionFalse, f.reason, "")
		setCondition(env, v1alpha1.Stalled, metav1.ConditionTrue, f.reason, f.message)
		return
	}
	setCondition(env, v1alpha1.Reconciling, metav1.ConditionTrue, "Retrying", "tries again every "+retryOf(env).String())
	setCondition(env, v1alpha1.Stalled, metav1.ConditionFalse, f.reason, "")
}

func setCondition(env *v1alpha1.Environment, kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&env.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: bounded(message), ObservedGeneration: env.Generation,
	})
}

// maxMessage bounds what a condition and an event say, in bytes.
const maxMessage = 2 << 10

func bounded(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " …"
}

// writeStatus writes the status if it differs from what stands in the cluster.
func (p *pass) writeStatus(ctx context.Context) error {
	if equality.Semantic.DeepEqual(p.base.Status, p.env.Status) {
		return nil
	}
	want := p.env.Status
	if err := p.API.Status().Patch(ctx, p.env, client.MergeFrom(p.base), client.FieldOwner(FieldOwner)); err != nil {
		return err
	}
	p.state.wrote(p.env.ResourceVersion)
	p.env.Status = want // what the server answers may be of another hand
	p.base = p.env.DeepCopy()
	return nil
}

// reportSuspended says that nothing is done.
func (p *pass) reportSuspended(ctx context.Context) error {
	p.env.Status.ObservedGeneration = p.env.Generation
	setCondition(p.env, v1alpha1.Reconciling, metav1.ConditionFalse, "Suspended", "spec.suspend is set")
	p.state.settle(p.env, "", false)
	p.watches.set(p.name, nil, nil)
	return client.IgnoreNotFound(p.writeStatus(ctx))
}

// next is when to look again: at the interval, with a tenth of jitter to
// either side, or sooner after a failure that may pass by itself.
func (p *pass) next(f *failure) time.Duration {
	after := intervalOf(p.env)
	if f != nil && f != rested && !f.stalled {
		after = retryOf(p.env)
	}
	return time.Duration(float64(after) * (0.9 + 0.2*rand.Float64()))
}

// defaultRetry is how soon a failure is tried again where spec.retryInterval says
// nothing.
const defaultRetry = 20 * time.Second

func retryOf(env *v1alpha1.Environment) time.Duration {
	if d := env.Spec.RetryInterval.Duration; d > 0 {
		return max(d, time.Second)
	}
	return defaultRetry
}

// announce tells what is new as an event and in the log.
func (p *pass) announce(f *failure) {
	before := meta.FindStatusCondition(p.base.Status.Conditions, v1alpha1.Ready)
	now := meta.FindStatusCondition(p.env.Status.Conditions, v1alpha1.Ready)
	if before != nil && before.Status == now.Status && before.Reason == now.Reason && before.Message == now.Message && p.changed+p.pruned == 0 {
		return
	}
	if f != nil {
		p.Metrics.failed(f.reason)
		p.tell(corev1.EventTypeWarning, f.reason, f.message)
		p.Log.Error("not applied", "environment", p.name, "reason", f.reason, "error", f.message)
		return
	}
	p.tell(corev1.EventTypeNormal, "Applied", fmt.Sprintf("%s (%d written, %d pruned)", p.summary(), p.changed, p.pruned))
	p.Log.Info("applied", "environment", p.name, "revision", p.checkout.Revision, "objects", len(p.objects), "written", p.changed, "pruned", p.pruned)
}

func (p *pass) tell(kind, reason, message string) {
	p.Events.Event(p.env, kind, reason, bounded(message))
}

// maxWatches is how many kinds and namespaces of one Environment are watched;
// where there are more, drift is looked for at the interval.
const maxWatches = 200

// follow watches what was applied.
func (p *pass) follow() {
	need := map[watched]bool{}
	if p.env.Spec.Drift.Mode != "Ignore" {
		for _, o := range p.objects {
			if p.state.get(o.id) != nil {
				need[watched{p.account.user, schemaKind{o.id.group, o.id.kind}, place{o.resource, o.id.namespace}}] = true
			}
		}
	}
	if len(need) > maxWatches {
		need = nil
	}
	p.watches.set(p.name, p.account, need)
}
