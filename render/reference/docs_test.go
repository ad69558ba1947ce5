package reference_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"fuin.dev/render/reference"
)

// row is one of a table of docs/vault.md: what another tool reads, and ours.
var row = regexp.MustCompile("(?m)^\\| `((?:<path:|vault:|>>vault:|x\\$\\{)[^`]*)` \\| `(x?ref\\+vault://[^`]*)` \\|$")

// TestDocs reads every reference in the documentation, and holds the tables of
// other tools' forms to what is rewritten.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/vault.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(data)
	examples := regexp.MustCompile("`(x?ref\\+vault://[^`]+)`").FindAllStringSubmatch(docs, -1)
	for _, m := range examples {
		if parts, err := reference.Parse(m[1]); err != nil || len(reference.Of(parts)) != 1 {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	rows := row.FindAllStringSubmatch(docs, -1)
	for _, m := range rows {
		if strings.HasPrefix(m[1], ">>") {
			continue // by hand
		}
		got, err := reference.Rewrite(m[1], reference.FindForeign(m[1], reference.Placeholders{}))
		if err != nil || strings.Replace(got, "secret/data/", "secret/", 1) != m[2] {
			t.Errorf("%s becomes %s, and is documented as %s: %v", m[1], got, m[2], err)
		}
	}
	if len(examples) < 8 || len(rows) < 6 {
		t.Errorf("only %d references and %d rows were found", len(examples), len(rows))
	}
}
