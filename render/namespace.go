package render

import "maps"

// clusterScoped are the kinds of Kubernetes that have no namespace, by
// GROUP/KIND.
var clusterScoped = set(
	"/ComponentStatus", "/Namespace", "/Node", "/PersistentVolume",
	"admissionregistration.k8s.io/MutatingAdmissionPolicy", "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
	"admissionregistration.k8s.io/MutatingWebhookConfiguration", "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
	"admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
	"apiextensions.k8s.io/CustomResourceDefinition", "apiregistration.k8s.io/APIService",
	"certificates.k8s.io/CertificateSigningRequest", "certificates.k8s.io/ClusterTrustBundle",
	"flowcontrol.apiserver.k8s.io/FlowSchema", "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
	"internal.apiserver.k8s.io/StorageVersion", "networking.k8s.io/IPAddress", "networking.k8s.io/IngressClass",
	"networking.k8s.io/ServiceCIDR", "node.k8s.io/RuntimeClass", "policy/PodSecurityPolicy",
	"rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io/ClusterRoleBinding",
	"resource.k8s.io/DeviceClass", "resource.k8s.io/DeviceTaintRule", "resource.k8s.io/ResourceSlice",
	"scheduling.k8s.io/PriorityClass", "storage.k8s.io/CSIDriver", "storage.k8s.io/CSINode",
	"storage.k8s.io/StorageClass", "storage.k8s.io/VolumeAttachment", "storage.k8s.io/VolumeAttributesClass",
	"storagemigration.k8s.io/StorageVersionMigration",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// unscoped returns the kinds without namespace: Kubernetes' own, and custom
// ones of which the set has the definition.
func (s *Set) unscoped() map[string]bool {
	known := maps.Clone(clusterScoped)
	for _, o := range s.Objects {
		if o.Kind() != "CustomResourceDefinition" {
			continue
		}
		spec := mapping(o.Content, "spec")
		if field(spec, "scope") == "Cluster" {
			known[field(spec, "group")+"/"+field(mapping(spec, "names"), "kind")] = true
		}
	}
	return known
}

// setNamespace puts all that has a namespace into one, and lets what names a
// ServiceAccount or Service of the set by its namespace follow.
func (s *Set) setNamespace(target string) {
	unscoped := s.unscoped()
	moved := map[identity]bool{}
	for _, o := range s.Objects {
		if unscoped[o.Group()+"/"+o.Kind()] {
			continue
		}
		moved[o.identity()] = true
		metadata := o.metadata()
		metadata["namespace"] = target
	}
	for _, o := range s.Objects {
		for _, m := range mentions(o) {
			m.follow(moved, target)
		}
	}
}

// mention names an object with its namespace.
type mention struct {
	kind   string // of the core group
	fields map[string]any
}

// mentions returns what an object names beyond its own namespace.
func mentions(o Object) []mention {
	var found []mention
	services := func(list []any, path ...string) {
		for _, item := range list {
			fields, _ := item.(map[string]any)
			found = append(found, mention{"Service", mapping(fields, path...)})
		}
	}
	switch o.Kind() {
	case "RoleBinding", "ClusterRoleBinding":
		for _, subject := range sequence(o.Content, "subjects") {
			if fields, _ := subject.(map[string]any); field(fields, "kind") == "ServiceAccount" {
				found = append(found, mention{"ServiceAccount", fields})
			}
		}
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		services(sequence(o.Content, "webhooks"), "clientConfig", "service")
	case "APIService":
		found = append(found, mention{"Service", mapping(o.Content, "spec", "service")})
	case "CustomResourceDefinition":
		found = append(found, mention{"Service", mapping(o.Content, "spec", "conversion", "webhook", "clientConfig", "service")})
	}
	return found
}

// follow gives what is named the namespace to which it was moved. A
// ServiceAccount called default is that of the namespace.
func (m mention) follow(moved map[identity]bool, target string) {
	if m.fields == nil {
		return
	}
	named := identity{kind: m.kind, namespace: field(m.fields, "namespace"), name: field(m.fields, "name")}
	if moved[named] || m.kind == "ServiceAccount" && (named.name == "default" || named.namespace == "") {
		m.fields["namespace"] = target
	}
}

// DefaultNamespace gives a namespace to the objects that have one and name
// none. What neither Kubernetes nor the set defines is taken to have one.
func (s *Set) DefaultNamespace(namespace string) {
	unscoped := s.unscoped()
	for _, o := range s.Objects {
		if o.Namespace() == "" && !unscoped[o.Group()+"/"+o.Kind()] {
			o.metadata()["namespace"] = namespace
		}
	}
}
