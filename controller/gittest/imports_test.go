package gittest_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Nothing that ships links the server for tests, but for what runs Fuin for them.
func TestOnlyTestsImportGittest(t *testing.T) {
	const self, forTests = "fuin.dev/controller/gittest", "fuin.dev/controller/fuintest"
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Imports}}", "fuin.dev/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, " ")
		packages++
		if path != self && path != forTests && strings.Contains(imports, self) {
			t.Errorf("%s imports it", path)
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}
