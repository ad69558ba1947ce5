package environment

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var rolloutKind = schema.GroupKind{Group: "argoproj.io", Kind: "Rollout"}

// ranAlready reports whether a Job was applied as it is, ran, and is gone
// because its time to live ended: it is not to run again.
func (p *pass) ranAlready(o *object) bool {
	if o.id.groupKind() != jobKind {
		return false
	}
	if _, cleaned, _ := unstructured.NestedFieldNoCopy(o.Content, "spec", "ttlSecondsAfterFinished"); !cleaned {
		return false
	}
	before := p.state.get(o.id)
	return before != nil && before.digest == o.digest()
}

// leftToOthers reports whether changes of the object in the cluster are nobody's
// business.
func (p *pass) leftToOthers(o *object) bool {
	before := p.state.get(o.id)
	if before == nil || before.digest != o.digest() {
		return false // it is to change anyway
	}
	return p.env.Spec.Drift.Mode == "Ignore" || o.content.GetAnnotations()[AnnotationDrift] == "ignore"
}
