package environment

import (
	"context"
	"fmt"

	"fuin.dev/controller/apierror"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
)

// survey is what stands in the cluster of objects that this process has not
// applied before: their metadata, nil for those that are not there.
type survey map[id]*metav1.PartialObjectMetadata

// place is where objects of one kind are.
type place struct {
	resource  schema.GroupVersionResource
	namespace string
}

// fewObjects are asked for one by one.
const fewObjects = 3

// lookAtLive takes the survey, as the tenant sees the cluster. An account that
// may not look finds out what it may do when it applies.
func (p *pass) lookAtLive(ctx context.Context) *failure {
	wanted := map[place][]*object{}
	for _, o := range p.objects {
		if o.resource.Resource == "" || p.state.get(o.id) != nil {
			continue
		}
		at := place{o.resource, o.id.namespace}
		wanted[at] = append(wanted[at], o)
	}
	for at, objects := range wanted {
		if len(objects) > fewObjects && p.listLive(ctx, at, objects) == nil {
			continue
		}
		for _, o := range objects {
			if err := p.getLive(ctx, o); err != nil {
				return fail("NotAllowed", "reading %s as %s: %s", o.id, p.account.user, apierror.Text(err))
			}
		}
	}
	return nil
}

func (a *account) at(resource schema.GroupVersionResource, namespace string) metadata.ResourceInterface {
	if namespace == "" {
		return a.metadata.Resource(resource)
	}
	return a.metadata.Resource(resource).Namespace(namespace)
}

func (p *pass) getLive(ctx context.Context, o *object) error {
	live, err := p.account.at(o.resource, o.id.namespace).Get(ctx, o.id.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		p.live[o.id] = nil
		return nil
	case err != nil:
		return err
	}
	p.live[o.id] = live
	return nil
}

// listLive reads a whole place by pages.
func (p *pass) listLive(ctx context.Context, at place, objects []*object) error {
	byName := make(map[string]id, len(objects))
	for _, o := range objects {
		byName[o.id.name] = o.id
	}
	found := survey{}
	err := eachLive(ctx, p.account.at(at.resource, at.namespace), "", func(m *metav1.PartialObjectMetadata) {
		if i, ok := byName[m.Name]; ok {
			found[i] = m
		}
	})
	if err != nil {
		return err
	}
	for _, o := range objects {
		p.live[o.id] = found[o.id]
	}
	return nil
}

// eachLive calls do with the metadata of every object of a place that has the
// labels.
func eachLive(ctx context.Context, in metadata.ResourceInterface, labels string, do func(*metav1.PartialObjectMetadata)) error {
	options := metav1.ListOptions{Limit: 500, LabelSelector: labels}
	for {
		page, err := in.List(ctx, options)
		if err != nil {
			return err
		}
		for i := range page.Items {
			do(&page.Items[i])
		}
		if page.Continue == "" {
			return nil
		}
		options.Continue = page.Continue
	}
}

// mine selects what an Environment applied.
func (p *pass) mine() string {
	return fmt.Sprintf("%s=%s,%s=%s", LabelName, p.name.Name, LabelNamespace, p.name.Namespace)
}
