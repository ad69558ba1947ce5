package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KindVaultConnection is the kind of a VaultConnection.
const KindVaultConnection = "VaultConnection"

// AnnotationVaultConnection on a SealedSecret, or on a Secret with references in
// a repository, names the VaultConnection that its references are read by.
const AnnotationVaultConnection = "fuin.dev/vault-connection"

// The conditions of a VaultConnection, beside Ready.
const (
	Reachable     = "Reachable"
	Authenticated = "Authenticated"
	Sealed        = "Sealed"
)

// VaultConnection is a Vault, and how namespaces log in to it. Nothing of it can
// be given by who uses it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=vaultconnections,singular=vaultconnection,scope=Cluster,shortName=fvc
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Address",type="string",JSONPath=".spec.address"
// +kubebuilder:printcolumn:name="Message",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].message"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type VaultConnection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec VaultConnectionSpec `json:"spec"`
	// Until it was seen once, kstatus is to call it in progress.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status VaultConnectionStatus `json:"status,omitempty"`
}

// VaultConnectionList is a list of VaultConnections.
//
// +kubebuilder:object:root=true
type VaultConnectionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VaultConnection `json:"items"`
}

// VaultConnectionSpec says where Vault is, who may use it, and as whom.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.auth.appRole) || has(self.auth.token)) || (has(self.pathPrefixes) && self.pathPrefixes.size() > 0 && self.pathPrefixes.all(p, ('/' + p + '/').contains('/{namespace}/')))",message="with appRole or token all namespaces log in as one: pathPrefixes must be given, each with {namespace}"
type VaultConnectionSpec struct {
	// Address is a URL, such as https://vault.example:8200.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@\s]+(/[^?#\s]*)?$`
	Address string `json:"address"`

	// CABundle holds the PEM certificates that Vault's is to be signed by.
	// Default: those that the system trusts.
	// +optional
	// +kubebuilder:validation:MaxLength=1048576
	CABundle []byte `json:"caBundle,omitempty"`

	// TLSServerName is expected in Vault's certificate. Default: the host of
	// Address.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	TLSServerName string `json:"tlsServerName,omitempty"`

	// Namespace of Vault Enterprise.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$`
	Namespace string `json:"namespace,omitempty"`

	Auth VaultAuth `json:"auth"`

	// PathPrefixes bound what may be read, segment by segment; {namespace} stands
	// for the namespace that reads. Default: what Vault's policies allow.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:Pattern=`^([^/{}%?#\s]+|\{namespace\})(/([^/{}%?#\s]+|\{namespace\}))*/?$`
	// +kubebuilder:validation:XValidation:rule="self.all(p, !('/' + p + '/').contains('/../') && !('/' + p + '/').contains('/./'))",message="a segment may not be . or .."
	PathPrefixes []string `json:"pathPrefixes,omitempty"`

	// NamespaceSelector selects the namespaces that may use the connection.
	// Default: all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// RefreshInterval is how old a value may become before it is read again.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s')",message="at least 10s"
	RefreshInterval metav1.Duration `json:"refreshInterval,omitzero"`

	// Timeout ends each request.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('1m')",message="between 100ms and 1m"
	Timeout metav1.Duration `json:"timeout,omitzero"`

	// QPS bounds the requests a second, of all namespaces together.
	// +optional
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	QPS int32 `json:"qps,omitempty"`
}

// VaultAuth is how namespaces log in: exactly one of its fields. With JWT and
// Kubernetes each logs in as its own service account vault-reader.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type VaultAuth struct {
	// +optional
	JWT *VaultAccountAuth `json:"jwt,omitempty"`
	// +optional
	Kubernetes *VaultAccountAuth `json:"kubernetes,omitempty"`
	// AppRole and Token log in as one, whatever the namespace. They are for a
	// Vault that cannot verify the tokens of this cluster's service accounts.
	// +optional
	AppRole *VaultAppRoleAuth `json:"appRole,omitempty"`
	// +optional
	Token *VaultTokenAuth `json:"token,omitempty"`
}

// VaultAccountAuth logs in with a token of the namespace's service account
// vault-reader.
type VaultAccountAuth struct {
	// Mount of the auth method. Default: jwt or kubernetes.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$`
	Mount string `json:"mount,omitempty"`

	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Role string `json:"role"`

	// Audience that the token is made for, and that Vault's role demands.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Audience string `json:"audience"`
}

// VaultAppRoleAuth logs in with role_id and secret_id.
type VaultAppRoleAuth struct {
	// Mount of the auth method. Default: approle.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$`
	Mount string `json:"mount,omitempty"`

	// SecretRef names a Secret of the controller's namespace with the keys
	// role_id and secret_id.
	SecretRef LocalReference `json:"secretRef"`
}

// VaultTokenAuth uses a token as it is.
type VaultTokenAuth struct {
	// SecretRef names a Secret of the controller's namespace with the key token.
	SecretRef LocalReference `json:"secretRef"`
}

// VaultConnectionStatus is how Vault was last found.
type VaultConnectionStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
