package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
)

// sealedSecretsAPI is the path of the API that has SealedSecrets.
const sealedSecretsAPI = "apis/bitnami.com/v1alpha1" //nolint:gosec // no credentials: a path

// sealedSecretPage is how many SealedSecrets a page has: each may be a megabyte.
const sealedSecretPage = 20

// A staleShape is a Secret that stays as it was, as its references to Vault
// cannot be read.
type staleShape struct {
	Object  string     `json:"object"`
	Reason  string     `json:"reason"`
	Message string     `json:"message"`
	Since   *time.Time `json:"since"`
}

// A sealedSecret is what of one is shown.
type sealedSecret struct {
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

// addStale lists the Secrets of Environments that are stale. Who may not see
// SealedSecrets sees the rest.
func (s *statusShape) addStale(ctx context.Context, c *cluster, all []environment) {
	for i, e := range all {
		stale, err := c.stale(ctx, e)
		if err != nil {
			s.Notes = append(s.Notes, clean("whether Secrets are stale is not shown: "+err.Error()))
		}
		s.Environments[i].Secrets.Stale = append(s.Environments[i].Secrets.Stale, stale...)
	}
}

func (c *cluster) stale(ctx context.Context, e environment) (all []staleShape, err error) {
	labels := "fuin.dev/environment=" + e.Metadata.Name + ",fuin.dev/environment-namespace=" + e.Metadata.Namespace
	for _, namespace := range e.sealedNamespaces() {
		q := query{
			path:   []string{sealedSecretsAPI, "namespaces", namespace, "sealedsecrets"},
			values: url.Values{"labelSelector": {labels}}, limit: sealedSecretPage, verb: "list",
		}
		found, _, err := listAll[sealedSecret](ctx, c, q)
		if err != nil {
			return all, err
		}
		for _, ss := range found {
			all = append(all, ss.stale()...)
		}
	}
	return all, nil
}

func (s sealedSecret) stale() []staleShape {
	for _, k := range s.Status.Conditions {
		if k.Type == "Stale" && k.Status == "True" {
			return []staleShape{{clean(s.Metadata.Namespace + "/" + s.Metadata.Name), clean(k.Reason), clean(k.Message), known(k.LastTransitionTime)}}
		}
	}
	return nil
}

// sealedNamespaces are those where the Environment applied SealedSecrets.
func (e environment) sealedNamespaces() (all []string) {
	for _, entry := range e.Status.Inventory {
		namespace, rest, _ := strings.Cut(entry.ID, "_")
		if strings.HasSuffix(rest, "_bitnami.com_SealedSecret") && dnsName().MatchString(namespace) && !slices.Contains(all, namespace) {
			all = append(all, namespace)
		}
	}
	slices.Sort(all)
	return all
}

func (t *table) printStale(all []staleShape) {
	if len(all) == 0 {
		return
	}
	t.section("SECRETS THAT ARE STALE")
	for _, s := range first(all) {
		t.text(0, 2, s.Object+": "+s.Reason+", since "+t.ago(s.Since))
		t.text(4, 3, s.Message)
	}
	t.more(len(all), "-o json has them all")
}
