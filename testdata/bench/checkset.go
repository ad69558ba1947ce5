package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// filesOfApp is how many manifests the directory of an application has.
const filesOfApp = 5

// writeApps makes a Git repository of so many manifests, as a team keeps them:
// for each application a workload, a Service, settings, a SealedSecret and a
// kustomization; nothing in it is a leak. One file is staged.
func (b *bench) writeApps(ctx context.Context, dir string, manifests int) error {
	sealed, err := os.ReadFile(filepath.Join(b.root, "testdata/vectors/kubeseal-strict.yaml"))
	if err != nil {
		return err
	}
	for i := range manifests / filesOfApp {
		app := filepath.Join(dir, fmt.Sprintf("team-%02d/app-%04d", i%40, i))
		if err := writeApp(app, i, string(sealed)); err != nil {
			return err
		}
	}
	git := func(args ...string) error {
		p := command(ctx, dir, "/usr/bin/env", append([]string{"git", "-c", "user.name=bench", "-c", "user.email=bench@example.com"}, args...)...)
		_, _, err := p.run()
		return err
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-qm", "all"}} {
		if err := git(args...); err != nil {
			return err
		}
	}
	staged := filepath.Join(dir, "team-00/app-0000/workload.yaml")
	if err := os.WriteFile(staged, []byte(strings.Replace(workload(0), "replicas: 2", "replicas: 3", 1)), 0o600); err != nil {
		return err
	}
	return git("add", "-A")
}

// stageSealed stages a SealedSecret instead, whose namespace its kustomization
// gives it.
func stageSealed(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "team-00/app-0000/sealed.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, _, err := command(ctx, dir, "/usr/bin/env", "git", "reset", "-q", "--hard").run(); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), "\n  namespace: shop\n", "\n", 1)), 0o600); err != nil {
		return err
	}
	_, _, err = command(ctx, dir, "/usr/bin/env", "git", "add", "-A").run()
	return err
}

func writeApp(dir string, i int, sealed string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := fmt.Sprintf("app-%04d", i)
	for file, text := range map[string]string{
		"workload.yaml": workload(i),
		"sealed.yaml":   strings.ReplaceAll(sealed, "name: db", "name: "+name),
		"service.yaml":  "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  selector: {app: " + name + "}\n  ports: [{name: http, port: 80, targetPort: http}]\n",
		"settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata:\n  LOG_FORMAT: json\n  application.properties: |\n    server.port=8080\n    spring.application.name=" + name + "\n",
		"kustomization.yaml": "namespace: shop\nresources: [workload.yaml, sealed.yaml, service.yaml, settings.yaml]\n" +
			"images:\n- name: registry.example/shop/app\n  newTag: v1." + fmt.Sprint(i) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func workload(i int) string {
	return strings.ReplaceAll(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  labels: {app: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      serviceAccountName: NAME
      containers:
      - name: app
        image: registry.example/shop/app
        ports: [{name: http, containerPort: 8080}]
        envFrom: [{configMapRef: {name: NAME}}]
        env:
        - name: DB_USER
          valueFrom: {secretKeyRef: {name: NAME, key: user}}
        - name: DB_PASSWORD
          valueFrom: {secretKeyRef: {name: NAME, key: password}}
        resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 5}
        volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]
      volumes:
      - name: tls
        secret: {secretName: NAME-tls}
`, "NAME", fmt.Sprintf("app-%04d", i))
}

// writeCorpus lays out the cases of a corpus, a directory each, and returns how
// many there are.
func (b *bench) writeCorpus(name, dir string) (int, error) {
	archives, err := filepath.Glob(filepath.Join(b.root, "testdata", name, "*.txtar"))
	if err != nil || len(archives) == 0 {
		return 0, fmt.Errorf("no cases in testdata/%s: %w", name, err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			return 0, err
		}
		for _, file := range archive.Files {
			full := filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), ".txtar"), file.Name)
			if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
				return 0, err
			}
			if err := os.WriteFile(full, file.Data, 0o600); err != nil {
				return 0, err
			}
		}
	}
	return len(archives), nil
}
