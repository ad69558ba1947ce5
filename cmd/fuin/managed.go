package main

import "slices"

// managed knows which objects somebody answers for.
type managed struct {
	namespaces []string // of Environments, and those they apply to
	inventory  map[objectID]bool
	sealed     map[objectID]bool // the Secrets that managed SealedSecrets make
}

func newManaged(all []environment) *managed {
	m := &managed{inventory: map[objectID]bool{}, sealed: map[objectID]bool{}}
	for _, e := range all {
		for _, namespace := range e.namespaces() {
			if dnsName().MatchString(namespace) {
				m.namespaces = append(m.namespaces, namespace)
			}
		}
		for _, entry := range e.Status.Inventory {
			if id, ok := entry.object(); ok {
				m.inventory[id] = true
			}
		}
	}
	slices.Sort(m.namespaces)
	m.namespaces = slices.Compact(m.namespaces)
	return m
}

// ephemeral are resources whose objects Kubernetes makes, by the thousand.
var ephemeral = map[string]bool{
	"events": true, "events.events.k8s.io": true, "endpoints": true,
	"endpointslices.discovery.k8s.io": true, "leases.coordination.k8s.io": true,
	"environments.fuin.dev": true, // which are what this is about
}

// automatic are objects that Kubernetes puts into every namespace.
var automatic = map[string]bool{
	"ServiceAccount/default": true, "ConfigMap/kube-root-ca.crt": true,
}

// addSealed takes up the Secrets of SealedSecrets that a source holds: they may
// lack an owner, where their template asks for none.
func (m *managed) addSealed(places []place, found [][]objectMetadata) {
	for i, p := range places {
		if p.String() != "sealedsecrets.bitnami.com" {
			continue
		}
		for _, o := range found[i] {
			if m.holds(p, o) {
				m.sealed[objectID{p.namespace, o.Metadata.Name, "", "Secret"}] = true
			}
		}
	}
}

// holds reports whether a source has the object, or whatever made it.
func (m *managed) holds(p place, o objectMetadata) bool {
	id := objectID{p.namespace, o.Metadata.Name, p.group, p.kind}
	return len(o.Metadata.OwnerReferences) > 0 ||
		o.Metadata.Labels[labelEnvironment] != "" ||
		p.group == "" && automatic[p.kind+"/"+o.Metadata.Name] ||
		m.inventory[id] || m.sealed[id]
}
