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

// The child holds no keys, knows no cluster and cannot speak over a network.
// Package net is there, for the one function of sprig that is taken out.
func TestWhatTheSandboxLinks(t *testing.T) {
	deps := list(t, "-deps", "./cmd/fuin-render")
	if !slices.Contains(deps, "fuin.dev/render/engine") {
		t.Fatalf("this is not the list of its packages: %v", deps)
	}
	for _, dep := range deps {
		ours := strings.HasPrefix(dep, "fuin.dev/")
		switch {
		case dep == "net/http", dep == "crypto/tls", dep == "os/exec", dep == "plugin",
			strings.HasPrefix(dep, "k8s.io/"), strings.HasPrefix(dep, "sigs.k8s.io/controller-runtime"), strings.HasPrefix(dep, "filippo.io/"),
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
