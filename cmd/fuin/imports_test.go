package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImports holds what the packages may link: a CLI that starts quickly, and
// libraries that cannot reach a network.
func TestImports(t *testing.T) {
	for pkg, forbidden := range map[string][]string{
		"fuin.dev/cmd/fuin": {
			"fuin.dev/controller", "fuin.dev/render/engine", "k8s.io/client-go/kubernetes", "k8s.io/api/core",
			"sigs.k8s.io/controller-runtime", "sigs.k8s.io/kustomize", "helm.sh", "github.com/Masterminds/sprig",
			"github.com/google/go-jsonnet",
		},
		"fuin.dev/config": {"net/http", "k8s.io", "sigs.k8s.io"},
		"fuin.dev/keys":   {"net/http", "k8s.io", "sigs.k8s.io"},
		"fuin.dev/seal":   {"net/http", "k8s.io", "sigs.k8s.io"},
	} {
		deps := goList(t, "-deps", pkg)
		if len(deps) < 20 {
			t.Fatalf("go list -deps %s names %d packages; is it read rightly?", pkg, len(deps))
		}
		for _, dep := range deps {
			for _, prefix := range forbidden {
				if dep == prefix || strings.HasPrefix(dep, prefix+"/") {
					t.Errorf("%s links %s", pkg, dep)
				}
			}
		}
	}
}

// TestClientGoInOneFile keeps the cluster behind cluster.go.
func TestClientGoInOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var with []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, imported := range goList(t, "-f", `{{join .Imports "\n"}}`, file) {
			if strings.HasPrefix(imported, "k8s.io/") && !slices.Contains(with, file) {
				with = append(with, file)
			}
		}
	}
	if !slices.Equal(with, []string{"cluster.go"}) {
		t.Errorf("k8s.io is imported by %q, want cluster.go alone", with)
	}
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", args, err)
	}
	return strings.Fields(string(out))
}
