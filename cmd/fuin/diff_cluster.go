package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"fuin.dev/seal"
	"golang.org/x/sync/errgroup"
)

// A held is what a cluster has of a SealedSecret.
type held struct {
	Found   bool   `json:"found"`
	Synced  string `json:"synced,omitempty"`  // True, False or Unknown: whether its Secret is as it says
	Message string `json:"message,omitempty"` // why not
}

// settled reports whether nothing is to be told.
func (h *held) settled() bool { return h.Found && h.Synced == "True" }

// compareCluster compares the files with what the cluster holds: what applying
// them would change, and what is not synced.
func (f *diffFlags) compareCluster(ctx context.Context, u *ui, paths []string) ([]difference, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	s := &sides{}
	inputs, err := u.inputs(paths)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		data, err := u.read(ctx, in)
		if err != nil {
			return nil, err
		}
		u.addStates(reading{in.name(), in.path, &s.after}, data)
	}
	if len(s.after) == 0 {
		return nil, fail("name the files or directories that hold some", "no SealedSecret in %s", plural(len(inputs), "manifest file"))
	}
	clusters, err := f.clusters(u, s.after)
	if err != nil {
		return nil, err
	}
	all := make([]*difference, len(s.after))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(clusterReads)
	for i := range s.after {
		g.Go(func() (err error) {
			all[i], err = clusters[i].compare(ctx, u, &s.after[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []difference
	for _, d := range all {
		if d != nil {
			out = append(out, *d)
		}
	}
	return out, nil
}

// clusterReads is how many objects are read at a time.
const clusterReads = 8

// contextOf is the kubeconfig's context that is asked for, or that of the one
// cluster which a file is sealed for, or "", the current one.
func (u *ui) contextOf(path, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	t, err := u.targetOf(path)
	if err != nil || t.repository == nil || len(t.rule.Clusters) != 1 {
		return "", err
	}
	c, _ := t.repository.config.Cluster(t.rule.Clusters[0])
	return c.Context, nil
}

// clusters connects to that of each file.
func (f *diffFlags) clusters(u *ui, files []version) ([]*cluster, error) {
	known := map[string]*cluster{}
	var out []*cluster
	for _, v := range files {
		name, err := u.contextOf(v.path, f.context)
		if err != nil {
			return nil, err
		}
		if known[name] == nil {
			c, err := f.kubeconfig.dial(name)
			if err != nil {
				return nil, &fault{err, hintKubeconfig, exitUnreachable}
			}
			u.note("comparing with %s", c)
			known[name] = c
		}
		out = append(out, known[name])
	}
	return out, nil
}

// synced is whether the controller says that the Secret is as it should be.
func synced(body []byte) (status, message string, err error) {
	var ob struct {
		Metadata struct {
			Generation int64 `json:"generation"`
		} `json:"metadata"`
		Status struct {
			ObservedGeneration int64       `json:"observedGeneration"`
			Conditions         []condition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(body, &ob); err != nil {
		return "", "", err
	}
	if ob.Status.ObservedGeneration < ob.Metadata.Generation {
		return "Unknown", "no controller has seen its newest version", nil
	}
	for _, c := range ob.Status.Conditions {
		if c.Type == "Synced" {
			if c.Status == "True" {
				return c.Status, "", nil
			}
			return c.Status, c.Message, nil
		}
	}
	return "Unknown", "no controller has seen it", nil
}

// compare reads one SealedSecret of the cluster; nil if nothing is to be told.
func (c *cluster) compare(ctx context.Context, u *ui, v *version) (*difference, error) {
	at := u.placeOf(v.path, v.state.Object, "")
	if at.Namespace == "" {
		at.Namespace = c.namespace
	}
	if !dnsName().MatchString(at.Namespace) || !dnsName().MatchString(at.Name) {
		return nil, failAt(v.path, "name its namespace in the file or in .fuin.yaml", "line %d: SealedSecret %s/%s: not a place in a cluster", v.state.Line, at.Namespace, at.Name)
	}
	d := &difference{File: v.file, path: v.path, Line: v.state.Line, Namespace: at.Namespace, Name: at.Name, Cluster: &held{}, after: &v.state}
	var err error
	d.before, d.Cluster.Synced, d.Cluster.Message, err = c.sealedSecret(ctx, at)
	if errors.Is(err, errAbsent) {
		d.Difference = seal.Compare(nil, &v.state)
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	d.Cluster.Found = true
	d.Difference = applied(seal.Compare(d.before, d.after))
	if d.Difference == nil && d.Cluster.settled() {
		return nil, nil
	}
	if d.Difference == nil {
		d.Difference = &seal.Difference{Change: seal.Unchanged, Keys: []seal.KeyDifference{}}
	}
	return d, nil
}

// sealedSecret reads a SealedSecret, and whether it is synced.
func (c *cluster) sealedSecret(ctx context.Context, at seal.Place) (state *seal.State, status, message string, err error) {
	body, err := c.get(ctx, "apis/bitnami.com/v1alpha1/namespaces", at.Namespace, "sealedsecrets", at.Name)
	if err != nil {
		return nil, "", "", err
	}
	states, err := seal.States(body)
	if err == nil && len(states) == 1 {
		status, message, err = synced(body)
	}
	if err != nil || len(states) != 1 {
		return nil, "", "", unreachable(hintNewer, "%s: %s/%s: its answer is no SealedSecret", c, at.Namespace, at.Name)
	}
	return &states[0], status, message, nil
}

// applied leaves out labels and annotations that only the cluster has: whatever
// applies adds some, and leaves those of others alone.
func applied(d *seal.Difference) *seal.Difference {
	if d == nil {
		return nil
	}
	var kept []seal.FieldDifference
	for _, field := range d.Fields {
		if field.Change != seal.Removed || !strings.HasPrefix(field.Path, "metadata.") {
			kept = append(kept, field)
		}
	}
	d.Fields = kept
	if len(d.Keys)+len(d.Fields) == 0 && d.Scope == nil && d.Hints == nil {
		return nil
	}
	return d
}
