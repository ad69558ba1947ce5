package check_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fuin.dev/check"
	"github.com/rogpeppe/go-internal/txtar"
)

// A case is a few files of a repository, why they are in the corpus, and what
// is to be found in them.
type corpusCase struct {
	name, reason string
	files        []txtar.File
	want         []string
}

func readCorpus(t *testing.T, dir string, atLeast int) (cases []corpusCase) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("../testdata", dir, "*.txtar"))
	if err != nil || len(names) < atLeast {
		t.Fatalf("%d cases in testdata/%s, want %d at least (%v)", len(names), dir, atLeast, err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := corpusCase{name: strings.TrimSuffix(filepath.Base(name), ".txtar"), files: archive.Files}
		for line := range strings.Lines(string(archive.Comment)) {
			line = strings.TrimSpace(line)
			if want, ok := strings.CutPrefix(line, "want: "); ok {
				c.want = append(c.want, want)
			} else if c.reason == "" {
				c.reason = line
			}
		}
		if c.reason == "" || len(c.files) == 0 {
			t.Errorf("%s: a case needs a reason and files", name)
		}
		cases = append(cases, c)
	}
	return cases
}

// found checks the files as those of one repository.
func (c corpusCase) found() (found []string) {
	checker := check.Checker{Exists: func(name string) bool {
		return slices.ContainsFunc(c.files, func(f txtar.File) bool { return f.Name == name })
	}}
	for _, file := range c.files {
		for _, f := range checker.File(file.Name, file.Data, nil).Findings {
			found = append(found, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s", f.File, f.Line, f.Rule, f.Key)))
		}
	}
	return found
}

func TestEveryLeakIsFound(t *testing.T) {
	for _, c := range readCorpus(t, "leaks", 40) {
		if len(c.want) == 0 {
			t.Errorf("%s: nothing is to be found", c.name)
		}
		found := c.found()
		for _, want := range c.want {
			if !slices.Contains(found, want) {
				t.Errorf("%s (%s): missed %s", c.name, c.reason, want)
			}
		}
		for _, f := range found {
			if !slices.Contains(c.want, f) {
				t.Errorf("%s (%s): found, beside what was to be, %s", c.name, c.reason, f)
			}
		}
	}
}

func TestNoLookAlikeIsFlagged(t *testing.T) {
	for _, c := range readCorpus(t, "lookalikes", 40) {
		for _, f := range c.found() {
			t.Errorf("%s (%s): flagged %s", c.name, c.reason, f)
		}
	}
}
