// Package v1alpha1 holds the API of group fuin.dev: the Environment, a
// directory of a repository that is applied to the cluster, and the
// VaultConnection, by which namespaces read a Vault.
//
// +kubebuilder:object:generate=true
// +groupName=fuin.dev
// +versionName=v1alpha1
package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of the API.
var GroupVersion = schema.GroupVersion{Group: "fuin.dev", Version: "v1alpha1"}

// Kind is the kind of an Environment.
const Kind = "Environment"

// AddToScheme registers the types.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Environment{}, &EnvironmentList{}, &VaultConnection{}, &VaultConnectionList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// Environment keeps a part of the cluster as a directory of a repository says.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=environments,singular=environment,shortName=fenv
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a name has at most 63 characters, as a label of what is applied"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Revision",type="string",JSONPath=".status.lastAppliedRevision"
// +kubebuilder:printcolumn:name="Message",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].message"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type Environment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec EnvironmentSpec `json:"spec"`
	// Until it was seen once, kstatus is to call it in progress.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status EnvironmentStatus `json:"status,omitempty"`
}

// EnvironmentList is a list of Environments.
//
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Environment `json:"items"`
}

// EnvironmentSpec says what is applied, as whom, and how.
type EnvironmentSpec struct {
	Source Source `json:"source"`

	// Path is the directory in the source that is rendered.
	// +optional
	// +kubebuilder:default="."
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path,omitempty"`

	// Renderer is what renders the directory; Auto goes by what lies there.
	// +optional
	// +kubebuilder:validation:Enum=Auto;Kustomize;Helm;Jsonnet;Plain
	// +kubebuilder:default=Auto
	Renderer string `json:"renderer,omitempty"`

	// Interval is how often the source is asked for a new revision.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$`
	Interval metav1.Duration `json:"interval,omitempty"`

	// RetryInterval is how soon a failure is tried again.
	// +optional
	// +kubebuilder:default="20s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$`
	RetryInterval metav1.Duration `json:"retryInterval,omitempty"`

	// Timeout ends a pass that takes longer, in whichever stage it is. More than
	// one hour is taken as one hour.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$`
	Timeout metav1.Duration `json:"timeout,omitempty"`

	// TargetNamespace is given to every namespaced object. Default: the
	// Environment's own namespace, for objects that name none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
	TargetNamespace string `json:"targetNamespace,omitempty"`

	// ServiceAccountName of the Environment's namespace, in whose name all is
	// read and written.
	// +optional
	// +kubebuilder:default=fuin-deployer
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// Images override images by name.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Images []Image `json:"images,omitempty"`

	// ImagesFrom is a file of the source with the same list, below which Images
	// count more.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ImagesFrom string `json:"imagesFrom,omitempty"`

	// +optional
	Helm *Helm `json:"helm,omitempty"`

	// +optional
	Jsonnet *Jsonnet `json:"jsonnet,omitempty"`

	// AllowRemote lets kustomizations name bases, and charts name
	// dependencies, that lie elsewhere.
	// +optional
	AllowRemote bool `json:"allowRemote,omitempty"`

	// +optional
	Secrets Secrets `json:"secrets,omitempty"`

	// Rollout OnChange restarts a workload when a Secret or ConfigMap that it
	// names changes.
	// +optional
	// +kubebuilder:validation:Enum=OnChange;Never
	// +kubebuilder:default=OnChange
	Rollout string `json:"rollout,omitempty"`

	// +optional
	Drift Drift `json:"drift,omitempty"`

	// Prune deletes what left the source.
	// +optional
	// +kubebuilder:default=true
	Prune bool `json:"prune"`

	// AllowEmpty lets a set without objects prune all of them.
	// +optional
	AllowEmpty bool `json:"allowEmpty,omitempty"`

	// Force takes over fields that another manager owns.
	// +optional
	Force bool `json:"force,omitempty"`

	// DeletionPolicy is what becomes of the objects when the Environment is
	// deleted.
	// +optional
	// +kubebuilder:validation:Enum=Delete;Orphan
	// +kubebuilder:default=Delete
	DeletionPolicy string `json:"deletionPolicy,omitempty"`

	// Wait makes Ready wait until every object is.
	// +optional
	Wait bool `json:"wait,omitempty"`

	// DependsOn names Environments that must be Ready first.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	DependsOn []Dependency `json:"dependsOn,omitempty"`

	// Suspend stops everything but the deletion.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Source is where the manifests are; exactly one of Git and Directory.
//
// +kubebuilder:validation:XValidation:rule="has(self.git) != has(self.directory)",message="exactly one of git and directory"
type Source struct {
	// +optional
	Git *Git `json:"git,omitempty"`

	// Directory is one of the controller's machine, below what it was started
	// with as --source-root. It is for development.
	// +optional
	Directory string `json:"directory,omitempty"`

	// Webhook names a Secret whose key token signs calls to
	// /v1/hook/NAMESPACE/NAME, which make the next fetch immediate.
	// +optional
	Webhook *LocalReference `json:"webhook,omitempty"`
}

// Git is a repository.
type Git struct {
	// URL begins with https://, http:// or ssh://.
	// +kubebuilder:validation:Pattern=`^(https?|ssh)://`
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`

	// Ref is what is applied. Default: the branch that the server calls HEAD.
	// +optional
	Ref GitRef `json:"ref,omitempty"`

	// SecretRef names a Secret with username and password, or bearerToken, or
	// identity (a private SSH key, with its passphrase as password) and
	// known_hosts; caFile for HTTPS.
	// +optional
	SecretRef *LocalReference `json:"secretRef,omitempty"`

	// +optional
	Verify *Verify `json:"verify,omitempty"`

	// Submodules are checked out, too.
	// +optional
	Submodules bool `json:"submodules,omitempty"`
}

// GitRef is at most one of its fields.
//
// +kubebuilder:validation:MaxProperties=1
type GitRef struct {
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Tag string `json:"tag,omitempty"`
	// Semver is a range; the highest tag in it counts.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Semver string `json:"semver,omitempty"`
	// Commit is a whole SHA-1 in hexadecimal.
	// +optional
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40})?$`
	Commit string `json:"commit,omitempty"`
}

// Verify demands a signature.
type Verify struct {
	// Mode tells what must be signed: the commit (HEAD), the tag (Tag), or both
	// (TagAndHEAD).
	// +optional
	// +kubebuilder:validation:Enum=HEAD;Tag;TagAndHEAD
	// +kubebuilder:default=HEAD
	Mode string `json:"mode,omitempty"`
	// SecretRef names a Secret whose values are armored OpenPGP public keys or
	// files of allowed SSH signers.
	SecretRef LocalReference `json:"secretRef"`
}

// LocalReference names an object of the same namespace.
type LocalReference struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Image overrides a container image.
type Image struct {
	// Name is the image in the manifests, without tag.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// +optional
	NewName string `json:"newName,omitempty"`
	// +optional
	NewTag string `json:"newTag,omitempty"`
	// +optional
	Digest string `json:"digest,omitempty"`
}

// Helm says how a chart is rendered.
type Helm struct {
	// ReleaseName; default: the Environment's name.
	// +optional
	ReleaseName string `json:"releaseName,omitempty"`
	// ValuesFiles, relative to the chart, later ones count more.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	ValuesFiles []string `json:"valuesFiles,omitempty"`
	// Values count more than ValuesFiles.
	// +optional
	Values *apiextensionsv1.JSON `json:"values,omitempty"`
}

// Jsonnet says how a program is rendered.
type Jsonnet struct {
	// ExternalVariables are what std.extVar knows, as text.
	// +optional
	ExternalVariables map[string]string `json:"externalVariables,omitempty"`
	// LibraryPaths, relative to the source, are searched for imports.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	LibraryPaths []string `json:"libraryPaths,omitempty"`
}

// Secrets says what becomes of secrets that are not as they should be.
type Secrets struct {
	// Plaintext tells whether Secrets that are not sealed are applied.
	// +optional
	// +kubebuilder:validation:Enum=Refuse;Allow
	// +kubebuilder:default=Refuse
	Plaintext string `json:"plaintext,omitempty"`
	// OnFailure tells what waits for a SealedSecret that does not open: the
	// workloads that name it, or everything.
	// +optional
	// +kubebuilder:validation:Enum=HoldWorkloads;HoldAll
	// +kubebuilder:default=HoldWorkloads
	OnFailure string `json:"onFailure,omitempty"`
}

// Drift says what is done about changes that were made in the cluster.
type Drift struct {
	// +optional
	// +kubebuilder:validation:Enum=Repair;Report;Ignore
	// +kubebuilder:default=Repair
	Mode string `json:"mode,omitempty"`
	// Ignore lists fields that others may change.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Ignore []DriftIgnore `json:"ignore,omitempty"`
}

// DriftIgnore leaves fields of some objects to others.
type DriftIgnore struct {
	// +optional
	Target DriftTarget `json:"target,omitempty"`
	// Paths are JSON pointers.
	// +kubebuilder:validation:MinItems=1
	Paths []string `json:"paths"`
}

// DriftTarget selects objects; an empty field selects all.
type DriftTarget struct {
	// +optional
	Group string `json:"group,omitempty"`
	// +optional
	Kind string `json:"kind,omitempty"`
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// +optional
	Name string `json:"name,omitempty"`
}

// Dependency names another Environment.
type Dependency struct {
	Name string `json:"name"`
	// Namespace; default: the same.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}
