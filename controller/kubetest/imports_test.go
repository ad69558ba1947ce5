package kubetest_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Nothing that ships links the cluster for tests, nor the Vault for tests, which
// trusts that cluster.
func TestOnlyTestsImportKubetest(t *testing.T) {
	const self, vault = "fuin.dev/controller/kubetest", "fuin.dev/controller/vaulttest"
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Imports}}", "fuin.dev/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, " ")
		packages++
		if path != self && path != vault && strings.Contains(imports, self) || strings.Contains(imports, vault) {
			t.Errorf("%s imports it", path)
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}
