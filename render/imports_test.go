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

// The child holds no keys and knows no cluster. Libraries link packages that
// reach a network or start programs: sprig net, kustomize net/http and os/exec,
// Helm client-go. Nothing of that is called: a template's lookup is empty, a
// schema is loaded from nowhere, what kustomize would fetch is asked of the
// parent; and sockets and programs are refused (see TestConfine of
// cmd/fuin-render).
func TestWhatTheSandboxLinks(t *testing.T) {
	deps := list(t, "-deps", "./cmd/fuin-render")
	if !slices.Contains(deps, "fuin.dev/render/engine") {
		t.Fatalf("this is not the list of its packages: %v", deps)
	}
	for _, dep := range deps {
		ours := strings.HasPrefix(dep, "fuin.dev/")
		switch {
		case strings.HasPrefix(dep, "filippo.io/"), strings.HasPrefix(dep, "sigs.k8s.io/controller-runtime"),
			strings.HasPrefix(dep, "helm.sh/helm/v4/pkg/action"), strings.HasPrefix(dep, "helm.sh/helm/v4/pkg/getter"),
			ours && !strings.HasPrefix(dep, "fuin.dev/render/") && dep != "fuin.dev/cmd/fuin-render":
			t.Errorf("fuin-render links %s", dep)
		}
	}
	for _, line := range list(t, "-f", "{{ .ImportPath }} {{ join .Imports ` ` }}", "./cmd/fuin-render", "./render/engine", "./render/listing", "./render/wire") {
		for _, dep := range strings.Fields(line)[1:] {
			switch dep {
			case "net", "net/http", "crypto/tls", "os/exec", "plugin":
				if dep != "net/http" || !strings.HasPrefix(line, "fuin.dev/render/engine ") { // which answers in its place
					t.Errorf("%s: %s", dep, line)
				}
			}
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

// The grammar is a leaf: whoever reads references links nothing with it.
func TestTheGrammarIsALeaf(t *testing.T) {
	for _, line := range list(t, "-f", "{{ join .Imports ` ` }}", "./render/reference") {
		for _, dep := range strings.Fields(line) {
			if strings.Contains(dep, ".") || dep == "text/template" || strings.HasPrefix(dep, "net") {
				t.Errorf("render/reference imports %s", dep)
			}
		}
	}
}
