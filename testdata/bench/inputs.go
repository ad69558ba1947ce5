package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// values is how many values every manifest has.
const values = 3

// perNamespace is how many objects share a namespace.
const perNamespace = 100

// keySet is one key of each kind, in memory and in files.
type keySet struct {
	ids        map[keys.Kind]*keys.Identity
	recipients map[keys.Kind]string // file of the public half
}

func makeKeys(dir string) (keySet, error) {
	set := keySet{map[keys.Kind]*keys.Identity{}, map[keys.Kind]string{}}
	for _, kind := range []keys.Kind{keys.RSA, keys.Hybrid, keys.X25519} {
		id, err := keys.Generate(kind, time.Now(), 24*time.Hour, "")
		if err != nil {
			return set, err
		}
		set.ids[kind], set.recipients[kind] = id, filepath.Join(dir, string(kind)+".pub")
		if err := os.WriteFile(set.recipients[kind], id.Recipient().Marshal(), 0o600); err != nil {
			return set, err
		}
	}
	return set, nil
}

// plain is what the Secret number i holds: a user, a password, a URL.
func plain(i int) map[string]string {
	return map[string]string{
		"username": fmt.Sprintf("shop-%04d", i),
		"password": fmt.Sprintf("correct-horse-battery-staple-%04d", i),
		"url":      fmt.Sprintf("postgres://db-%04d.example.com:5432/shop", i),
	}
}

// manifest is the Secret number i as a user writes it.
func manifest(i int) string {
	p := plain(i)
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata:
  name: %s
  namespace: %s
type: Opaque
stringData:
  username: %s
  password: %s
  url: %s
`, nameOf(i), namespaceOf(i), p["username"], p["password"], p["url"])
}

func nameOf(i int) string      { return fmt.Sprintf("app-%04d", i) }
func namespaceOf(i int) string { return fmt.Sprintf("bench-%02d", i/perNamespace) }

// writeTree writes manifests, a directory for each namespace, and returns
// the files.
func writeTree(dir string, n int) ([]string, error) {
	files := make([]string, 0, n)
	for i := range n {
		file := filepath.Join(dir, namespaceOf(i), nameOf(i)+".yaml")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(manifest(i)), 0o600); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// sealedObjects seals the first n manifests, each with one of the keys in turn.
func sealedObjects(n int, ids ...*keys.Identity) ([]*unstructured.Unstructured, error) {
	objects := make([]*unstructured.Unstructured, 0, n)
	for i := range n {
		sealer, err := seal.NewSealer(ids[i%len(ids)].Recipient())
		if err != nil {
			return nil, err
		}
		sealed, err := sealer.Manifest([]byte(manifest(i)), seal.Options{})
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(sealed.Out, &u.Object); err != nil {
			return nil, err
		}
		objects = append(objects, u)
	}
	return objects, nil
}

// unhinted are the objects without what only Fuin notes: as kubeseal makes them.
func unhinted(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, 0, len(objects))
	for _, object := range objects {
		plain := object.DeepCopy()
		annotations := plain.GetAnnotations()
		delete(annotations, seal.AnnotationKey)
		plain.SetAnnotations(annotations)
		out = append(out, plain)
	}
	return out
}

// opens makes sure that what a program sealed is the Secret number i.
func (s keySet) opens(ctx context.Context, kind keys.Kind, sealed []byte) error {
	r, err := seal.Opener{Identities: []*keys.Identity{s.ids[kind]}}.Manifest(ctx, sealed, "")
	if err != nil {
		return fmt.Errorf("what was sealed does not open: %w", err)
	}
	if len(r.Objects) != 1 {
		return fmt.Errorf("%d objects were sealed, not one", len(r.Objects))
	}
	return nil
}
