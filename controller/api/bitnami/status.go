package bitnami

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The conditions. Synced is upstream's and stands first, where print columns
// read it; Ready and Stalled follow kstatus. Stale stands on objects that hold
// references, and is True where these could not be read when they last were due.
const (
	Synced  = "Synced"
	Ready   = "Ready"
	Stalled = "Stalled"
	Stale   = "Stale"
)

// SealedSecretStatus is what the controller last saw and did.
type SealedSecretStatus struct {
	// ObservedGeneration is the generation that the conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	Conditions []Condition `json:"conditions,omitempty"`
	// Fuin is what a restart needs in order to open nothing again.
	// +optional
	Fuin *Record `json:"fuin,omitempty"`
}

// UnmarshalJSON takes whatever stands there, as that of the spec does: who may
// write one status must not end the watch of all. What does not decode is as
// good as no status.
func (s *SealedSecretStatus) UnmarshalJSON(data []byte) error {
	type fields SealedSecretStatus
	var f fields
	if err := json.Unmarshal(data, &f); err != nil {
		*s = SealedSecretStatus{}
		return nil
	}
	*s = SealedSecretStatus(f)
	return nil
}

// Condition is upstream's, with observedGeneration added.
type Condition struct {
	Type               string                 `json:"type"`
	Status             corev1.ConditionStatus `json:"status"`
	ObservedGeneration int64                  `json:"observedGeneration,omitempty"`
	LastUpdateTime     metav1.Time            `json:"lastUpdateTime,omitempty"`
	LastTransitionTime metav1.Time            `json:"lastTransitionTime,omitempty"`
	Reason             string                 `json:"reason,omitempty"`
	Message            string                 `json:"message,omitempty"`
}

// Mode says on what terms the controller keeps the Secret.
type Mode string

// The modes. Owned Secrets are repaired and made again; Managed ones, taken
// over by annotation, likewise; Patched ones lend some keys; Unowned ones were
// made without an owner reference, and stay deleted once they are.
const (
	Owned   Mode = "Owned"
	Managed Mode = "Managed"
	Patched Mode = "Patched"
	Unowned Mode = "Unowned"
)

// Record remembers an opening. Nothing in it is trusted without its MACs,
// whose key never leaves the controller.
type Record struct {
	// Keys are the fingerprints of the keys that opened the values.
	Keys []string `json:"keys,omitempty"`
	// SpecDigest is the SHA-256, in hex, of the spec that was opened last.
	SpecDigest string `json:"specDigest,omitempty"`
	// SecretUID and Mode tell which Secret it made, on what terms.
	SecretUID types.UID `json:"secretUID,omitempty"`
	Mode      Mode      `json:"mode,omitempty"`
	// Labels and Annotations are the names it put on the Secret.
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
	// MadeMAC covers all of the above, in base64.
	MadeMAC string `json:"madeMAC,omitempty"`
	// ReferencesMAC covers the values, but for leased ones, that references had
	// when the Secret was made; in base64.
	ReferencesMAC string `json:"referencesMAC,omitempty"`
	// Lease is of the references whose values end.
	// +optional
	Lease *Lease `json:"lease,omitempty"`
	// MAC covers the outcome: spec, Secret, values and keys, or the failure
	// and the ring; in base64.
	MAC string `json:"mac,omitempty"`
}

// Lease tells until when the values of some references are good.
type Lease struct {
	// References are those whose values end, as they are written.
	References []string `json:"references,omitempty"`
	// Ends is when the first of them does, Renew when all are fetched anew.
	Ends  metav1.Time `json:"ends,omitempty"`
	Renew metav1.Time `json:"renew,omitempty"`
	// MAC covers all of the above, the spec, and the values that the Secret has
	// of them, in base64.
	MAC string `json:"mac,omitempty"`
}
