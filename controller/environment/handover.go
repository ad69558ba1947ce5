package environment

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// annotationManaged hands a Secret over to the SealedSecret of its name.
const annotationManaged = "sealedsecrets.bitnami.com/managed"

// handOver gives a Secret that this Environment applied as it was to the
// SealedSecret that takes its place: the opener makes no other's Secret its own.
func (p *pass) handOver(ctx context.Context, o *object) error {
	was := id{kind: secretKind.Kind, namespace: o.id.namespace, name: o.id.name}
	if _, applied := p.old[was]; !applied || o.id.groupKind() != sealedSecretKind || p.applies(was) {
		return nil
	}
	in := p.account.at(corev1.SchemeGroupVersion.WithResource("secrets"), was.namespace)
	live, err := in.Get(ctx, was.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("handing over the Secret of its name: %w", refusedBy(err))
	case !p.owns(live):
		return nil
	}
	p.state.drop(was)
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": live.UID, "labels": map[string]any{LabelName: nil, LabelNamespace: nil},
		"annotations": map[string]any{annotationManaged: "true"},
	}})
	if _, err := in.Patch(ctx, was.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldOwner}); err != nil {
		return fmt.Errorf("handing over the Secret of its name: %w", refusedBy(err))
	}
	return nil
}

// applies tells whether the set has an object.
func (p *pass) applies(i id) bool {
	for _, o := range p.objects {
		if o.id == i {
			return true
		}
	}
	return false
}
