package check_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/check"
)

func TestUnchangedDocumentsAreNotReported(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\nstringData: {a: hunter2}\n"
	before := fmt.Sprintf(secret, "one") + "---\n" + fmt.Sprintf(secret, "two")
	after := "# more\n" + fmt.Sprintf(secret, "one") + "---\n" + fmt.Sprintf(secret, "two") + "---\n" + fmt.Sprintf(secret, "three")
	var c check.Checker
	for _, row := range []struct {
		file, data, before string
		want               []int
	}{
		{"a.yaml", before, before, nil},
		{"a.yaml", after, before, []int{5, 15}},
		{"a.yaml", before, after, []int{4}}, // its comment is gone
		{"a.yaml", before, "", []int{4, 9}},
		{"a.env", "DB_PASSWORD=hunter2\nTOKEN_SECRET=9f8e7d6c5b\n", "DB_PASSWORD=hunter2\n", []int{2}},
		{"a.yaml", "key: AKIA4XKJ2MQZ7TNEWABC", "key: AKIA4XKJ2MQZ7TNEWABC", nil}, // without a line end
		{"app", "\x00\nAKIA4XKJ2MQZ7TNEWABC\nAKIA4XKJ2MQZ7TNEWABD\n", "AKIA4XKJ2MQZ7TNEWABC\n", []int{3}},
		{"id", "x\nAKIA4XKJ2MQZ7TNEWABC\n", "AKIA4XKJ2MQZ7TNEWABC\n", nil},
	} {
		var got []int
		for _, f := range c.File(row.file, []byte(row.data), []byte(row.before)).Findings {
			got = append(got, f.Line)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: lines %v, want %v", row.file, got, row.want)
		}
	}
}

func TestWhatIsNotReadIsSaid(t *testing.T) {
	var c check.Checker
	key := "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n"
	for name, row := range map[string]struct {
		file, data, said string
		rules            []string
	}{
		"a large file":     {"big.yaml", key + strings.Repeat("a: b\n", check.MaxFile/5), "larger than 8 MiB", []string{check.PrivateKey}},
		"a binary":         {"app", "\x7fELF\x00" + key, "", []string{check.PrivateKey}},
		"a binary as YAML": {"a.yaml", "a: \x00", "binary", nil},
		"not UTF-8":        {"a.yaml", "password: hunter2 \xff\n", "binary", nil},
		"many findings":    {"a.yaml", "a:\n" + strings.Repeat("- password: hunter2\n", 2000), "more than 1000 findings", nil},
	} {
		report := c.File(row.file, []byte(row.data), nil)
		if !strings.Contains(report.Passed, row.said) || row.said == "" && report.Passed != "" {
			t.Errorf("%s: said %q, want %q", name, report.Passed, row.said)
		}
		for _, rule := range row.rules {
			if !slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return f.Rule == rule }) {
				t.Errorf("%s: %s was not found", name, rule)
			}
		}
	}
}

// Each of these takes as long as a file of its size, or is cut short.
func TestHostileFilesEnd(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	nested := "password: &p\n  x: 1\n"
	for i := range 3 {
		nested = "k: |\n  " + strings.ReplaceAll(nested, "\n", "\n  ") + fmt.Sprintf("\ntoken%d: ''\n", i)
	}
	for name, data := range map[string]string{
		"a bomb of aliases":   bomb + "password: *a12\n",
		"an alias of itself":  "kind: Secret\nmetadata: {}\nstringData: &a\n  <<: *a\n  b: *a\n",
		"deep lists":          "token: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"deep lists, cut":     "token: " + strings.Repeat("[", 100_000),
		"deep mappings":       strings.Repeat("{token: ", 5000) + strings.Repeat("}", 5000),
		"a long line":         "password: " + strings.Repeat("password=a ", 50_000),
		"many documents":      strings.Repeat("---\ntoken: \n", 52_000),
		"many headers":        strings.Repeat("-----BEGIN PRIVATE KEY-----", 50_000),
		"many URLs":           strings.Repeat("a://b:c", 100_000),
		"many braces":         "{{ secret " + strings.Repeat("{", 300_000),
		"many comments":       strings.Repeat("# token: x\n", 30_000),
		"documents in values": nested,
		"many values":         "kind: Secret\nmetadata: {}\nstringData:\n" + numbered(5_000, "  k%d: value-%d\n") + numbered(5_000, "# %d comment %d\n"),
		"quotes":              "a: " + strings.Repeat(`"password='`, 50_000),
	} {
		var c check.Checker
		for _, file := range []string{"a.yaml", "a.env", "a.tf"} {
			start := time.Now()
			c.File(file, []byte(data), nil)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%s as %s: %v", name, file, took)
			}
		}
	}
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i, i)
	}
	return b.String()
}

// canary is a value that nothing may show.
const canary = "Xk7-canary-Q9z"

// No finding tells a value, whichever file it stands in and however it is
// damaged. Keys are told: those that are values of another key may not be.
func FuzzFindingsTellNoValue(f *testing.F) {
	for _, dir := range []string{"leaks", "lookalikes"} {
		for _, c := range readCorpus(f, dir, 40) {
			for _, file := range c.files {
				f.Add(file.Name, bytes.ReplaceAll(file.Data, []byte("hunter2"), []byte(canary)), 0)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte, cut int) {
		if cut > 0 && cut < len(data) {
			data = data[:cut]
		}
		checker := check.Checker{Exists: func(string) bool { return true }}
		report := checker.File(name, data, nil)
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, found := range report.Findings {
			if found.Line < 1 || found.Line > lines {
				t.Errorf("line %d of %d", found.Line, lines)
			}
			if found.Rule == "" || found.Message == "" || found.File != name {
				t.Errorf("half a finding: %+v", found)
			}
			if said := found.Object + found.Key + found.Message + found.Hint; strings.Contains(said, canary) && !strings.Contains(name, canary) {
				t.Errorf("%s shows a value: %s", found.Rule, said)
			}
		}
		again := checker.File(name, data, data)
		if len(again.Findings) > 0 && len(report.Findings) < 1000 {
			t.Errorf("of a file that did not change: %+v", again.Findings)
		}
	})
}

// Every leak of the corpus is cut short at each of its bytes: nothing panics.
func TestDamagedFiles(t *testing.T) {
	var c check.Checker
	for _, leak := range readCorpus(t, "leaks", 40) {
		for _, file := range leak.files {
			step := max(1, len(file.Data)/200)
			for i := 0; i < len(file.Data); i += step {
				c.File(file.Name, file.Data[:i], nil)
			}
			c.File("other.txt", file.Data, nil)
			c.File("x.tpl", append([]byte("{{ x }}: {\n"), file.Data...), nil)
		}
	}
}
