package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The conditions of an Environment, as kstatus knows them.
const (
	Ready       = "Ready"
	Reconciling = "Reconciling"
	Stalled     = "Stalled"
)

// EnvironmentStatus is what the controller last found and did.
type EnvironmentStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Revisions are written BRANCH@sha1:COMMIT.
	// +optional
	LastAttemptedRevision string `json:"lastAttemptedRevision,omitempty"`
	// +optional
	LastAppliedRevision string `json:"lastAppliedRevision,omitempty"`

	// Inventory lists what was applied.
	// +optional
	Inventory []InventoryEntry `json:"inventory,omitempty"`

	// +optional
	Secrets SecretsStatus `json:"secrets,omitempty"`

	// Drift lists what was last found changed in the cluster.
	// +optional
	Drift []DriftEntry `json:"drift,omitempty"`

	// Images are those of the workloads that were applied.
	// +optional
	Images []string `json:"images,omitempty"`

	// History has the last ten revisions, the newest first.
	// +optional
	History []Revision `json:"history,omitempty"`
}

// InventoryEntry is an object that was applied.
type InventoryEntry struct {
	// ID is NAMESPACE_NAME_GROUP_KIND, as in Flux.
	ID string `json:"id"`
	// V is the version of the API.
	V string `json:"v"`
}

// SecretsStatus counts secrets and lists those that failed.
type SecretsStatus struct {
	// Sealed is how many SealedSecrets there are.
	// +optional
	Sealed int `json:"sealed,omitempty"`
	// References is how many Secrets hold only references.
	// +optional
	References int `json:"references,omitempty"`
	// +optional
	Failed []SecretFailure `json:"failed,omitempty"`
}

// SecretFailure is a secret that did not open. It never holds content.
type SecretFailure struct {
	// Object is NAMESPACE/NAME.
	Object string `json:"object"`
	// +optional
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason"`
	// +optional
	Message string `json:"message,omitempty"`
	// File is where the source has it.
	// +optional
	File string `json:"file,omitempty"`
	// Holds lists the workloads that wait for it, as KIND/NAME.
	// +optional
	Holds []string `json:"holds,omitempty"`
}

// DriftEntry is an object that was changed in the cluster.
type DriftEntry struct {
	// Object is KIND NAMESPACE/NAME.
	Object string `json:"object"`
	// Change is Modified or Deleted.
	Change string `json:"change"`
	// Managers are the field managers that changed it.
	// +optional
	Managers []string `json:"managers,omitempty"`
	// Paths are the fields that were changed, never their values.
	// +optional
	Paths []string `json:"paths,omitempty"`
	// Action is Repaired, Reported or Ignored.
	Action string      `json:"action"`
	Time   metav1.Time `json:"time"`
}

// Revision is one line of the audit trail.
type Revision struct {
	Revision string `json:"revision"`
	// +optional
	Author string `json:"author,omitempty"`
	// +optional
	Subject string `json:"subject,omitempty"`
	// Signer is who signed it, where that was verified.
	// +optional
	Signer string `json:"signer,omitempty"`
	// Result is Applied, Failed, or Superseded.
	Result string `json:"result"`
	// +optional
	Message string `json:"message,omitempty"`
	// +optional
	Objects int         `json:"objects,omitempty"`
	Time    metav1.Time `json:"time"`
}
