package main

import (
	"context"
	"slices"
)

// A resource is a kind of objects that live in namespaces.
type resource struct {
	group, version, plural, kind string
}

func (r resource) path() string {
	if r.group == "" {
		return "api/" + r.version
	}
	return "apis/" + r.group + "/" + r.version
}

// String names the resource as RBAC does.
func (r resource) String() string {
	if r.group == "" {
		return r.plural
	}
	return r.plural + "." + r.group
}

// acceptDiscovery asks for all kinds of all groups in one answer, which API
// servers give since Kubernetes 1.30.
const acceptDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// A groupDiscovery is what an API server tells about a group.
type groupDiscovery struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Versions []struct {
		Version   string `json:"version"`
		Freshness string `json:"freshness"`
		Resources []struct {
			Resource     string `json:"resource"`
			ResponseKind struct {
				Kind string `json:"kind"`
			} `json:"responseKind"`
			Scope string   `json:"scope"`
			Verbs []string `json:"verbs"`
		} `json:"resources"`
	} `json:"versions"`
}

// discover lists the kinds that live in namespaces and are stored: they can be
// listed and deleted, as figures of a metrics server cannot. stale are groups
// whose server does not answer.
func (c *cluster) discover(ctx context.Context) (found []resource, stale []string, err error) {
	for _, root := range []string{"api", "apis"} {
		var groups struct {
			Kind  string           `json:"kind"`
			Items []groupDiscovery `json:"items"`
		}
		if err := c.read(ctx, query{path: []string{root}, accept: acceptDiscovery}, &groups); err != nil {
			return nil, nil, err
		}
		if groups.Kind != "APIGroupDiscoveryList" {
			return nil, nil, unreachable("fuin status without --unmanaged needs less of it", "%s: its API server is older than Kubernetes 1.30", c)
		}
		for _, g := range groups.Items {
			found = append(found, g.stored()...)
			if len(g.Versions) > 0 && g.Versions[0].Freshness == "Stale" {
				stale = append(stale, g.Metadata.Name)
			}
		}
	}
	return found, stale, nil
}

// stored are the resources of a group, each in the version that the server
// prefers of those that have it.
func (g groupDiscovery) stored() []resource {
	var out []resource
	for _, v := range g.Versions {
		for _, r := range v.Resources {
			known := slices.ContainsFunc(out, func(o resource) bool { return o.plural == r.Resource })
			if !known && r.Scope == "Namespaced" && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") {
				out = append(out, resource{g.Metadata.Name, v.Version, r.Resource, r.ResponseKind.Kind})
			}
		}
	}
	return out
}
