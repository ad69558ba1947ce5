package environment

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// object is one of the set, on its way to the cluster.
type object struct {
	render.Object
	id       id
	gvk      schema.GroupVersionKind
	resource schema.GroupVersionResource // empty while the cluster does not know the kind
	scoped   bool                        // to a namespace
	scope    string                      // as the set itself defines the kind, where the cluster does not
	stage    render.Stage
	content  *unstructured.Unstructured // labelled as this Environment's
	held     string                     // by which SealedSecret
	refers   bool                       // a Secret that holds references, as a SealedSecret
	plain    []string                   // keys of it without one
	made     *unstructured.Unstructured // a SealedSecret as it was just applied
}

var (
	secretKind       = schema.GroupKind{Kind: "Secret"}
	sealedSecretKind = bitnami.GroupVersion.WithKind(bitnami.Kind).GroupKind()
	crdKind          = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	jobKind          = schema.GroupKind{Group: "batch", Kind: "Job"}
)

// vet looks at all objects before any is applied.
func (p *pass) vet(ctx context.Context) *failure {
	if len(p.set.Objects) == 0 && !p.env.Spec.AllowEmpty && len(p.old) > 0 {
		return fail("EmptySet", "%s renders to no object, and %d were applied before; set spec.allowEmpty to prune them all", pathOf(p.env), len(p.old))
	}
	if f := p.prepare(ctx); f != nil {
		return f
	}
	for _, check := range []func(context.Context) *failure{p.refusePlaintext, p.lookAtLive, p.claim, p.tryMoved} {
		if f := check(ctx); f != nil {
			return f
		}
	}
	return nil
}

// maxUnknown is how many kinds of a set the cluster may not know.
const maxUnknown = 100

// prepare makes the objects ready to be sent.
func (p *pass) prepare(ctx context.Context) *failure {
	seen := map[id]string{}
	unknown := map[schema.GroupVersionKind]string{} // each may cost a look at all that the cluster serves
	if f := p.refer(); f != nil {
		return f
	}
	for _, r := range p.referring {
		o := r.Object
		if ctx.Err() != nil {
			return fail("RenderFailed", "looking up the kinds of %d objects", len(p.set.Objects))
		}
		if field := malformed(o.Content); field != "" {
			return fail("RenderFailed", "%s in %s: metadata.%s is no mapping of text to text: put numbers and booleans in quotes", idOf(o), whereOf(o.File), field)
		}
		one := p.objectOf(o, unknown)
		one.refers, one.plain = r.refers, r.plain
		if file, twice := seen[one.id]; twice {
			return fail("RenderFailed", "%s is in the set twice: in %s and in %s", one.id, whereOf(file), whereOf(o.File))
		}
		seen[one.id] = o.File
		if len(unknown) > maxUnknown {
			return fail("RenderFailed", "more than %d kinds are none of this cluster's, as %s in %s: apply their CustomResourceDefinitions first, from another Environment", maxUnknown, one.id, whereOf(o.File))
		}
		p.objects = append(p.objects, one)
	}
	return nil
}

// malformed names what of an object's metadata does not decode. Left to the API
// server, labels of ours would have taken its place.
func malformed(content map[string]any) string {
	for _, field := range []string{"labels", "annotations"} {
		if _, _, err := unstructured.NestedStringMap(content, "metadata", field); err != nil {
			return field
		}
	}
	return ""
}

func whereOf(file string) string {
	if file == "" {
		return "what was generated"
	}
	return file
}

// objectOf makes an object ready. Kinds that the cluster does not know are
// noted, with their scope by the set, and not looked up again.
func (p *pass) objectOf(o render.Object, unknown map[schema.GroupVersionKind]string) *object {
	one := &object{Object: o, gvk: schema.FromAPIVersionAndKind(o.APIVersion(), o.Kind()), stage: render.StageOf(o)}
	scope, known := unknown[one.gvk]
	if !known {
		p.locate(one)
	}
	if one.resource.Resource == "" {
		if !known {
			scope = p.scopeBySet(one.gvk)
			unknown[one.gvk] = scope
		}
		one.scope, one.scoped = scope, scope != "Cluster"
	}
	one.content = &unstructured.Unstructured{Object: runtime.DeepCopyJSON(o.Content)}
	one.id = idOf(o)
	switch {
	case one.resource.Resource != "" && !one.scoped:
		one.id.namespace = ""
		one.content.SetNamespace("")
	case one.scoped && one.id.namespace == "":
		one.id.namespace = p.defaultNamespace()
		one.content.SetNamespace(one.id.namespace)
	}
	labels := one.content.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[LabelName], labels[LabelNamespace] = p.env.Name, p.env.Namespace
	one.content.SetLabels(labels)
	unstructured.RemoveNestedField(one.content.Object, "status")
	for _, field := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		unstructured.RemoveNestedField(one.content.Object, "metadata", field) // of objects that were read from a cluster
	}
	return one
}

func (p *pass) defaultNamespace() string {
	if p.env.Spec.TargetNamespace != "" {
		return p.env.Spec.TargetNamespace
	}
	return p.env.Namespace
}

// locate asks the cluster for the kind; one that it does not know may be
// defined by the set itself.
func (p *pass) locate(o *object) {
	if !served(o.gvk) {
		return
	}
	mapping, err := p.Mapper.RESTMapping(o.gvk.GroupKind(), o.gvk.Version)
	if err != nil {
		return
	}
	o.resource, o.scoped = mapping.Resource, mapping.Scope.Name() == meta.RESTScopeNameNamespace
}

// served reports whether a kind can be one of a cluster.
func served(gvk schema.GroupVersionKind) bool {
	return len(validation.IsDNS1035Label(gvk.Version)) == 0 && (gvk.Group == "" || len(validation.IsDNS1123Subdomain(gvk.Group)) == 0)
}

// scopeBySet is the scope that a CustomResourceDefinition of the set gives.
func (p *pass) scopeBySet(gvk schema.GroupVersionKind) string {
	for _, o := range p.set.Objects {
		if o.Kind() != crdKind.Kind {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Content, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Content, "spec", "names", "kind")
		if group == gvk.Group && kind == gvk.Kind {
			scope, _, _ := unstructured.NestedString(o.Content, "spec", "scope")
			return scope
		}
	}
	return ""
}

// refusePlaintext refuses a set that holds Secrets which are not sealed.
func (p *pass) refusePlaintext(context.Context) *failure {
	var plain []string
	for _, o := range p.objects {
		text := fmt.Sprintf("%s in %s", o.id, whereOf(o.File))
		if len(o.plain) > 0 {
			text += fmt.Sprintf(" (without a reference: %s)", atMost(o.plain, 5))
		}
		if o.id.groupKind() == secretKind && holdsData(o.Content) || len(o.plain) > 0 {
			plain = append(plain, text)
		}
		if len(o.Plain) > 0 {
			plain = append(plain, fmt.Sprintf("%s in %s, keys %s beside tokens", o.id, whereOf(o.File), atMost(o.Plain, 5)))
		}
	}
	if len(plain) == 0 {
		return nil
	}
	message := fmt.Sprintf("not sealed: %s", atMost(plain, 5))
	if p.env.Spec.Secrets.Plaintext == "Allow" {
		p.tell(corev1.EventTypeWarning, "PlaintextSecrets", message)
		return nil
	}
	return fail("PlaintextSecrets", "%s; seal them with fuin seal, or set spec.secrets.plaintext to Allow", message)
}

func holdsData(secret map[string]any) bool {
	for _, field := range []string{"data", "stringData"} {
		switch v := secret[field].(type) {
		case nil:
		case map[string]any:
			if len(v) > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// claim refuses objects that another Environment applies. To name an object
// claims nothing, only to have applied it does: see applyOne.
func (p *pass) claim(ctx context.Context) *failure {
	for _, o := range p.objects {
		if other, claimed := p.claims.owner(o.id); claimed && other != p.name {
			return p.claimed(o, other)
		}
		if other, foreign := p.ownerOf(ctx, o); foreign {
			return p.claimed(o, other)
		}
	}
	return nil
}

func (p *pass) claimed(o *object, by types.NamespacedName) *failure {
	return stall("Claimed", "Environment %s applies %s already; remove it from one of the two (here it is in %s)", by, o.id, whereOf(o.File))
}

// ownerOf is the other Environment by the labels of the object in the cluster,
// as long as that Environment exists and lists it.
func (p *pass) ownerOf(ctx context.Context, o *object) (other types.NamespacedName, foreign bool) {
	live := p.live[o.id]
	if live == nil {
		return other, false
	}
	other = types.NamespacedName{Namespace: live.Labels[LabelNamespace], Name: live.Labels[LabelName]}
	if other.Name == "" || other == p.name {
		return other, false
	}
	var env v1alpha1.Environment
	if err := p.API.Get(ctx, other, &env); client.IgnoreNotFound(err) != nil {
		return other, true // rather once too often
	} else if err != nil {
		return other, false
	}
	_, lists := inventoryOf(env.Status.Inventory)[o.id]
	return other, lists
}

// tryMoved opens, in memory, the SealedSecrets that a transformer gave another
// name or namespace: their values may be bound to the old one, which only
// opening tells. Those that do not open are left out before anything is applied.
func (p *pass) tryMoved(ctx context.Context) *failure {
	for _, o := range p.objects {
		if len(o.MovedBy) == 0 || o.refers || o.id.groupKind() != sealedSecretKind || p.unchanged(o) {
			continue
		}
		ss, err := sealedSecretOf(o.content)
		if err != nil {
			continue // applying it will say why
		}
		f := p.Try(ctx, ss)
		if f == nil || f.Again {
			continue
		}
		o.held = o.id.String()
		p.failed = append(p.failed, v1alpha1.SecretFailure{
			Object: o.id.namespace + "/" + o.id.name, Key: keyIn(f.Message), Reason: "BindingBroken", File: o.File,
			Message: fmt.Sprintf("%s renames %s/%s to %s/%s, for which it is not sealed: %s; seal it for the final name with fuin seal, or give it a wider scope",
				strings.Join(o.MovedBy, ", "), o.WasNamespace, o.WasName, o.id.namespace, o.id.name, f.Message),
		})
	}
	if len(p.failed) > 0 {
		p.tell(corev1.EventTypeWarning, "BindingBroken", secretsFailed(p.failed))
	}
	return nil
}

// atMost joins a few of many.
func atMost(all []string, n int) string {
	all = slices.Clone(all)
	if len(all) > n {
		all = append(all[:n], fmt.Sprintf("and %d more", len(all)-n))
	}
	return strings.Join(all, ", ")
}
