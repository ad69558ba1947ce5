package check_test

import (
	"os"
	"strings"
	"testing"

	"fuin.dev/check"
)

// The page is what the rules are looked up in; their names are stable.
func TestThePageListsAllRules(t *testing.T) {
	page, err := os.ReadFile("../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	if rules := check.Rules(); len(rules) < 20 {
		t.Fatalf("only %d rules", len(rules))
	}
	for _, r := range check.Rules() {
		row := "| `" + r.Name + "` | " + r.Summary + " |\n"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/check.md misses the row\n%s", row)
		}
	}
}
