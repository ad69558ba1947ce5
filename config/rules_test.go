package config_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fuin.dev/config"
	"fuin.dev/keys"
)

func TestTheFirstRuleThatMatchesCounts(t *testing.T) {
	c, err := config.Parse([]byte(shop))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"overlays/production":           "production",
		"overlays/production/":          "production",
		"./overlays/production/db.yaml": "production",
		"overlays/production/a/b/c":     "production",
		"overlays/x/../production":      "production",
		"overlays/staging/db.yaml":      "staging",
		"overlays/production2":          "staging",
		"overlays":                      "staging",
		"base/db.yaml":                  "",
		".":                             "",
		"":                              "",
		"../overlays/production":        "",
		"/overlays/production":          "",
	} {
		rule, ok := c.RuleFor(path)
		if got := strings.Join(rule.Clusters, " "); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestTheRootIsAPath(t *testing.T) {
	for _, pattern := range []string{".", "**", "./**"} {
		c, err := config.Parse([]byte("version: 1\nrules: [{path: '" + pattern + "'}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.RuleFor("."); !ok {
			t.Errorf("%q does not match the root", pattern)
		}
	}
}

// reference is what a pattern means, said in another way.
func reference(pattern string) *regexp.Regexp {
	var b strings.Builder
	for i, part := range strings.Split(pattern, "/") {
		switch {
		case part == "**" && i == 0:
			b.WriteString("(?:[^/]+(?:/[^/]+)*)?")
			continue
		case part == "**":
			b.WriteString("(?:/[^/]+)*")
			continue
		case i > 0:
			b.WriteString("/")
		}
		for _, r := range part {
			switch r {
			case '*':
				b.WriteString("[^/]*")
			case '?':
				b.WriteString("[^/]")
			default:
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
	}
	return regexp.MustCompile("^/?" + b.String() + "$")
}

func TestPatternsMeanWhatTheySay(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(of []string, most int) string {
		parts := make([]string, 1+random.IntN(most))
		for i := range parts {
			parts[i] = of[random.IntN(len(of))]
		}
		return strings.Join(parts, "/")
	}
	matches := 0
	for range 50_000 {
		pattern := pick([]string{"a", "ab", "b", "*", "a*", "*b", "?", "?b", "**", "**", "a*b*"}, 5)
		path := pick([]string{"a", "b", "ab", "abab", "bb"}, 5)
		c, err := config.Parse([]byte("version: 1\nrules: [{path: '" + pattern + "'}]\n"))
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		_, got := c.RuleFor(path)
		want := reference(pattern).MatchString(path) ||
			strings.HasPrefix(pattern, "**") && reference(pattern).MatchString("/"+path)
		if got != want {
			t.Errorf("seed %d: %q for %q: %v, want %v", seed, pattern, path, got, want)
		}
		if got {
			matches++
		}
	}
	if matches < 1000 {
		t.Errorf("only %d matches: the test looks at nothing", matches)
	}
}

func TestHostilePatternsEnd(t *testing.T) {
	pattern := strings.Repeat("**/a*a*a*/", 40) + "b"
	c, err := config.Parse([]byte("version: 1\nrules:\n" + strings.Repeat("- {path: '"+pattern+"'}\n", 100)))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, ok := c.RuleFor(strings.Repeat("aaaaaaaaaaaaaaaaaaaa/", 200) + "c"); ok {
		t.Error("it matches")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestRecipientsOfACluster(t *testing.T) {
	hybrid, other, classic, rsa := key(t, keys.Hybrid), key(t, keys.Hybrid), key(t, keys.X25519), key(t, keys.RSA)
	public := func(ids ...*keys.Identity) (out string) {
		for _, id := range ids {
			out += string(id.Recipient().Marshal())
		}
		return out
	}
	files := map[string]string{
		"hybrid": public(hybrid), "other": "# of the other region\n" + public(other), "classic": public(classic), "rsa": public(rsa),
		"mixed": public(hybrid, classic), "private": string(hybrid.Marshal()), "long": strings.Repeat("#", 256<<10+1),
	}
	for name, c := range map[string]struct {
		recipients, recovery string
		want                 []*keys.Identity
		err                  string
	}{
		"one":                {"hybrid", "", []*keys.Identity{hybrid}, ""},
		"two files":          {"other, hybrid", "", []*keys.Identity{other, hybrid}, ""},
		"with recovery":      {"hybrid", other.Recipient().String(), []*keys.Identity{hybrid}, ""},
		"RSA, with recovery": {"rsa", other.Recipient().String(), []*keys.Identity{rsa}, ""},
		"classic recovery":   {"hybrid", classic.Recipient().String(), nil, ".fuin.yaml: line 3: the recipients of cluster c: a hybrid"},
		"a mixed file":       {"mixed", "", nil, "mixed: cluster c: a hybrid recipient mixed"},
		"mixed files":        {"hybrid, rsa", "", nil, "a certificate mixed"},
		"missing":            {"hybrid, none", "", nil, "none: missing; .fuin.yaml names it for cluster c"},
		"private":            {"private", "", nil, "private: cluster c: an age identity"},
		"long":               {"long", "", nil, "long: more than 262144 bytes"},
		"a directory":        {"dir", "", nil, "dir: no regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			files["dir/file"] = ""
			conf, err := config.Parse([]byte("version: 1\nclusters: {\n c: {recipients: [" + c.recipients + "]}}\nrecovery: [" + c.recovery + "]\n"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := conf.Recipients("c", repository(files), now)
			var e *config.Error
			switch {
			case c.err != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.err)):
				t.Errorf("got %v, want %q", err, c.err)
			case c.err == "" && err != nil:
				t.Error(err)
			case name == "missing" && (!errors.Is(err, fs.ErrNotExist) || !strings.Contains(e.Hint(), "fuin keys sync")):
				t.Errorf("a missing file: %v, hint %q", err, e.Hint())
			case !slices.EqualFunc(got, c.want, func(r *keys.Recipient, id *keys.Identity) bool { return r.Fingerprint() == id.Fingerprint() }):
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	staging, production, recovery, expired := key(t, keys.Hybrid), key(t, keys.Hybrid), key(t, keys.Hybrid), key(t, keys.RSA)
	files := repository(map[string]string{
		"keys/staging.txt":    string(staging.Recipient().Marshal()),
		"keys/production.txt": string(production.Recipient().Marshal()),
		"keys/old.pem":        string(expired.Recipient().Marshal()),
		"keys/bad.txt":        "nonsense",
	})
	c, err := config.Parse([]byte(`version: 1
clusters:
  staging: {recipients: [keys/staging.txt]}
  production: {recipients: [keys/production.txt]}
  old: {recipients: [keys/old.pem]}
  broken: {recipients: [keys/bad.txt]}
recovery: [` + recovery.Recipient().String() + `]
rules:
  - {path: production/**, clusters: [production]}
  - {path: both/**, clusters: [staging, production]}
  - {path: old/**, clusters: [old]}
  - {path: broken/**, clusters: [broken]}
  - {path: partly/**, clusters: [broken, staging]}
  - {path: anywhere/**, namespace: shop}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		path    string
		ring    *keys.Identity
		foreign bool
		fails   bool
	}{
		{"production", production, false, false},
		{"production", staging, true, false},
		{"production/deep", staging, true, false},
		{"production", recovery, true, false},
		{"both", staging, false, false},
		{"both", production, false, false},
		{"both", expired, true, false},
		{"old", expired, false, false},
		{"old", staging, true, false},
		{"broken", staging, false, true},
		{"partly", staging, false, false},
		{"partly", production, false, true},
		{"anywhere", production, false, false},
		{"unruled", production, false, false},
	} {
		clusters, foreign, err := c.ForeignTo(row.path, files, func(f string) bool { return f == row.ring.Fingerprint() })
		if foreign != row.foreign || (err != nil) != row.fails {
			t.Errorf("%s: foreign %v, error %v", row.path, foreign, err)
		}
		if row.foreign && len(clusters) == 0 {
			t.Errorf("%s: foreign, and no cluster named", row.path)
		}
	}
}

func TestNoSymbolicLinkLeavesTheRepository(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside.txt")
	repo := filepath.Join(dir, "repo")
	id := key(t, keys.Hybrid)
	if err := errors.Join(
		os.WriteFile(outside, id.Recipient().Marshal(), 0o600), os.Mkdir(repo, 0o700),
		os.Symlink(outside, filepath.Join(repo, "k.txt")),
	); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(repo)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c, err := config.Parse([]byte("version: 1\nclusters: {c: {recipients: [k.txt]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if rs, err := c.Recipients("c", root.FS(), now); err == nil {
		t.Errorf("read %v", rs)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(shop), "overlays/production")
	f.Add([]byte("version: 1\nrules: [{path: '[a-', clusters: [b]}]"), "a")
	f.Add([]byte("version: 1\nclusters: {a: {recipients: [../x]}}\n"), "..")
	f.Add([]byte("? [a]\n: {{b}}\n"), "")
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		c, err := config.Parse(data)
		var e *config.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Errorf("an error of type %T", err)
			}
			return
		}
		for _, cluster := range c.Clusters {
			for _, file := range cluster.Recipients {
				if !fs.ValidPath(file) {
					t.Errorf("a file outside: %s", strconv.Quote(file))
				}
			}
		}
		rule, ok := c.RuleFor(path)
		if ok && rule.Path == "" {
			t.Error("a rule without path")
		}
		_, _, _ = c.ForeignTo(path, repository(nil), func(string) bool { return false })
	})
}
