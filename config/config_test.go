package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"fuin.dev/config"
	"fuin.dev/keys"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func key(t testing.TB, kind keys.Kind) *keys.Identity {
	t.Helper()
	id, err := keys.Generate(kind, now, 24*time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func repository(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, content := range files {
		out[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return out
}

const shop = `version: 1
clusters:
  staging:    {recipients: [keys/staging.txt], context: stg}
  production: {recipients: [./keys/production.txt], context: prd}
rules:
  - {path: overlays/production/**, clusters: [production], namespace: production, scope: strict}
  - {path: overlays/**, clusters: [staging]}
check: {render: [overlays/*], baseline: .fuin-baseline.json}
`

func TestReadsTheWholeFile(t *testing.T) {
	c, err := config.Read(repository(map[string]string{config.File: shop}))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Clusters) != 2 || c.Clusters[0].Name != "staging" || c.Clusters[1].Context != "prd" ||
		!slices.Equal(c.Clusters[1].Recipients, []string{"keys/production.txt"}) {
		t.Errorf("clusters: %+v", c.Clusters)
	}
	if r := c.Rules[0]; r.Path != "overlays/production/**" || r.Namespace != "production" || r.Scope != "strict" || r.Line != 6 {
		t.Errorf("first rule: %+v", r)
	}
	if !slices.Equal(c.Check.Render, []string{"overlays/*"}) || c.Check.Baseline != ".fuin-baseline.json" {
		t.Errorf("check: %+v", c.Check)
	}
}

func TestNoFileIsTold(t *testing.T) {
	if _, err := config.Read(repository(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	rules := func(rule string) string {
		return "version: 1\nclusters:\n  production: {recipients: [k.txt]}\nrules:\n  - " + rule + "\n"
	}
	for name, c := range map[string]struct{ text, want, hint string }{
		"empty":             {"", "it is empty", "version: 1"},
		"only comments":     {"# nothing\n", "it is empty", "version: 1"},
		"no version":        {"rules: []\n", "no version", "version: 1"},
		"a newer version":   {"version: 2\n", "line 1: version 2", "newer fuin"},
		"version as text":   {"version: \"1\"\n", "no number", "version: 1"},
		"a list":            {"- version: 1\n", "line 1: a list, where fields", ""},
		"no YAML":           {"version: 1\nrules: [\n", "no YAML", ""},
		"two documents":     {"version: 1\n---\nversion: 1\n", "more than one document", ""},
		"a misspelled rule": {"version: 1\nrulse: []\n", `line 2: unknown field "rulse"`, "did you mean rules?"},
		"a misspelled path": {rules("{pth: a, clusters: [production]}"), `line 5: unknown field "pth"`, "did you mean path?"},
		"a field of old":    {"version: 1\nwhatever: 1\n", `unknown field "whatever"`, "known are check, clusters, defaults, recovery, rules, version"},
		"twice":             {"version: 1\nversion: 1\n", `line 2: "version" stands twice`, "keep one"},
		"anchor":            {"version: 1\nrules: &a []\n", "line 2: an anchor", "write it out"},
		"merge":             {"version: 1\n<<: {rules: []}\n", "where a field's name belongs", ""},
		"cluster unknown":   {rules("{path: a, clusters: [prodution]}"), `line 5: the rule for a names cluster "prodution"`, "did you mean production?"},
		"no path":           {rules("{clusters: [production]}"), "a rule without path", "**"},
		"path outside":      {rules("{path: ../a}"), "no pattern", "root"},
		"path from /":       {rules("{path: /a}"), "no pattern", "root"},
		"bad class":         {rules("{path: 'a[b'}"), "no pattern", "root"},
		"braces":            {rules("{path: 'a/{b,c}'}"), "braces", "a rule for each"},
		"slash at the end":  {rules("{path: a/}"), "ends with a slash", "a/**"},
		"two stars beside":  {rules("{path: a**/b}"), "** beside", "alone"},
		"scope":             {rules("{path: a, scope: strikt}"), `"strikt" is no scope`, "strict, namespace-wide"},
		"namespace":         {rules("{path: a, namespace: A_b}"), "no namespace", ""},
		"number as text":    {rules("{path: a, namespace: 12}"), "where text belongs", "quotes"},
		"cluster's name":    {"version: 1\nclusters: {'a b': {recipients: [k]}}\n", "no name for a cluster", "letters"},
		"no recipients":     {"version: 1\nclusters: {a: {context: b}}\n", "cluster a has no recipients", "fuin keys sync"},
		"recipient outside": {"version: 1\nclusters: {a: {recipients: [../../etc/passwd]}}\n", "no path in the repository", "root"},
		"recipient at /":    {"version: 1\nclusters: {a: {recipients: [/etc/passwd]}}\n", "no path in the repository", "root"},
		"recipients a word": {"version: 1\nclusters: {a: {recipients: k.txt}}\n", "where a list belongs", "[a, b]"},
		"recovery":          {"version: 1\nrecovery: [nonsense]\n", "line 2: recovery: no public key", "age1"},
		"too many rules":    {"version: 1\nrules:\n" + strings.Repeat("- {path: a}\n", 257), "a list of more than 256", ""},
		"too large":         {"version: 1\n#" + strings.Repeat("x", 64<<10), "more than 65536 bytes", ""},
		"too deep":          {"version: 1\nrules: " + strings.Repeat("[", 30000), "no YAML", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.text, c.want, c.hint) })
	}
}

func refused(t *testing.T, text, want, hint string) {
	t.Helper()
	_, err := config.Read(repository(map[string]string{config.File: text}))
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if !strings.HasPrefix(err.Error(), config.File+": ") || !strings.Contains(err.Error(), want) || !strings.Contains(e.Hint(), hint) {
		t.Errorf("got %q, hint %q\nwant %q, hint %q", err, e.Hint(), want, hint)
	}
}

func TestAPrivateKeyIsRefusedAndNotQuoted(t *testing.T) {
	secret := strings.TrimSpace(string(key(t, keys.X25519).Marshal()))
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "AGE-SECRET") {
			secret = line
		}
	}
	_, err := config.Parse([]byte("version: 1\nrecovery: [" + secret + "]\n"))
	if err == nil || !strings.Contains(err.Error(), "private key") || strings.Contains(err.Error(), secret[:24]) {
		t.Errorf("got %v", err)
	}
}

func TestReadsRecoveryKeys(t *testing.T) {
	a, b := key(t, keys.Hybrid).Recipient(), key(t, keys.X25519).Recipient()
	c, err := config.Parse(fmt.Appendf(nil, "version: 1\nrecovery: [%s]\n", a))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Recovery) != 1 || c.Recovery[0].Fingerprint() != a.Fingerprint() {
		t.Errorf("got %v", c.Recovery)
	}
	if _, err := config.Parse(fmt.Appendf(nil, "version: 1\nrecovery: [%s, %s]\n", a, b)); err == nil || !strings.Contains(err.Error(), "mixed") {
		t.Errorf("a mixture: %v", err)
	}
}

func TestFindGoesUpToTheRepositorysRoot(t *testing.T) {
	dir := t.TempDir()
	write := func(parts ...string) {
		t.Helper()
		name := filepath.Join(append([]string{dir}, parts...)...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(config.File) // above the repository
	write("repo", ".git", "HEAD")
	write("repo", "deep", "er", "a.yaml")
	find := func(parts ...string) string {
		t.Helper()
		found, err := config.Find(filepath.Join(append([]string{dir}, parts...)...))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return found
	}
	if got := find("repo", "deep", "er"); got != "" {
		t.Errorf("above the repository: %s", got)
	}
	write("repo", config.File)
	for _, from := range [][]string{{"repo"}, {"repo", "deep", "er"}, {"repo", "deep", "er", "a.yaml"}, {"repo", "new.yaml"}} {
		if got := find(from...); got != filepath.Join(dir, "repo") {
			t.Errorf("from %q: %s", from, got)
		}
	}
	write("repo", "deep", config.File)
	if got := find("repo", "deep", "er"); got != filepath.Join(dir, "repo", "deep") {
		t.Errorf("the nearest: %s", got)
	}
	write("loose", "below", "a.yaml")
	if got := find("loose", "below"); got != dir {
		t.Errorf("outside of a repository: %s", got)
	}
	write("loose", config.File)
	if got := find("loose", "below", "a.yaml"); got != filepath.Join(dir, "loose") {
		t.Errorf("outside of a repository, the nearest: %s", got)
	}
	if os.Getuid() != 0 {
		return // only root can give files away
	}
	for _, name := range []string{dir, filepath.Join(dir, "loose")} {
		if err := os.Lchown(filepath.Join(name, config.File), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if got := find("loose", "below"); got != "" {
		t.Errorf("outside of a repository, of somebody else: %s", got)
	}
	if got := find("loose", "a.yaml"); got != filepath.Join(dir, "loose") {
		t.Errorf("outside of a repository, beside the file: %s", got)
	}
	if got := find("repo"); got != filepath.Join(dir, "repo") {
		t.Errorf("in a repository: %s", got)
	}
}
