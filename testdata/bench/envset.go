package main

import (
	"fmt"
	"strings"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// perApp is how many objects an app has, one of them a Secret.
const perApp = 5

// appSet is what a directory of a repository holds, and what is to come of it.
type appSet struct {
	files   map[string]string // by path, the Secrets sealed
	objects []*unstructured.Unstructured
}

// add takes a manifest into the set: as it is committed, and as it is applied.
func (s *appSet) add(path string, committed []byte, applied string) error {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(applied), &u.Object); err != nil {
		return err
	}
	s.files[path] = string(committed)
	s.objects = append(s.objects, u)
	return nil
}

// apps makes a directory of n apps in a namespace, a file for each object.
// Without an identity their Secrets are left out of it.
func apps(dir, namespace string, n int, id *keys.Identity) (*appSet, error) {
	s := &appSet{files: map[string]string{}}
	for i := range n {
		if err := s.addSecret(dir, namespace, i, id, ""); err != nil {
			return nil, err
		}
		for j, text := range []string{
			config(namespace, i, "config"), config(namespace, i, "more"), service(namespace, i), deployment(namespace, i),
		} {
			if err := s.add(fmt.Sprintf("%s/%s/%d.yaml", dir, nameOf(i), j), []byte(text), text); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// addSecret adds the Secret number i, with a text after its password.
func (s *appSet) addSecret(dir, namespace string, i int, id *keys.Identity, text string) error {
	if id == nil {
		return nil
	}
	secret := strings.Replace(manifest(i), "namespace: "+namespaceOf(i), "namespace: "+namespace, 1)
	secret = strings.Replace(secret, plain(i)["password"], plain(i)["password"]+text, 1)
	sealer, err := seal.NewSealer(id.Recipient())
	if err != nil {
		return err
	}
	sealed, err := sealer.Manifest([]byte(secret), seal.Options{})
	if err != nil {
		return err
	}
	return s.add(fmt.Sprintf("%s/%s/secret.yaml", dir, nameOf(i)), sealed.Out, secret)
}

// kustomization adds one that names all files of a directory.
func (s *appSet) kustomization(dir string) {
	var b strings.Builder
	b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nlabels:\n  - pairs: {team: bench}\nresources:\n")
	for _, path := range sortedKeys(s.files) {
		if file, ok := strings.CutPrefix(path, dir+"/"); ok && file != "kustomization.yaml" {
			b.WriteString("  - " + file + "\n")
		}
	}
	s.files[dir+"/kustomization.yaml"] = b.String()
}

func config(namespace string, i int, name string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: %s-%s, namespace: %s}
data:
  LOG_LEVEL: info
  DATABASE: db-%04d
  app.properties: |
    cache.size = 100
    cache.ttl = 30s
    upstream = https://upstream-%04d.example.com
`, nameOf(i), name, namespace, i, i)
}

func service(namespace string, i int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  selector: {app: %[1]s}
  ports: [{name: http, port: 80, targetPort: 8080}]
`, nameOf(i), namespace)
}

func deployment(namespace string, i int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  replicas: 2
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers:
        - name: app
          image: registry.example/app:v1
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{secretRef: {name: %[1]s}}, {configMapRef: {name: %[1]s-config}}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
          readinessProbe: {httpGet: {path: /healthz, port: http}}
`, nameOf(i), namespace)
}
