package kubetest_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Nothing that ships links what is for tests: the cluster, the Vault that trusts
// it, and Fuin as it runs on one.
func TestOnlyTestsImportKubetest(t *testing.T) {
	const self = "fuin.dev/controller/kubetest"
	forTests := []string{self, "fuin.dev/controller/vaulttest", "fuin.dev/controller/fuintest"}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Imports}}", "fuin.dev/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, " ")
		packages++
		for _, one := range forTests {
			if strings.Contains(imports, one) && (one != self || !slices.Contains(forTests, path)) {
				t.Errorf("%s imports %s", path, one)
			}
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}
