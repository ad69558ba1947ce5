package render_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func list(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// The child holds no keys and knows no cluster. Helm brings client-go, net/http
// and os/exec, of which nothing is called: a template's lookup is empty, a
// schema is loaded from nowhere, and sockets and programs are refused (see
// TestConfine of cmd/fuin-render).
func TestWhatTheSandboxLinks(t *testing.T) {
	deps := list(t, "-deps", "./cmd/fuin-render")
	if !slices.Contains(deps, "fuin.dev/render/engine") {
		t.Fatalf("this is not the list of its packages: %v", deps)
	}
	for _, dep := range deps {
		ours := strings.HasPrefix(dep, "fuin.dev/")
		switch {
		case dep == "plugin", strings.HasPrefix(dep, "filippo.io/"), strings.HasPrefix(dep, "sigs.k8s.io/controller-runtime"),
			strings.HasPrefix(dep, "helm.sh/helm/v4/pkg/action"), strings.HasPrefix(dep, "helm.sh/helm/v4/pkg/getter"),
			ours && !strings.HasPrefix(dep, "fuin.dev/render/") && dep != "fuin.dev/cmd/fuin-render":
			t.Errorf("fuin-render links %s", dep)
		}
	}
}

// Whoever links the engines runs their initialisation, and could run a
// template where nothing can stop it.
func TestOnlyTheSandboxLinksTheEngines(t *testing.T) {
	for _, line := range list(t, "-f", "{{ .ImportPath }} {{ join .Imports ` ` }}", "./...") {
		imports := strings.Fields(line)
		if slices.Contains(imports[1:], "fuin.dev/render/engine") && imports[0] != "fuin.dev/cmd/fuin-render" {
			t.Errorf("%s imports render/engine", imports[0])
		}
	}
	for _, dep := range list(t, "-deps", "./render") {
		if dep == "net/http" || strings.HasPrefix(dep, "k8s.io/") || strings.HasPrefix(dep, "github.com/Masterminds/") {
			t.Errorf("render links %s", dep)
		}
	}
}
