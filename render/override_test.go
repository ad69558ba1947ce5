package render_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"fuin.dev/render"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

const images = `apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      initContainers: [{name: i, image: "registry.example:5000/app:1.0@sha256:0123"}]
      containers:
        - {name: a, image: registry.example/app}
        - {name: b, image: "registry.example/app:1.0"}
        - {name: c, image: "registry.example/app-more:1.0"}
        - {name: e}
      volumes: [{name: v, image: {reference: "registry.example/app:1.0"}}]
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: r}
spec: {template: {spec: {containers: [{name: a, image: "registry.example/app:1.0"}]}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: c}
spec: {containers: [{image: "registry.example/app:1.0"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: j}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "registry.example/app@sha256:abc"}]}}}}}
`

// Images are overridden as kustomize overrides them, whatever the renderer is.
func TestImagesAreThoseOfKustomize(t *testing.T) {
	for name, list := range map[string][]render.Image{
		"a tag":             {{Name: "registry.example/app", NewTag: "2.0"}},
		"a digest":          {{Name: "registry.example/app", Digest: "sha256:ff"}},
		"a tag and digest":  {{Name: "registry.example/app", NewTag: "2.0", Digest: "sha256:ff"}},
		"a name":            {{Name: "registry.example/app", NewName: "other.example/x"}},
		"a name and a tag":  {{Name: "registry.example:5000/app", NewName: "y", NewTag: "3"}},
		"one after another": {{Name: "registry.example/app", NewName: "z"}, {Name: "z", NewTag: "4"}},
		"none":              {{Name: "app", NewTag: "2.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := checkout(map[string]string{"plain/a.yaml": images})
			set, err := open(t, renderConfig).Directory(t.Context(), render.Directory{Files: files, Path: "plain", Images: list})
			if err != nil {
				t.Fatal(err)
			}
			text := "resources: [plain/a.yaml]\nimages:\n"
			for _, i := range list {
				text += fmt.Sprintf("- {name: %q, newName: %q, newTag: %q, digest: %q}\n", i.Name, i.NewName, i.NewTag, i.Digest)
			}
			want := byKustomize(t, inMemory(t, files, map[string]string{"kustomization.yaml": text}), ".")
			if diff := cmp.Diff(canonical(t, want), canonical(t, contents(set))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestImagesFrom(t *testing.T) {
	for name, tt := range map[string]struct {
		file   string
		images []render.Image
		want   string
	}{
		"a list":        {"# by CI\n- {name: app, newTag: '2'}\n", nil, "app:2"},
		"a mapping":     {"images:\n- {name: app, newTag: '2'}\n", nil, "app:2"},
		"nothing":       {"", nil, "app:1"},
		"Images above":  {"- {name: app, newTag: '2', newName: x}\n", []render.Image{{Name: "app", NewTag: "3"}}, "app:3"},
		"Images beside": {"- {name: app, newName: x}\n", []render.Image{{Name: "x", NewTag: "3"}}, "x:3"},
	} {
		t.Run(name, func(t *testing.T) {
			files := checkout(map[string]string{"ci/images.yaml": tt.file, "o/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: 'app:1'}]}\n"})
			set, err := open(t, renderConfig).Directory(t.Context(), render.Directory{Files: files, Path: "o", Images: tt.images, ImagesFrom: "ci/images.yaml"})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(set.Objects[0].Content["spec"]); got != "map[containers:[map[image:"+tt.want+"]]]" {
				t.Error(got)
			}
		})
	}
	for name, tt := range map[string]struct {
		path, file string
		reason     render.DirectoryReason
	}{
		"no file":      {"nothing.yaml", "", render.NotFound},
		"outside":      {"../images.yaml", "", render.OutsideRefused},
		"absolute":     {"/etc/passwd", "", render.OutsideRefused},
		"no YAML":      {"images.yaml", "a: b: hunter2canary", render.Malformed},
		"text":         {"images.yaml", "hunter2canary", render.Malformed},
		"another type": {"images.yaml", "images: {hunter2canary: x}", render.Malformed},
		"without name": {"images.yaml", "- {newTag: hunter2canary}", render.Malformed},
		"huge":         {"images.yaml", strings.Repeat("#", 300<<10), render.LimitExceeded},
		"many":         {"images.yaml", strings.Repeat("- {name: a}\n", 1001), render.LimitExceeded},
		"aliases":      {"images.yaml", strings.TrimPrefix(bomb(), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), render.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			files := checkout(map[string]string{"images.yaml": tt.file, "o/README.md": ""})
			_, err := open(t, renderConfig).Directory(t.Context(), render.Directory{Files: files, Path: "o", ImagesFrom: tt.path})
			refused(t, err, tt.reason, tt.path+": ", "")
		})
	}
}

const scoped = `apiVersion: v1
kind: ServiceAccount
metadata: {name: a, namespace: old}
---
apiVersion: v1
kind: Namespace
metadata: {name: space}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: b}
subjects:
- {kind: ServiceAccount, name: a, namespace: old}
- {kind: ServiceAccount, name: default}
- {kind: ServiceAccount, name: a, namespace: elsewhere}
- {kind: User, name: a, namespace: old}
---
apiVersion: v1
kind: Service
metadata: {name: hook}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: w}
webhooks: [{clientConfig: {service: {name: hook, namespace: ""}}}, {clientConfig: {url: x}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: wides.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Wide}}
---
apiVersion: example.com/v1
kind: Wide
metadata: {name: wide}
---
apiVersion: example.com/v1
kind: Narrow
metadata: {name: narrow}
`

func TestTargetNamespace(t *testing.T) {
	set, err := open(t, renderConfig).Directory(t.Context(), render.Directory{
		Files: checkout(map[string]string{"a.yaml": scoped}), Path: ".", TargetNamespace: "new",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range set.Objects {
		got[o.Kind()] = o.WasNamespace + ">" + o.Namespace()
		switch o.Kind() {
		case "ClusterRoleBinding":
			got["subjects"] = fmt.Sprint(o.Content["subjects"])
		case "ValidatingWebhookConfiguration":
			got["webhooks"] = fmt.Sprint(o.Content["webhooks"])
		}
	}
	want := map[string]string{
		"ServiceAccount": "old>new", "Service": ">new", "Narrow": ">new", "Wide": ">", "Namespace": ">",
		"CustomResourceDefinition": ">", "ClusterRoleBinding": ">", "ValidatingWebhookConfiguration": ">",
		"subjects": "[map[kind:ServiceAccount name:a namespace:new] map[kind:ServiceAccount name:default namespace:new] " +
			"map[kind:ServiceAccount name:a namespace:elsewhere] map[kind:User name:a namespace:old]]",
		"webhooks": "[map[clientConfig:map[service:map[name:hook namespace:new]]] map[clientConfig:map[url:x]]]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Two objects that become one are told apart no more.
func TestTargetNamespaceThatMakesTwoOne(t *testing.T) {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: y}\n"
	_, err := open(t, renderConfig).Directory(t.Context(), render.Directory{
		Files: checkout(map[string]string{"a.yaml": text}), Path: ".", TargetNamespace: "new",
	})
	refused(t, err, render.Duplicate, "a.yaml:5: ConfigMap new/a is there twice, first in a.yaml:1", "")
}

// What kustomize knows to have no namespace gets none.
func TestClusterScopedKinds(t *testing.T) {
	var text string
	kinds := []string{"v1 Node", "v1 PersistentVolume", "storage.k8s.io/v1 StorageClass", "storage.k8s.io/v1 CSIDriver", "scheduling.k8s.io/v1 PriorityClass",
		"node.k8s.io/v1 RuntimeClass", "networking.k8s.io/v1 IngressClass", "certificates.k8s.io/v1 CertificateSigningRequest", "rbac.authorization.k8s.io/v1 ClusterRole",
		"admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy", "apiregistration.k8s.io/v1 APIService",
		"apps/v1 Deployment", "v1 Secret", "batch/v1 Job", "policy/v1 PodDisruptionBudget", "networking.k8s.io/v1 Ingress", "v1 LimitRange"}
	for _, k := range kinds {
		apiVersion, kind, _ := strings.Cut(k, " ")
		text += fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {name: an-object}\n", apiVersion, kind)
	}
	set, err := open(t, renderConfig).Directory(t.Context(), render.Directory{Files: checkout(map[string]string{"a.yaml": text}), Path: ".", TargetNamespace: "new"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range set.Objects {
		namespaced, known := openapi.IsNamespaceScoped(kyaml.TypeMeta{APIVersion: o.APIVersion(), Kind: o.Kind()})
		if !known || namespaced != (o.Namespace() == "new") {
			t.Errorf("%s %s: in %q; kustomize: %v, %v", o.APIVersion(), o.Kind(), o.Namespace(), namespaced, known)
		}
	}
}

// What lies elsewhere is asked of the caller, by the URL of its repository, and
// may name other parts of that.
func TestRemoteBases(t *testing.T) {
	repository := map[string]string{
		"deploy/overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: far-\n",
		"deploy/base/kustomization.yaml":    "resources: [a.yaml]\n",
		"deploy/base/a.yaml":                fmt.Sprintf(configMap, "a"),
		"escape/kustomization.yaml":         "resources: [../../../secret.yaml]\n",
		"further/kustomization.yaml":        "resources: ['https://raw.example/b.yaml']\n",
	}
	var asked []string
	remote := func(_ context.Context, url string) (fs.FS, error) {
		asked = append(asked, url)
		switch url {
		case "https://raw.example/b.yaml":
			return checkout(map[string]string{"b.yaml": fmt.Sprintf(configMap, "b")}), nil
		case "https://down.example/a/b":
			return nil, errDown
		}
		return checkout(repository), nil
	}
	for name, tt := range map[string]struct {
		resource string
		asks     string
		want     []string
		refused  string
	}{
		"a path":              {"https://git.example/org/repo//deploy/overlay?ref=v1", "https://git.example/org/repo?ref=v1", []string{"ConfigMap far-a of https://git.example/org/repo//deploy/base/a.yaml"}, ""},
		"by GitHub's rule":    {"github.com/org/repo/deploy/base?ref=v1", "github.com/org/repo?ref=v1", []string{"ConfigMap a of github.com/org/repo//deploy/base/a.yaml"}, ""},
		"with .git":           {"git::https://git.example/group/sub/repo.git/deploy/base", "https://git.example/group/sub/repo.git", []string{"ConfigMap a of https://git.example/group/sub/repo.git//deploy/base/a.yaml"}, ""},
		"by scp":              {"git@git.example:org/repo//deploy/base", "git@git.example:org/repo", []string{"ConfigMap a of git.example:org/repo//deploy/base/a.yaml"}, ""},
		"of Azure":            {"https://dev.azure.com/org/project/_git/repo/deploy/base", "https://dev.azure.com/org/project/_git/repo", []string{"ConfigMap a of https://dev.azure.com/org/project/_git/repo//deploy/base/a.yaml"}, ""},
		"a file":              {"https://raw.example/b.yaml", "https://raw.example/b.yaml", []string{"ConfigMap b of https://raw.example/b.yaml//b.yaml"}, ""},
		"what names more":     {"https://git.example/org/repo//further", "https://git.example/org/repo https://raw.example/b.yaml", []string{"ConfigMap b of https://raw.example/b.yaml//b.yaml"}, ""},
		"what reaches out":    {"https://git.example/org/repo//escape", "https://git.example/org/repo", nil, "https://git.example/org/repo//escape/kustomization.yaml:1: names ../../../secret.yaml, which is not in the checkout"},
		"a path that is none": {"https://git.example/org/repo//nothing", "https://git.example/org/repo", nil, "o/kustomization.yaml"},
		"what cannot be had":  {"https://down.example/a/b", "https://down.example/a/b", nil, "o/kustomization.yaml:1: names https://down.example/a/b, which lies elsewhere, and could not be fetched"},
		"a path out of it":    {"https://git.example/org/repo//../../x", "https://git.example/org/repo", nil, "o/kustomization.yaml:1: names https://git.example/org/repo//../../x, whose path is not in its repository"},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			files := checkout(map[string]string{"o/kustomization.yaml": "resources: ['" + tt.resource + "']\n", "secret.yaml": fmt.Sprintf(configMap, "s")})
			set, err := open(t, renderConfig).Directory(t.Context(), render.Directory{Files: files, Path: "o", Remote: remote})
			if got := strings.Join(asked, " "); got != tt.asks {
				t.Errorf("asked for %s", got)
			}
			var fault *render.DirectoryError
			switch {
			case tt.refused != "":
				if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), tt.refused) {
					t.Errorf("got %v", err)
				}
				if strings.Contains(tt.resource, "down") && !errors.Is(err, errDown) {
					t.Errorf("the reason is lost: %v", err)
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(tt.want, names(set)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

var errDown = errors.New("the server is down")
