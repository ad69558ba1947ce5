// Package check finds plaintext secrets in the files of a repository, and
// sealed ones that will not open where they stand.
//
//	c := check.Checker{}
//	report := c.File("overlays/production/db.yaml", data, nil)
//
// It reads manifests and whatever else is kept beside them: kustomizations,
// Helm values and templates, Argo CD Applications, Jsonnet, Terraform, env
// files. A finding names file, line, object, key and rule, and never a value.
// Input need not be trusted: everything is bounded, nothing panics.
package check

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"fuin.dev/config"
	"fuin.dev/seal"
)

// A Severity tells whether a finding ought to stop a commit.
type Severity string

// The severities.
const (
	Error  Severity = "error"
	Advice Severity = "advice" // worth a look; nothing proves it
)

// A Finding is something in a file that ought not be there.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`   // from 1
	Column   int      `json:"column"` // from 1, in characters; 0 is unknown
	Object   string   `json:"object,omitempty"`
	Key      string   `json:"key,omitempty"`
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"` // goes on where the position ends
	Hint     string   `json:"hint,omitempty"`
	// Commit of a finding in the history, Directory of one in what it renders to.
	Commit    string `json:"commit,omitempty"`
	Directory string `json:"directory,omitempty"`

	within []int // lines of what encloses it, where a comment may allow it
	last   int   // line where its value ends
}

// MaxFile bounds what is read of a file, in bytes.
const MaxFile = 8 << 20

// maxFindings bounds those of one file.
const maxFindings = 1000

// A Checker checks files. The zero value is for use; it may be used by several
// goroutines.
type Checker struct {
	// Config is what .fuin.yaml says; may be nil.
	Config *config.Config
	// Exists reports whether a path is a file of the repository that is checked;
	// nil says that none is. It tells whether what a secretGenerator names is
	// committed.
	Exists func(name string) bool
	// Clusters are the names of the clusters a fingerprint is known for; nil
	// leaves out what only they tell.
	Clusters map[string][]string
	// Former are the clusters' former keys, by fingerprint.
	Former map[string][]config.Former
	// Final tells where kustomizations put an object of a file; ok is false if
	// they do not agree, or cannot be read. nil is for files that are applied as
	// they are.
	Final func(name string, scope seal.Scope, object Place) (final Place, ok bool)
}

// Place is where an object stands.
type Place struct{ Namespace, Name string }

// A Report is what a check of one file gave.
type Report struct {
	Findings []Finding
	// Passed tells why the file, or part of it, was not read; "" if it was.
	Passed string
}

// File checks a file by its path in the repository, slashes between its parts.
// Of a file that was there before, only the documents that changed are
// reported, and of one that has no documents the lines; before is nil for a
// new file, or to report everything.
func (c *Checker) File(name string, data, before []byte) Report {
	f := &file{Checker: c, name: name, kind: kindOf(name), data: data}
	switch {
	case len(data) > MaxFile:
		f.passed = fmt.Sprintf("larger than %d MiB; only keys and tokens are looked for, in its first part", MaxFile>>20)
		f.data = data[:MaxFile]
		f.keep(before)
		f.patterns()
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		f.keep(before)
		f.binary()
	case f.kind == yamlFile:
		f.manifests(before)
	default:
		f.keep(before)
		f.text()
	}
	return f.report()
}

// file is one that is checked.
type file struct {
	*Checker
	name   string
	kind   fileKind
	data   []byte
	found  []Finding
	passed string
	lines  [][]byte // of data, once they are asked for

	unchanged [][2]int // lines of documents that are as they were
	kept      map[string]bool
}

// keep notes the lines that a file had before: they are not reported again.
func (f *file) keep(before []byte) {
	if before == nil {
		return
	}
	f.kept = map[string]bool{}
	for line := range bytes.SplitSeq(before, []byte("\n")) {
		f.kept[string(bytes.TrimSuffix(line, []byte("\r")))] = true
	}
}

// binary looks for keys in what is no text.
func (f *file) binary() {
	if f.kind == yamlFile {
		f.passed = "binary, not text"
	}
	f.patterns()
}

// line is a line of the file, from 1, without its end.
func (f *file) line(n int) []byte {
	if f.lines == nil {
		f.lines = bytes.Split(f.data, []byte("\n"))
	}
	if n < 1 || n > len(f.lines) {
		return nil
	}
	return bytes.TrimSuffix(f.lines[n-1], []byte("\r"))
}

func (f *file) add(found Finding) {
	if len(f.found) == maxFindings {
		f.passed = cmp.Or(f.passed, fmt.Sprintf("more than %d findings; the rest is left out", maxFindings))
		return
	}
	rule := ruleNamed(found.Rule)
	found.File = f.name
	found.Severity = cmp.Or(found.Severity, rule.Severity)
	if found.Rule == HelmValues && found.Object != "" {
		found.Hint = cmp.Or(found.Hint, elsewhereHint(found))
	}
	found.Hint = strings.ReplaceAll(cmp.Or(found.Hint, rule.Hint), "FILE", f.name)
	found.last = max(found.last, found.Line)
	f.found = append(f.found, found)
}

// report leaves out what is allowed, what did not change, and what another
// finding says better.
func (f *file) report() Report {
	lines := bytes.Count(f.data, []byte("\n")) + 1
	for i := range f.found { // YAML ends lines with a lone carriage return, too
		f.found[i].Line = min(f.found[i].Line, lines)
	}
	f.allow()
	slices.SortStableFunc(f.found, func(a, b Finding) int {
		return cmp.Or(a.Line-b.Line, priority(a)-priority(b), a.Column-b.Column)
	})
	var out []Finding
	for _, found := range f.found {
		covered := slices.ContainsFunc(out[max(0, len(out)-50):], func(other Finding) bool { return other.covers(found) })
		if !covered && f.changed(found) && !f.allows(found) {
			out = append(out, found)
		}
	}
	return Report{Findings: out, Passed: f.passed}
}

// covers reports whether a finding says what another, found by a look at the
// text alone, says less well.
func (found Finding) covers(other Finding) bool {
	if other.Line < found.Line || other.Line > found.last {
		return false
	}
	same := found.Line == other.Line && found.Column == other.Column && found.Key == other.Key
	return same || priority(other) > priority(found) && IsPlaintext(found.Rule) && IsPlaintext(other.Rule)
}

// priority orders findings of one line: the structure knows more than a
// pattern does, and a pattern more than a comment.
func priority(f Finding) int {
	switch f.Rule {
	case PrivateKey, AgeIdentity, KnownToken, URLCredentials:
		return 1
	case Comment:
		return 2
	}
	return 0
}

// IsPlaintext reports whether a rule is about a value that can be read.
func IsPlaintext(rule string) bool { return ruleNamed(rule).Plaintext }

func (f *file) allows(found Finding) bool {
	return f.Config != nil && f.Config.Check.Allows(f.name, found.Rule)
}

func (f *file) changed(found Finding) bool {
	for _, span := range f.unchanged {
		if found.Line >= span[0] && found.Line <= span[1] {
			return false
		}
	}
	return f.kept == nil || !f.kept[string(f.line(found.Line))]
}

// fileKind is how a file is read.
type fileKind int

const (
	otherFile fileKind = iota // by its patterns alone
	yamlFile                  // and JSON, also in templates
	envFile                   // KEY=VALUE lines
	jsonnetFile
	terraformFile
	scriptFile
)

var kindsByExtension = map[string]fileKind{
	".yaml": yamlFile, ".yml": yamlFile, ".json": yamlFile, ".tpl": yamlFile, ".gotmpl": yamlFile,
	".env": envFile, ".properties": envFile, ".ini": envFile, ".conf": envFile, ".cfg": envFile, ".toml": envFile, ".envrc": envFile,
	".jsonnet": jsonnetFile, ".libsonnet": jsonnetFile,
	".tf": terraformFile, ".tfvars": terraformFile, ".hcl": terraformFile,
	".sh": scriptFile, ".bash": scriptFile,
}

func kindOf(name string) fileKind {
	base := strings.ToLower(path.Base(name))
	switch {
	case base == ".env" || strings.HasPrefix(base, ".env."), base == ".npmrc", base == "env":
		return envFile
	case name == "-", strings.HasSuffix(base, ".tfvars.json"): // standard input takes manifests
		return yamlFile
	case base == "dockerfile" || strings.HasPrefix(base, "dockerfile."), base == "makefile":
		return scriptFile
	}
	return kindsByExtension[path.Ext(strings.TrimSuffix(base, ".j2"))]
}

// isSample tells of files that show what belongs into another one.
func isSample(name string) bool {
	base := strings.ToLower(path.Base(name))
	return slices.ContainsFunc([]string{"example", "sample", "template", "dist"}, func(word string) bool {
		return strings.HasSuffix(base, "."+word) || strings.Contains(base, "."+word+".")
	})
}
