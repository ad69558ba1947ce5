package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// A liveSecret is a Secret as a cluster holds it.
type liveSecret struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   liveMetadata `json:"metadata"`
	Type       string       `json:"type,omitempty"`
	Immutable  *bool        `json:"immutable,omitempty"`
	Data       liveData     `json:"data,omitempty"`
}

type liveMetadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	Owners []struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences,omitempty"`
}

// liveData are values in base64, by key.
type liveData map[string]string

// secretsPage is how many Secrets are read at a time: each may have a megabyte.
const secretsPage = 20

// secrets reads the Secrets of a namespace, with what they hold.
func (c *cluster) secrets(ctx context.Context, namespace string) ([]liveSecret, error) {
	q := query{path: []string{"api/v1/namespaces", namespace, "secrets"}, limit: secretsPage}
	all, _, err := listAll[liveSecret](ctx, c, q)
	return all, err
}

// left says why a Secret is not to be kept in Git: something in the cluster
// makes it. It is "" for one that people made. owners are kinds whose Secrets
// are taken all the same.
func (s liveSecret) left(owners []string) string {
	for _, o := range s.Metadata.Owners {
		if !slices.ContainsFunc(owners, func(kind string) bool { return strings.EqualFold(kind, o.Kind) }) {
			return "made by " + o.Kind + " " + o.Name
		}
	}
	if why := leftTypes[s.Type]; why != "" {
		return why
	}
	for name, why := range leftMarks {
		_, labelled := s.Metadata.Labels[name]
		_, annotated := s.Metadata.Annotations[name]
		if labelled || annotated {
			return why
		}
	}
	if len(s.Data) == 0 {
		return "empty"
	}
	return ""
}

// leftTypes are the types of Secrets that a cluster makes for itself.
var leftTypes = map[string]string{
	"kubernetes.io/service-account-token": "a service account's token",
	"bootstrap.kubernetes.io/token":       "a token with which nodes join",
	"helm.sh/release.v1":                  "a release of Helm",
	"fuin.dev/age-identity":               "a key of the cluster",
	"fuin.dev/mac-key":                    "a key of the cluster",
}

// leftMarks are labels and annotations of Secrets that a controller makes
// without an owner reference.
var leftMarks = map[string]string{ //nolint:gosec // names, no credentials
	"fuin.dev/sealing-key":                              "a key of the cluster",
	"sealedsecrets.bitnami.com/sealed-secrets-key":      "a key of the cluster",
	"cert-manager.io/certificate-name":                  "made by cert-manager",
	"cert-manager.io/next-private-key":                  "made by cert-manager",
	"reconcile.external-secrets.io/managed":             "made by External Secrets",
	"fuin.dev/environment":                              "applied by an Environment",
	"kubernetes.io/service-account.name":                "a service account's token",
	"replicator.v1.mittwald.de/replicated-from-version": "a copy that a replicator keeps",
}

// manifest is the Secret as it would have been committed: in JSON, without what
// the cluster wrote into it. The annotation lets the controller take over the
// Secret that is there.
func (s liveSecret) manifest() ([]byte, error) {
	s.APIVersion, s.Kind = "v1", kindSecret
	s.Metadata.Owners = nil
	annotations := map[string]string{annotationManaged: "true"}
	for name, value := range s.Metadata.Annotations {
		annotations[name] = value
	}
	s.Metadata.Annotations = annotations
	return json.Marshal(s)
}

// annotationManaged hands a Secret over to its SealedSecret, as in Sealed
// Secrets.
const annotationManaged = "sealedsecrets.bitnami.com/managed"
