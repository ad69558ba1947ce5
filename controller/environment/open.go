package environment

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/apierror"
	"fuin.dev/render"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// open has the SealedSecrets opened, and notes those that did not.
func (p *pass) open(ctx context.Context, objects []*object) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(writers)
	for _, o := range objects {
		known := p.state.get(o.id)
		if o.id.groupKind() != sealedSecretKind || o.held != "" || known == nil || known.opened {
			continue
		}
		group.Go(func() error {
			defer p.recover(&mu, o)
			f := p.openOne(ctx, o)
			mu.Lock()
			defer mu.Unlock()
			if f != nil {
				p.failed = append(p.failed, v1alpha1.SecretFailure{
					Object: o.id.namespace + "/" + o.id.name, Key: keyIn(f.Message), Reason: f.Reason, Message: f.Message, File: o.File,
				})
				return nil
			}
			p.state.setOpened(o.id)
			return nil
		})
	}
	_ = group.Wait()
	p.Metrics.opened(len(objects), len(p.failed))
}

// firstKey is how the opener's messages name the first key that failed.
var firstKey = regexp.MustCompile(`\bkeys? "([-._a-zA-Z0-9]{1,253})"`)

func keyIn(message string) string {
	if m := firstKey.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

// openOne hands the SealedSecret, as it stands, to the opener.
func (p *pass) openOne(ctx context.Context, o *object) *SecretFailure {
	live := o.made
	if live == nil {
		var err error
		if live, err = p.resource(o).Get(ctx, o.id.name, metav1.GetOptions{}); err != nil {
			return &SecretFailure{Reason: "ReadFailed", Message: apierror.Text(err), Again: true}
		}
	}
	ss, err := sealedSecretOf(live)
	if err != nil {
		return &SecretFailure{Reason: "Invalid", Message: "it does not decode as a SealedSecret"}
	}
	return p.Open(ctx, ss)
}

func (p *pass) resource(o *object) dynamic.ResourceInterface {
	if o.id.namespace == "" {
		return p.account.objects.Resource(o.resource)
	}
	return p.account.objects.Resource(o.resource).Namespace(o.id.namespace)
}

func sealedSecretOf(u *unstructured.Unstructured) (*bitnami.SealedSecret, error) {
	ss := &bitnami.SealedSecret{}
	return ss, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, ss)
}

// hold keeps back the workloads that name a secret which did not open, or all
// of them where the Environment says so.
func (p *pass) hold(workloads []*object) {
	for i := range p.failed {
		f := &p.failed[i]
		for _, o := range workloads {
			if p.env.Spec.Secrets.OnFailure != "HoldAll" && !names(o, f.Object) {
				continue
			}
			o.held = f.Object
			f.Holds = append(f.Holds, o.id.kind+"/"+o.id.name)
		}
	}
}

// names reports whether a workload names the Secret NAMESPACE/NAME.
func names(o *object, secret string) bool {
	for _, use := range render.Uses(o.Content) {
		if use.Kind == "Secret" && !use.Optional && o.id.namespace+"/"+use.Name == secret {
			return true
		}
	}
	return false
}

// secretsFailed says which secrets did not open, and what waits for them.
func secretsFailed(failed []v1alpha1.SecretFailure) string {
	var all []string
	for _, f := range failed {
		text := fmt.Sprintf("SealedSecret %s (%s): %s: %s", f.Object, whereOf(f.File), f.Reason, f.Message)
		if len(f.Holds) > 0 {
			text += "; waiting for it: " + atMost(f.Holds, 5)
		}
		all = append(all, text)
	}
	return strings.TrimSpace(atMost(all, 3))
}

// sentences joins what went wrong.
func sentences(errs []error) string {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return atMost(all, 3)
}
