package check_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/check"
	"fuin.dev/config"
	"github.com/rogpeppe/go-internal/txtar"
)

// A case is a few files of a repository, why they are in the corpus, and what
// is to be found in them.
type corpusCase struct {
	name, reason string
	files        []txtar.File
	want         []string
}

func readCorpus(t testing.TB, dir string, atLeast int) (cases []corpusCase) {
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

// The sample repositories are written as people write theirs, with all that is
// named like a secret and is none.
func TestNoFalseAlarmInWholeRepositories(t *testing.T) {
	for name, atLeast := range map[string]int{"bookshop": 20, "umbrella": 10, "appofapps": 10, "chart": 10, "jsonnet": 5} {
		files := os.DirFS(filepath.Join("../testdata/repos", name))
		checker := check.Checker{Config: readConfig(t, files), Exists: func(file string) bool {
			_, err := fs.Stat(files, file)
			return err == nil
		}}
		checker.Clusters = clustersOf(t, checker.Config, files)
		read := 0
		err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(files, file)
			read++
			report := checker.File(file, data, nil)
			for _, f := range report.Findings {
				t.Errorf("%s: %s:%d %s %s: %s", name, f.File, f.Line, f.Rule, f.Key, f.Message)
			}
			if report.Passed != "" && path.Ext(file) != ".tgz" {
				t.Errorf("%s: %s was not read: %s", name, file, report.Passed)
			}
			return err
		})
		if err != nil || read < atLeast {
			t.Errorf("%s: %d files, want %d at least (%v)", name, read, atLeast, err)
		}
	}
}

func readConfig(t *testing.T, files fs.FS) *config.Config {
	t.Helper()
	c, err := config.Read(files)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return c
}

func clustersOf(t *testing.T, c *config.Config, files fs.FS) map[string][]string {
	t.Helper()
	if c == nil {
		return nil
	}
	out := map[string][]string{}
	for _, cluster := range c.Clusters {
		rs, err := c.Recipients(cluster.Name, files, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			out[r.Fingerprint()] = append(out[r.Fingerprint()], cluster.Name)
		}
	}
	return out
}
