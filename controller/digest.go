package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unique"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/parts"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// openingAnnotations of a SealedSecret change what opens or what is made.
// All others are an applier's business and cause nothing.
var openingAnnotations = []string{seal.AnnotationClusterWide, seal.AnnotationNamespaceWide, seal.AnnotationInputs}

// specDigest names all of a SealedSecret that opening depends on, in hex. It
// is made of ciphertext alone.
func specDigest(ss *bitnami.SealedSecret) string {
	if ss.Spec.Digest != "" {
		return ss.Spec.Digest
	}
	spec, err := json.Marshal(ss.Spec)
	if err != nil || ss.Spec.Invalid != "" {
		spec = []byte("invalid " + strconv.FormatInt(ss.Generation, 10))
	}
	h := sha256.New()
	parts.Write(h, string(spec))
	for _, name := range openingAnnotations {
		parts.Write(h, ss.Annotations[name])
	}
	if connection := ss.Annotations[v1alpha1.AnnotationVaultConnection]; connection != "" {
		parts.Write(h, connection) // digests of objects without it are older than it
	}
	return hex.EncodeToString(h.Sum(nil))
}

// slim is the cache's transform: the caches hold metadata, and of that what
// tells whether an object changed, may be a key or says how far a value may be
// moved. The rest is read from the API server when it is needed.
func slim(obj any) (any, error) {
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	name, uid, version := m.Name, string(m.UID), m.ResourceVersion
	together(&name, &uid, &version)
	kind := metav1.TypeMeta{APIVersion: unique.Make(m.APIVersion).Value(), Kind: unique.Make(m.Kind).Value()}
	return &metav1.PartialObjectMetadata{TypeMeta: kind, ObjectMeta: metav1.ObjectMeta{
		Namespace: unique.Make(m.Namespace).Value(), Name: name, UID: types.UID(uid), ResourceVersion: version,
		Generation: m.Generation, DeletionTimestamp: m.DeletionTimestamp,
		Labels:      only(m.Labels, keys.LabelRSA, keys.LabelAge),
		Annotations: scopeOf(m.Annotations),
	}}, nil
}

// scopeOf are the annotations that opening rests on.
func scopeOf(annotations map[string]string) map[string]string {
	return only(annotations, append(openingAnnotations[:len(openingAnnotations):len(openingAnnotations)], v1alpha1.AnnotationVaultConnection)...)
}

func only(m map[string]string, names ...string) map[string]string {
	var out map[string]string
	for _, name := range names {
		if value, ok := m[name]; ok {
			if out == nil {
				out = make(map[string]string, len(names))
			}
			out[name] = value
		}
	}
	return out
}

// contentDigest covers what the controller answers for in a Secret: values,
// type, immutability, its owner, and the metadata that the names list. It
// leaves the process only inside a MAC.
func contentDigest(s *corev1.Secret, ss *bitnami.SealedSecret, labels, annotations []string) string {
	h := sha256.New()
	parts.Write(h, strconv.Itoa(len(s.Data)))
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		parts.Write(h, key, string(s.Data[key]))
	}
	parts.Write(h, string(s.Type), strconv.FormatBool(s.Immutable != nil && *s.Immutable), strconv.FormatBool(metav1.IsControlledBy(s, ss)))
	for _, one := range []struct {
		values map[string]string
		names  []string
	}{{s.Labels, labels}, {s.Annotations, annotations}} {
		parts.Write(h, strconv.Itoa(len(one.names)))
		for _, name := range one.names {
			value, ok := one.values[name]
			parts.Write(h, name, strconv.FormatBool(ok)+value)
		}
	}
	return string(h.Sum(nil))
}
