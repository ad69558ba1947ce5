package controller

import (
	"fmt"
	"maps"
	"slices"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotations of Sealed Secrets on Secrets and templates, value "true".
const (
	annotationManaged   = "sealedsecrets.bitnami.com/managed"
	annotationPatch     = "sealedsecrets.bitnami.com/patch"
	annotationSkipOwner = "sealedsecrets.bitnami.com/skip-set-owner-references"
)

// plan is the Secret that a SealedSecret asks for.
type plan struct {
	ss          *bitnami.SealedSecret
	mode        bitnami.Mode
	data        map[string][]byte
	random      []string
	keys        []string
	labels      map[string]string
	annotations map[string]string
	kind        corev1.SecretType
	immutable   *bool
	values      *values // of references, nil if there are none
}

func newPlan(ss *bitnami.SealedSecret, opened seal.Opened, mode bitnami.Mode, v *values) plan {
	t := ss.Spec.Template
	p := plan{
		ss: ss, mode: mode, values: v, data: opened.Data, random: opened.Random,
		labels: t.Metadata.Labels, annotations: t.Metadata.Annotations, kind: t.Type, immutable: t.Immutable,
	}
	if l := opened.Legacy; l != nil {
		p.labels, p.annotations, p.kind, p.immutable = l.Labels, l.Annotations, corev1.SecretType(l.Type), l.Immutable
	}
	for _, id := range opened.Keys {
		p.keys = append(p.keys, id.Fingerprint())
	}
	return p
}

// terms decides on what terms the controller may write the Secret, by the
// annotations of Sealed Secrets and by what is on record.
func (o pass) terms(ss *bitnami.SealedSecret, s *corev1.Secret) (bitnami.Mode, *failure) {
	template := ss.Spec.Template.Metadata.Annotations
	skipOwner := template[annotationSkipOwner] == "true"
	switch {
	case s == nil && template[annotationManaged] == "true":
		return bitnami.Managed, nil
	case s == nil && skipOwner:
		return bitnami.Unowned, nil
	case s == nil:
		return bitnami.Owned, nil
	case s.Annotations[annotationPatch] == "true":
		return bitnami.Patched, nil
	case s.Annotations[annotationManaged] == "true":
		return bitnami.Managed, nil
	case skipOwner && (metav1.IsControlledBy(s, ss) || o.madeThis(ss, s) || writtenByUs(s)):
		return bitnami.Unowned, nil
	case metav1.IsControlledBy(s, ss) || o.madeThis(ss, s):
		return bitnami.Owned, nil
	}
	return "", inTheWay("unmanaged", fmt.Sprintf("failed update: Resource %q already exists and is not managed by SealedSecret: "+
		"annotate it with %s=true to hand it over", s.Name, annotationManaged))
}

// madeThis reports whether the record proves that the controller made s.
func (o pass) madeThis(ss *bitnami.SealedSecret, s *corev1.Secret) bool {
	r := o.known(ss)
	return r != nil && r.SecretUID == s.UID && r.Mode != bitnami.Patched
}

// writtenByUs reports whether a Secret without an owner names the controller
// among its writers. It stands in for a record that was lost between the
// Secret's write and the status'; who forges it hands over a Secret of their
// own, as by annotation.
func writtenByUs(s *corev1.Secret) bool {
	return metav1.GetControllerOf(s) == nil && slices.ContainsFunc(s.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == fieldOwner
	})
}

// keepRandom keeps what a template with random functions made before, while
// the spec is the same: another run would change a password for no reason.
func (o pass) keepRandom(p *plan, ss *bitnami.SealedSecret, s *corev1.Secret) {
	if s == nil || !o.ranBefore(ss, s) {
		return
	}
	for _, key := range p.random {
		if value, ok := s.Data[key]; ok && !o.refersAnew(p, key) {
			p.data[key] = value
		}
	}
}

// refersAnew tells whether a key holds references that are not as they were.
func (o pass) refersAnew(p *plan, key string) bool {
	if p.values == nil || p.values.parts[key] == nil {
		return false
	}
	r := o.known(p.ss)
	return p.values.leased || r == nil || !same(r.ReferencesMAC, p.values.mac)
}

// ranBefore reports whether s was made of this very spec. Sealed Secrets left
// no record, and under its CRD none is kept: then the conditions' word on the
// generation is all there is.
func (o pass) ranBefore(ss *bitnami.SealedSecret, s *corev1.Secret) bool {
	if r := o.known(ss); r != nil {
		return r.SpecDigest == specDigest(ss) && r.SecretUID == s.UID
	}
	return ss.Status.Fuin == nil && ss.Status.ObservedGeneration == ss.Generation && isTrue(ss.Status.Conditions, bitnami.Synced)
}

// guardKeys refuses to make a Secret that the ring would take for a key.
func (o pass) guardKeys(p plan) *failure {
	if p.ss.Namespace != o.cfg.Namespace {
		return nil
	}
	_, rsa := p.labels[keys.LabelRSA]
	_, age := p.labels[keys.LabelAge]
	if rsa || age || p.kind == keys.TypeAge || p.kind == macType || p.ss.Name == o.cfg.KeyPrefix || p.ss.Name == macSecret {
		return inTheWay("unmanaged", "a SealedSecret makes no key of the cluster: use fuin keys restore")
	}
	return nil
}

// apply brings a Secret to what the plan asks for; others' metadata stays.
func (p plan) apply(s *corev1.Secret, before *bitnami.Record) *failure {
	if failed := p.applyType(s); failed != nil {
		return failed
	}
	if failed := p.applyData(s); failed != nil {
		return failed
	}
	p.applyMetadata(s, before)
	p.applyOwner(s)
	return nil
}

func (p plan) applyType(s *corev1.Secret) *failure {
	switch {
	case s.UID == "":
		s.Type = p.kind
	case p.kind != "" && s.Type != p.kind:
		return inTheWay("update", fmt.Sprintf("the type of Secret %s is %s, not %s, and cannot change: delete it, and it is made anew", s.Name, s.Type, p.kind))
	}
	return nil
}

func (p plan) applyData(s *corev1.Secret) *failure {
	data := p.data
	if p.mode == bitnami.Patched {
		data = maps.Clone(s.Data)
		if data == nil {
			data = map[string][]byte{}
		}
		maps.Copy(data, p.data)
	}
	isImmutable := s.Immutable != nil && *s.Immutable
	if isImmutable && !maps.EqualFunc(s.Data, data, func(a, b []byte) bool { return string(a) == string(b) }) {
		return inTheWay("update", fmt.Sprintf("Error updating %s/%s: the target Secret is immutable: delete it, and it is made anew", p.ss.Namespace, s.Name))
	}
	if isImmutable && p.immutable != nil && !*p.immutable {
		return inTheWay("update", fmt.Sprintf("Secret %s is immutable and is not to be: delete it, and it is made anew", s.Name))
	}
	if !isImmutable {
		s.Data = data
		if p.immutable != nil && p.mode != bitnami.Patched {
			s.Immutable = p.immutable
		}
	}
	return nil
}

// applyMetadata sets the template's labels and annotations, and removes those
// that an earlier template had.
func (p plan) applyMetadata(s *corev1.Secret, before *bitnami.Record) {
	if before != nil {
		s.Labels = without(s.Labels, before.Labels)
		s.Annotations = without(s.Annotations, before.Annotations)
	}
	s.Labels = with(s.Labels, p.labels)
	s.Annotations = with(s.Annotations, p.annotations)
}

func without(m map[string]string, names []string) map[string]string {
	for _, name := range names {
		delete(m, name)
	}
	return m
}

func with(m, more map[string]string) map[string]string {
	if m == nil && len(more) > 0 {
		m = make(map[string]string, len(more))
	}
	maps.Copy(m, more)
	return m
}

// applyOwner makes the SealedSecret the controller of its Secret, so that it is
// collected with it; where it is told not to, it leaves the owners alone.
func (p plan) applyOwner(s *corev1.Secret) {
	managed := s.Annotations[annotationManaged] == "true" || p.mode == bitnami.Managed
	if p.annotations[annotationSkipOwner] == "true" || p.mode == bitnami.Patched && !managed || metav1.IsControlledBy(s, p.ss) {
		return
	}
	s.OwnerReferences = slices.DeleteFunc(s.OwnerReferences, func(r metav1.OwnerReference) bool {
		return r.Controller != nil && *r.Controller || r.UID == p.ss.UID
	})
	controls := true
	s.OwnerReferences = append(s.OwnerReferences, metav1.OwnerReference{
		APIVersion: bitnami.GroupVersion.String(), Kind: bitnami.Kind,
		Name: p.ss.Name, UID: p.ss.UID, Controller: &controls,
	})
}
