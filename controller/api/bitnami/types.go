// Package bitnami holds the SealedSecret as Fuin reads and reports it. Its
// spec is that of Sealed Secrets; what Fuin adds stands under status.fuin.
//
// +kubebuilder:object:generate=true
// +groupName=bitnami.com
// +versionName=v1alpha1
package bitnami

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is that of Sealed Secrets.
var GroupVersion = schema.GroupVersion{Group: "bitnami.com", Version: "v1alpha1"}

// Kind is the kind of a SealedSecret, as owner references name it.
const Kind = "SealedSecret"

// AddToScheme registers the types.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &SealedSecret{}, &SealedSecretList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// SealedSecret is a Secret that only its cluster can open.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=sealedsecrets,singular=sealedsecret
// +kubebuilder:printcolumn:name="Status",type="string",JSONPath=".status.conditions[0].message"
// +kubebuilder:printcolumn:name="Synced",type="string",JSONPath=".status.conditions[0].status"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type SealedSecret struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec SealedSecretSpec `json:"spec"`
	// Until it was seen once, kstatus is to call it in progress: without the
	// default, an object without conditions counts as done.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status SealedSecretStatus `json:"status,omitempty"`
}

// SealedSecretList is a list of SealedSecrets.
//
// +kubebuilder:object:root=true
type SealedSecretList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SealedSecret `json:"items"`
}

// SealedSecretSpec is what is sealed, and how the Secret looks.
type SealedSecretSpec struct {
	// Template is the Secret without its values.
	// +optional
	Template Template `json:"template,omitempty"`

	// Data is the V1 format: one sealed value that holds the whole Secret.
	// +optional
	Data []byte `json:"data,omitempty"`

	// EncryptedData maps keys to sealed values.
	EncryptedData EncryptedData `json:"encryptedData"`

	// Digest and Invalid are not of the API: the first spares computing it
	// again, decoding sets the second when it meets no SealedSecret.
	Digest  string `json:"-"`
	Invalid string `json:"-"`
}

// EncryptedData maps keys to sealed values, in standard base64.
//
// +kubebuilder:pruning:PreserveUnknownFields
type EncryptedData map[string]string

// Template is a Secret without its sealed values.
type Template struct {
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Metadata TemplateMetadata `json:"metadata,omitempty"`

	// +optional
	Type corev1.SecretType `json:"type,omitempty"`

	// +optional
	Immutable *bool `json:"immutable,omitempty"`

	// Data are Go templates over the opened values.
	// +optional
	// +nullable
	Data map[string]string `json:"data,omitempty"`
}

// TemplateMetadata is what of a template's metadata reaches the Secret, and
// the names, which do not.
type TemplateMetadata struct {
	Name        string            `json:"name,omitempty"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Finalizers  []string          `json:"finalizers,omitempty"`
}

// UnmarshalJSON takes whatever the API server stores: the schema lets through
// what does not decode, and one such object must not end the whole watch.
func (s *SealedSecretSpec) UnmarshalJSON(data []byte) error {
	type fields SealedSecretSpec
	var f fields
	if err := json.Unmarshal(data, &f); err != nil {
		*s = SealedSecretSpec{Invalid: "its spec does not decode"}
		return nil
	}
	*s = SealedSecretSpec(f)
	return nil
}

// UnmarshalJSON keeps what is no text as its JSON, which opens as little.
func (e *EncryptedData) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*e = make(EncryptedData, len(raw))
	for key, value := range raw {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		(*e)[key] = text
	}
	return nil
}
