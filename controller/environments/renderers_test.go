package environments_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sampleRepository is a repository of testdata/repos, with how it is rendered.
type sampleRepository struct {
	repo, path string
	spec       map[string]any
	flags      []string
}

var sampleRepositories = map[string]sampleRepository{
	"plain":     {"plain", "apps", nil, nil},
	"kustomize": {"store", "overlays/staging", nil, nil},
	"helm": {"chart", "shop", map[string]any{"helm": map[string]any{"releaseName": "shop", "valuesFiles": []any{"values-staging.yaml"}}},
		[]string{"--release-name", "shop", "--values", "VALUES"}},
	"jsonnet": {"jsonnet", "environments/staging", map[string]any{"jsonnet": map[string]any{"externalVariables": map[string]any{"tag": "1.2.3"}}},
		[]string{"--ext-str", "tag=1.2.3"}},
}

// TestEveryRendererThroughAnEnvironment: what an Environment makes of the sample
// repositories is what fuin render prints: to apply that once more, as Fuin,
// changes nothing. Their sealed values open nowhere, so their workloads that name
// them are held.
func TestEveryRendererThroughAnEnvironment(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	for name, sample := range sampleRepositories {
		t.Run(name, func(t *testing.T) {
			ns := s.Tenant()
			s.Put(strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: fuin-deployer, namespace: NS}]
`, "NS", ns))
			spec := map[string]any{"path": sample.path, "targetNamespace": ns, "rollout": "Never"}
			for key, value := range sample.spec {
				spec[key] = value
			}
			e := s.environment(server.New(t, name), ns, name, spec)
			root := filepath.Join("..", "..", "testdata", "repos", sample.repo)
			e.commit(repository(t, root))
			e.becomes(metav1.ConditionFalse, "SecretsFailed", "")
			held := map[string]bool{}
			for _, f := range e.Get().Status.Secrets.Failed {
				if f.Reason == "BindingBroken" { // found before anything was applied
					held["SealedSecret/"+strings.TrimPrefix(f.Object, ns+"/")] = true
				}
				for _, h := range f.Holds {
					held[h] = true
				}
			}
			dir := filepath.Join(root, sample.path)
			flags := append([]string{"render", dir, "--target-namespace", ns}, sample.flags...)
			for i, flag := range flags {
				flags[i] = strings.Replace(flag, "VALUES", filepath.Join(dir, "values-staging.yaml"), 1)
			}
			printed := s.rendered(flags...)
			if applied := len(e.Get().Status.Inventory); applied != len(printed) || applied < 4 {
				t.Errorf("%d objects were applied, and %d are printed", applied, len(printed))
			}
			for _, o := range printed {
				if !held[o.GetKind()+"/"+o.GetName()] {
					e.stands(o)
				}
			}
		})
	}
}

// repository reads all files of a directory.
func repository(t *testing.T, root string) files {
	t.Helper()
	all := files{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(root)+"/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rendered are the objects that fuin prints.
func (s *system) rendered(args ...string) (all []*unstructured.Unstructured) {
	s.T.Helper()
	out, messages, code := s.Fuin(args...)
	if code != 0 {
		s.T.Fatalf("fuin %v: exit %d: %s", args, code, messages)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(out), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		s.OK(err)
		if len(u.Object) > 0 {
			all = append(all, u)
		}
	}
}

// stands fails unless an object is in the cluster as it is printed: applied
// again by the same owner, with the Environment's labels, it stays the same, once
// Kubernetes' own controllers have added to it what they do.
func (e *environment) stands(o *unstructured.Unstructured) {
	e.T.Helper()
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["fuin.dev/environment"], labels["fuin.dev/environment-namespace"] = e.Name, e.NS
	o.SetLabels(labels)
	e.Eventually(fmt.Sprintf("%s %s is as it is printed", o.GetKind(), o.GetName()), func() bool {
		live := fuintest.Named(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
		e.OK(e.Client().Get(e.T.Context(), client.ObjectKeyFromObject(o), live))
		again := o.DeepCopy()
		e.OK(e.Client().Apply(e.T.Context(), client.ApplyConfigurationFromUnstructured(again), client.FieldOwner("fuin"), client.ForceOwnership, client.DryRunAll))
		for _, u := range []*unstructured.Unstructured{live, again} {
			u.SetManagedFields(nil)
			u.SetResourceVersion("")
			unstructured.RemoveNestedField(u.Object, "status")
		}
		e.Last = fmt.Sprintf("it is\n%v\nand is printed as\n%v", live.Object, again.Object)
		return equality.Semantic.DeepEqual(live.Object, again.Object)
	})
}
