package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	unmanagedRequests = 6 // at a time
	metadataPage      = 250
	acceptMetadata    = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// An unmanagedObject is one row of fuin status --unmanaged.
type unmanagedObject struct {
	Namespace string     `json:"namespace"`
	Kind      string     `json:"kind"`
	Group     string     `json:"group"`
	Name      string     `json:"name"`
	Manager   string     `json:"manager"` // of fields, which made the last change; "" is unknown
	Changed   *time.Time `json:"changed"`
}

type unmanagedShape struct {
	Unmanaged []unmanagedObject `json:"unmanaged"`
	Notes     []string          `json:"notes"`
}

// An objectMetadata is what is read of an object: never its content.
type objectMetadata struct {
	Metadata struct {
		Namespace         string            `json:"namespace"`
		Name              string            `json:"name"`
		CreationTimestamp time.Time         `json:"creationTimestamp"`
		Labels            map[string]string `json:"labels"`
		OwnerReferences   []struct {
			UID string `json:"uid"`
		} `json:"ownerReferences"`
		ManagedFields []struct {
			Manager     string    `json:"manager"`
			Subresource string    `json:"subresource"`
			Time        time.Time `json:"time"`
		} `json:"managedFields"`
	} `json:"metadata"`
}

func (f *statusFlags) runUnmanaged(ctx context.Context, u *ui, c *cluster, all []environment) error {
	shape := unmanagedShape{Unmanaged: []unmanagedObject{}, Notes: []string{}}
	if len(all) > 0 {
		if err := c.findUnmanaged(ctx, all, &shape); err != nil {
			return err
		}
	}
	if f.output.value != "text" {
		if err := encode(u.stdout, f.output.value, shape); err != nil {
			return err
		}
	} else if err := shape.print(u); err != nil {
		return err
	}
	if n := len(shape.Unmanaged); n > 0 {
		return &fault{fmt.Errorf("%s in no source", plural(n, "object")), "commit them, or delete them", exitFindings}
	}
	return nil
}

// A place is a kind in a namespace.
type place struct {
	namespace string
	resource
}

// findUnmanaged looks through the namespaces of Environments.
func (c *cluster) findUnmanaged(ctx context.Context, all []environment, shape *unmanagedShape) error {
	kinds, stale, err := c.discover(ctx)
	if err != nil {
		return err
	}
	for _, group := range stale {
		shape.Notes = append(shape.Notes, clean("the server of API group "+group+" does not answer; its kinds are not shown"))
	}
	known := newManaged(all)
	var places []place
	for _, namespace := range known.namespaces {
		for _, r := range kinds {
			if !ephemeral[r.String()] {
				places = append(places, place{namespace, r})
			}
		}
	}
	found := make([][]objectMetadata, len(places))
	forbidden := make([]bool, len(places))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(unmanagedRequests)
	for i, p := range places {
		g.Go(func() (err error) {
			found[i], forbidden[i], err = c.metadata(ctx, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	known.addSealed(places, found)
	for i, p := range places {
		for _, o := range found[i] {
			if !known.holds(p, o) {
				shape.Unmanaged = append(shape.Unmanaged, o.row(p))
			}
		}
	}
	shape.addForbidden(places, forbidden)
	slices.SortFunc(shape.Unmanaged, func(a, b unmanagedObject) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// metadata lists a kind in a namespace, or tells that the user may not.
func (c *cluster) metadata(ctx context.Context, p place) (all []objectMetadata, forbidden bool, err error) {
	all, _, err = listAll[objectMetadata](ctx, c, query{
		path:  []string{p.path(), "namespaces", p.namespace, p.plural},
		limit: metadataPage, accept: acceptMetadata,
	})
	if refused(err) {
		return nil, true, nil
	}
	if errors.Is(err, errAbsent) { // its CRD was deleted just now
		return nil, false, nil
	}
	return all, false, err
}

// addForbidden notes, by namespace, the kinds that were not seen.
func (s *unmanagedShape) addForbidden(places []place, forbidden []bool) {
	kinds := map[string][]string{}
	var namespaces []string
	for i, p := range places {
		if forbidden[i] {
			if kinds[p.namespace] == nil {
				namespaces = append(namespaces, p.namespace)
			}
			kinds[p.namespace] = append(kinds[p.namespace], p.String())
		}
	}
	for _, namespace := range namespaces {
		s.Notes = append(s.Notes, clean(fmt.Sprintf("namespace %s: not shown are those that you may not list: %s", namespace, strings.Join(kinds[namespace], ", "))))
	}
}

// row is the object for a user: who changed it last, not counting its status.
func (o objectMetadata) row(p place) unmanagedObject {
	row := unmanagedObject{Namespace: o.Metadata.Namespace, Kind: clean(p.kind), Group: clean(p.group), Name: clean(o.Metadata.Name)}
	at := o.Metadata.CreationTimestamp
	for _, m := range o.Metadata.ManagedFields {
		if m.Subresource == "" && (row.Manager == "" || m.Time.After(at)) {
			row.Manager = clean(m.Manager)
			if !m.Time.IsZero() {
				at = m.Time
			}
		}
	}
	row.Changed = known(at)
	return row
}

func (s unmanagedShape) print(u *ui) error {
	t := &table{now: u.now()}
	namespace := ""
	for _, o := range s.Unmanaged {
		if o.Namespace != namespace {
			namespace = o.Namespace
			t.section("NAMESPACE " + namespace)
			t.line("%-48s %-22s %s", "OBJECT", "MANAGER", "CHANGED")
		}
		t.line("%-48s %-22s %s", cut(o.Kind+"/"+o.Name, 48), cut(dash(o.Manager), 22), t.ago(o.Changed))
	}
	if _, err := u.stdout.Write(t.Bytes()); err != nil {
		return err
	}
	for _, note := range s.Notes {
		u.note("%s", note)
	}
	return nil
}
