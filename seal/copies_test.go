package seal_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"fuin.dev/seal"
)

func TestCommentsOfEarlierDocumentsHoldLaterValues(t *testing.T) {
	text := strings.Replace(head, "kind: Secret", "kind: Secret # the other one is correct horse", 1) + "stringData: {a: b}\n---\n" +
		strings.Replace(head, "name: db", "name: other", 1) + "stringData: {password: correct horse}\n"
	r := sealed(t, text, seal.Options{})
	if strings.Contains(string(r.Out), "correct horse") {
		t.Errorf("came out as:\n%s", r.Out)
	}
}

func TestCopiesInComments(t *testing.T) {
	enc := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, row := range map[string]struct {
		value, comment string
		copied         bool
	}{
		"plain":                          {"hunter2", "it was hunter2.", true},
		"of six bytes":                   {"hunter", "xhunterx", true},
		"base64":                         {"hunter2", enc("hunter2"), true},
		"base64 with a line end":         {"hunter2", enc("hunter2\n"), true},
		"base64 without its line end":    {"hunter2\n", enc("hunter2"), true},
		"base64 without the space ahead": {" hunter2", enc("hunter2"), true},
		"a long line":                    {"first line of the value\nsecond\n", "first line of the value", true},
		"a short word":                   {"1234", "pin=1234, no more", true},
		"a short word in base64":         {"1234", "is " + enc("1234"), true},
		"part of a word":                 {"1234", "01234", false},
		"other text":                     {"hunter2", "hunter3", false},
		"nothing":                        {"", "some words", false},
	} {
		r := sealed(t, head+"# "+row.comment+"\nstringData: {a: "+fmt.Sprintf("%q", row.value)+"}\n", seal.Options{})
		if kept := strings.Contains(string(r.Out), row.comment); kept == row.copied || len(r.Warnings) > 0 != row.copied {
			t.Errorf("%s: kept %v, warnings %v", name, kept, r.Warnings)
		}
	}
}

func TestCopiesInOtherObjectsWarn(t *testing.T) {
	const other = "---\napiVersion: v1\nkind: ConfigMap\n"
	for name, row := range map[string]struct {
		value, text string
		line        int // 0: no warning
	}{
		"comment":               {"hunter2", other + "data: {} # hunter2\n", 8},
		"comment above":         {"hunter2", "---\n# hunter2\napiVersion: v1\nkind: ConfigMap\n", 7},
		"annotation":            {"postgres", other + "metadata: {annotations: {a: x-postgres}}\n", 8},
		"label of its template": {"postgres", "", 3},
		"short annotation":      {"hunter2", other + "metadata: {annotations: {a: hunter2}}\n", 0},
		"data":                  {"correct horse", other + "data: {a: correct horse}\n", 5},
		"data in base64":        {"correct horse", other + "data: {a: Y29ycmVjdCBob3JzZQ==}\n", 5},
		"short data":            {"postgres", other + "data: {a: postgres}\n", 0},
	} {
		start := head
		if row.text == "" {
			start = strings.Replace(head, "name: db,", "name: db, labels: {db: "+row.value+"},", 1)
		}
		r := sealed(t, start+"stringData: {a: "+row.value+"}\n"+row.text, seal.Options{})
		if len(r.Warnings) > 1 || len(r.Warnings) > 0 != (row.line > 0) || row.line > 0 && r.Warnings[0].Line != row.line {
			t.Errorf("%s: warnings %v, want line %d", name, r.Warnings, row.line)
		}
	}
}

// TestManyValuesAreSearchedInOnePass ends the test run by its timeout if each
// value is searched in each document.
func TestManyValuesAreSearchedInOnePass(t *testing.T) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: n%d, namespace: shop}\nstringData:\n", i)
		for j := range 5 {
			fmt.Fprintf(&text, "  k%d: correct horse %d %d\n", j, i, j)
		}
	}
	text.WriteString("---\nkind: ConfigMap\ndata: {a: correct horse 999 4}\n")
	r, err := sealer(t, "rsa").Manifest([]byte(text.String()), seal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Objects) != 1000 || len(r.Warnings) != 1 {
		t.Errorf("%d objects, warnings %v", len(r.Objects), r.Warnings)
	}
}
