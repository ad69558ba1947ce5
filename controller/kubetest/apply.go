package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is the field manager of what Apply writes.
const fieldOwner = client.FieldOwner("kubetest")

// Waits for something that the servers do by themselves.
const (
	pollEvery = 20 * time.Millisecond
	pollFor   = 2 * time.Minute
)

// newClient makes the client behind Client, with a scheme of its own.
func newClient(config *rest.Config) (client.Client, error) {
	s := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(s), apiextensionsv1.AddToScheme(s)); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: s})
}

// Apply applies plain YAML files, and all of those in directories, server-side.
// CustomResourceDefinitions come first and are served when it returns, then
// namespaces, then the rest in the order of files. Objects that name no namespace
// go to the given one. Kustomization files are passed over.
func (c *Cluster) Apply(ctx context.Context, namespace string, paths ...string) error {
	var objects []*unstructured.Unstructured
	for _, path := range paths {
		found, err := readTree(path)
		if err != nil {
			return fmt.Errorf("applying %s: %w", path, err)
		}
		objects = append(objects, found...)
	}
	return c.applyAll(ctx, namespace, objects)
}

// ApplyYAML applies the documents of a YAML stream as Apply does.
func (c *Cluster) ApplyYAML(ctx context.Context, namespace, stream string) error {
	objects, err := parse([]byte(stream))
	if err != nil {
		return fmt.Errorf("applying: %w", err)
	}
	return c.applyAll(ctx, namespace, objects)
}

func (c *Cluster) applyAll(ctx context.Context, namespace string, objects []*unstructured.Unstructured) error {
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return stage(a) - stage(b) })
	for _, object := range objects {
		if err := c.applyOne(ctx, namespace, object); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func stage(object *unstructured.Unstructured) int {
	switch object.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Group: apiextensionsv1.GroupName, Kind: "CustomResourceDefinition"}:
		return 0
	case schema.GroupKind{Kind: "Namespace"}:
		return 1
	default:
		return 2
	}
}

func (c *Cluster) applyOne(ctx context.Context, namespace string, object *unstructured.Unstructured) error {
	namespaced, err := c.client.IsObjectNamespaced(object)
	if err != nil {
		return err
	}
	if namespaced && object.GetNamespace() == "" {
		object.SetNamespace(namespace)
	}
	err = c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	if err != nil || stage(object) != 0 {
		return err
	}
	return c.awaitServed(ctx, object.GetName())
}

// awaitServed waits until objects of a CustomResourceDefinition can be listed.
func (c *Cluster) awaitServed(ctx context.Context, name string) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	return poll(ctx, func(ctx context.Context) error {
		if err := c.client.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
			return err
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{
			Group: crd.Spec.Group, Version: servedVersion(crd), Kind: crd.Spec.Names.Kind + "List",
		})
		return c.client.List(ctx, list, client.Limit(1))
	})
}

func servedVersion(crd *apiextensionsv1.CustomResourceDefinition) string {
	for _, version := range crd.Spec.Versions {
		if version.Served {
			return version.Name
		}
	}
	return ""
}

// readTree parses a file, or every YAML file below a directory.
func readTree(root string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		extension := strings.ToLower(filepath.Ext(path))
		if err != nil || entry.IsDir() || path != root && extension != ".yaml" && extension != ".yml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		objects = append(objects, found...)
		return nil
	})
	return objects, err
}

// parse reads a YAML stream; lists are taken apart.
func parse(data []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	add := func(object runtime.Object) error {
		u := object.(*unstructured.Unstructured)
		if u.GroupVersionKind().Group != "kustomize.config.k8s.io" {
			objects = append(objects, u)
		}
		return nil
	}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		u := &unstructured.Unstructured{}
		switch err := documents.Decode(&u.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(u.Object) == 0: // only comments
		case u.IsList():
			if err := u.EachListItem(add); err != nil {
				return nil, err
			}
		default:
			_ = add(u)
		}
	}
}

// poll repeats a check until it succeeds, ctx is done or the wait is over, and
// then returns the check's last error.
func poll(ctx context.Context, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, pollFor, true, func(ctx context.Context) (bool, error) {
		if err := check(ctx); err != nil {
			last = err
			return false, nil
		}
		return true, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}
