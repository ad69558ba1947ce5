package render_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fuin.dev/render"

	"sigs.k8s.io/kustomize/api/krusty"
)

func bench(b *testing.B, templates texts, inputs values) {
	pool := open(b, render.Config{})
	works(b, pool)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pool.Templates(b.Context(), templates, inputs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(pool.Stats().Resident)/float64(pool.Stats().Children)/(1<<20), "MiB/child")
}

func BenchmarkTemplate(b *testing.B) {
	bench(b, texts{"url": "postgres://{{ .user }}:{{ .pw | urlquery }}@db/app"}, values{"user": []byte("app"), "pw": []byte("hunter2")})
}

func BenchmarkTenTemplates(b *testing.B) {
	templates := texts{}
	for _, key := range "abcdefghij" {
		templates[string(key)] = "{{ .pw | b64enc }}"
	}
	bench(b, templates, secret)
}

func BenchmarkMebibyte(b *testing.B) {
	bench(b, texts{"k": "{{ .v }}"}, values{"v": bytes.Repeat([]byte("x"), 1<<20)})
}

func BenchmarkParallel(b *testing.B) {
	pool := open(b, render.Config{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			works(b, pool)
		}
	})
}

// BenchmarkColdStart is a child's start, one request and its end.
func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		pool := render.NewPool(render.Config{Path: child})
		works(b, pool)
		pool.Close()
	}
}

// plainTree is a checkout of n objects of the usual kinds, in n/10 files.
func plainTree(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("apps/%03d.yaml", i/10)
		files[name] += "---\n" + usual(i)
	}
	return files
}

// usual is an object as environments have them: one of five is a workload.
func usual(i int) string {
	switch i % 5 {
	case 0:
		return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%[1]d
  labels: {app: app-%[1]d}
spec:
  replicas: 2
  selector:
    matchLabels: {app: app-%[1]d}
  template:
    metadata:
      labels: {app: app-%[1]d}
    spec:
      containers:
        - name: web
          image: registry.example/app:1.0
          envFrom:
            - secretRef: {name: app-%[1]d}
          ports: [{name: http, containerPort: 8080}]
          resources:
            requests: {cpu: 50m, memory: 64Mi}
            limits: {memory: 256Mi}
`, i)
	case 1:
		return fmt.Sprintf("apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: app-%d\nspec:\n  encryptedData:\n    password: %s\n", i-1, strings.Repeat("AgBy", 180))
	case 2:
		return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata:\n  name: app-%d\nspec:\n  selector: {app: app-%[1]d}\n  ports: [{name: http, port: 80, targetPort: http}]\n", i)
	default:
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-%d\ndata:\n  LOG_LEVEL: info\n  MOTD: |\n    Welcome\n    to %[1]d\n", i)
	}
}

// kustomizeTree is a kustomization of n objects with a prefix, an image and a
// patch, over a base.
func kustomizeTree(n int) map[string]string {
	files := map[string]string{}
	list := "resources:\n"
	for name, text := range plainTree(n) {
		files["base/"+name] = text
		list += "- " + name + "\n"
	}
	files["base/kustomization.yaml"] = list
	files["overlay/kustomization.yaml"] = `namePrefix: live-
namespace: live
resources: [../base]
images: [{name: registry.example/app, newTag: "1.1"}]
patches:
- target: {kind: Deployment}
  patch: |
    - {op: replace, path: /spec/replicas, value: 3}
`
	return files
}

func benchDirectory(b *testing.B, files map[string]string, dir string, want int) {
	pool := open(b, renderConfig)
	d := render.Directory{Files: checkout(files), Path: dir}
	b.ReportAllocs()
	for b.Loop() {
		set, err := pool.Directory(b.Context(), d)
		if err != nil || len(set.Objects) != want {
			b.Fatal(err, len(set.Objects))
		}
	}
}

func BenchmarkRender(b *testing.B) {
	b.Run("plain/4", func(b *testing.B) { benchDirectory(b, plainTree(4), ".", 4) })
	b.Run("plain/1000", func(b *testing.B) { benchDirectory(b, plainTree(1000), ".", 1000) })
	b.Run("kustomize/4", func(b *testing.B) { benchDirectory(b, kustomizeTree(4), "overlay", 4) })
	b.Run("kustomize/500", func(b *testing.B) { benchDirectory(b, kustomizeTree(500), "overlay", 500) })
	// What kustomize takes alone, in this process, without reading anything.
	b.Run("krusty/500", func(b *testing.B) {
		system := inMemory(b, checkout(kustomizeTree(500)), nil)
		b.ReportAllocs()
		for b.Loop() {
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(system, "/overlay")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := built.AsYaml(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
