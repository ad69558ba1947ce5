package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/apierror"
	"fuin.dev/render/reference"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// placeholder in a path prefix stands for the namespace that reads.
const placeholder = "{namespace}"

// choice is the connections that a request may use.
type choice struct {
	namespace string
	named     string // by the annotation
	offered   []*v1alpha1.VaultConnection
}

// choiceOf finds the connections that select the namespace, and of these the one
// that is named, if one is.
func (r *Resolver) choiceOf(ctx context.Context, q Request) (choice, *Failure) {
	ch := choice{namespace: q.Namespace, named: q.Connection}
	all := &v1alpha1.VaultConnectionList{}
	if err := r.Cache.List(ctx, all); err != nil {
		return ch, &Failure{Reason: NoConnection, Message: "listing VaultConnections: " + apierror.Text(err), Again: true}
	}
	labels := sync.OnceValues(func() (labels.Set, *Failure) { return r.labelsOf(ctx, q.Namespace) })
	for i := range all.Items {
		vc := &all.Items[i]
		if q.Connection != "" && vc.Name != q.Connection {
			continue
		}
		fits, f := selects(vc, labels)
		if f != nil {
			return ch, f
		}
		if fits {
			ch.offered = append(ch.offered, vc)
		}
	}
	if len(ch.offered) == 0 {
		return ch, ch.none()
	}
	return ch, nil
}

// selects reports whether a connection is for a namespace with these labels, which
// are read only if it asks for some.
func selects(vc *v1alpha1.VaultConnection, of func() (labels.Set, *Failure)) (bool, *Failure) {
	if vc.Spec.NamespaceSelector == nil {
		return true, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(vc.Spec.NamespaceSelector)
	if err != nil {
		return false, &Failure{Reason: InvalidConnection, Connection: vc.Name, Message: "spec.namespaceSelector is malformed"}
	}
	labels, f := of()
	return f == nil && selector.Matches(labels), f
}

// none is said whether a connection does not exist or does not select the
// namespace: which ones there are is not everybody's business.
func (ch choice) none() *Failure {
	if ch.named != "" {
		return &Failure{Reason: NoConnection, Again: true,
			Message: fmt.Sprintf("there is no VaultConnection %q that selects namespace %s", ch.named, ch.namespace)}
	}
	return &Failure{Reason: NoConnection, Message: "no VaultConnection selects namespace " + ch.namespace, Again: true}
}

// labelsOf reads a namespace's labels.
func (r *Resolver) labelsOf(ctx context.Context, namespace string) (labels.Set, *Failure) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Cache.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return nil, &Failure{Reason: NoConnection, Message: "reading the labels of namespace " + namespace + ": " + apierror.Text(err), Again: true}
	}
	return ns.Labels, nil
}

// reserved are first segments that are no engine's: what is there belongs to
// Vault itself or to the token that reads.
var reserved = []string{"sys", "auth", "identity", "cubbyhole"}

// of chooses the connection of one reference: the one with the longest prefix
// that admits the path.
func (ch choice) of(ref reference.Reference) (*v1alpha1.VaultConnection, *Failure) {
	if why := amiss(ref); why != "" {
		return nil, refuse(ref, why)
	}
	var best []*v1alpha1.VaultConnection
	longest := -1
	for _, vc := range ch.offered {
		switch length := admits(anyOf(vc.Spec.PathPrefixes), ch.namespace, anyOf([]string{ref.Path})); {
		case length > longest:
			best, longest = []*v1alpha1.VaultConnection{vc}, length
		case length == longest && length >= 0:
			best = append(best, vc)
		}
	}
	switch {
	case len(best) == 0:
		return nil, refuse(ref, "no path prefix of the VaultConnection admits it")
	case len(best) > 1:
		return nil, &Failure{Reason: AmbiguousConnection, Message: fmt.Sprintf("%s: VaultConnections %s and %s both fit; name one with the annotation %s",
			ref.Path, best[0].Name, best[1].Name, v1alpha1.AnnotationVaultConnection), Again: true}
	}
	return best[0], nil
}

// amiss is why no Vault is asked for a reference. The grammar has none of these;
// it is not relied upon.
func amiss(ref reference.Reference) string {
	segments := strings.Split(ref.Path, "/")
	switch {
	case slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }):
		return "a segment is empty, . or .."
	case len(segments) < 2 || slices.Contains(reserved, segments[0]):
		return "no engine of secrets is there"
	case len(ref.Parameters) > 0 && !ref.Issues():
		return "only MOUNT/issue/ROLE of a PKI engine takes parameters"
	}
	return ""
}

func refuse(ref reference.Reference, why string) *Failure {
	return &Failure{Reason: Refused, Message: ref.Path + ": " + why}
}

// anyOf lists what prefixes or a path may mean: as they are written, and without
// each segment that may be the data/ of KV version 2. Which it is, the mount
// tells, and planOf then knows.
func anyOf(written []string) []string {
	var all []string
	for _, path := range written {
		all = append(all, path)
		segments := strings.Split(path, "/")
		for i := 1; i < len(segments)-1; i++ {
			if segments[i] == "data" {
				all = append(all, strings.Join(slices.Delete(slices.Clone(segments), i, i+1), "/"))
			}
		}
	}
	return all
}

// admits returns how many segments the longest prefix has that admits one of
// the paths: 0 where there are no prefixes, -1 if none does.
func admits(prefixes []string, namespace string, paths []string) int {
	if len(prefixes) == 0 {
		return 0
	}
	longest := -1
	for _, prefix := range prefixes {
		whole := strings.Join(segmentsOf(prefix, namespace), "/") + "/"
		for _, path := range paths {
			if strings.HasPrefix(path+"/", whole) {
				longest = max(longest, strings.Count(whole, "/"))
			}
		}
	}
	return longest
}

// segmentsOf puts the namespace into a prefix.
func segmentsOf(prefix, namespace string) []string {
	segments := strings.Split(strings.Trim(prefix, "/"), "/")
	for i, s := range segments {
		if s == placeholder {
			segments[i] = namespace
		}
	}
	return segments
}
