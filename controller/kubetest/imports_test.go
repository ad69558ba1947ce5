package kubetest_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Nothing that ships links what is for tests: the cluster, the Vault that trusts
// it, the Git server, and Fuin as it runs on one.
func TestOnlyTestsImportKubetest(t *testing.T) {
	var forTests []string // which may import each other
	for _, name := range []string{"fuintest", "gittest", "kubetest", "port", "vaulttest"} {
		forTests = append(forTests, "fuin.dev/controller/"+name)
	}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Imports}}", "fuin.dev/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, " ")
		packages++
		for _, one := range forTests {
			if strings.Contains(imports, one) && !slices.Contains(forTests, path) {
				t.Errorf("%s imports %s", path, one)
			}
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}
