package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"fuin.dev/config"
	"fuin.dev/keys"
)

// rsaFor is a certificate that ends so long from now.
func rsaFor(t *testing.T, valid time.Duration) string {
	t.Helper()
	id, err := keys.GenerateRSA(keys.MinRSABits, time.Now(), valid, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(id.Recipient().Marshal())
}

func fingerprintOf(t *testing.T, public string) string {
	t.Helper()
	rs, err := keys.ParsePublic([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	return rs[0].Fingerprint()
}

func TestValidate(t *testing.T) {
	hybrid, second := string(key(t, keys.Hybrid).Recipient().Marshal()), string(key(t, keys.Hybrid).Recipient().Marshal())
	classic := string(key(t, keys.X25519).Recipient().Marshal())
	former := string(keys.Former{Fingerprint: key(t, keys.Hybrid).Fingerprint(), Kind: keys.Hybrid, Fate: keys.WasRetired}.Marshal())
	ofHybrid := string(keys.Former{Fingerprint: fingerprintOf(t, hybrid), Kind: keys.Hybrid, Fate: keys.WasRevoked}.Marshal())
	files := map[string]string{
		"keys/former.txt": hybrid + former, "keys/again.txt": hybrid + ofHybrid, "keys/given-up.txt": second + ofHybrid,
		"keys/odd.txt": hybrid + "# former key: of the test\n",
		"keys/a.txt":   hybrid, "keys/b.txt": second, "keys/classic.txt": classic, "keys/bad.txt": "nonsense",
		"keys/valid.pem":   rsaFor(t, 365*24*time.Hour),
		"keys/ending.pem":  rsaFor(t, 5*24*time.Hour),
		"keys/ended.pem":   rsaFor(t, -time.Minute),
		"keys/both.txt":    rsaFor(t, -time.Minute) + hybrid,
		"keys/mixture.txt": hybrid + classic,
		"prod/db.yaml":     "", "prod/deep/er/x": "", "staging/db.yaml": "", ".git/only/here": "",
	}
	head := "version: 1\nclusters:\n  a: {recipients: [keys/a.txt]}\n"
	for name, c := range map[string]struct {
		text string
		want []string // LINE RULE SEVERITY, and a part of the message
	}{
		"nothing":            {head + "rules: [{path: prod/**, clusters: [a]}]\n", nil},
		"a file of both":     {"version: 1\nclusters: {a: {recipients: [keys/both.txt]}}\nrules: [{path: prod/**, clusters: [a]}]\n", nil},
		"invalid":            {"version: 1\nrulse: []\n", []string{"2 invalid error unknown field"}},
		"unknown cluster":    {head + "rules: [{path: prod/**, clusters: [b]}]\n", []string{`4 invalid error names cluster "b"`}},
		"mixed recovery":     {"version: 1\nrecovery: [" + strings.TrimSpace(hybrid) + ", " + strings.TrimSpace(classic) + "]\n", []string{"2 invalid error mixed"}},
		"unmatched":          {head + "rules:\n  - {path: prod/**, clusters: [a]}\n  - {path: prodution/**, clusters: [a]}\n", []string{"6 unmatched-rule error no path matches prodution/**"}},
		"only in .git":       {head + "rules:\n  - {path: prod/**, clusters: [a]}\n  - {path: .git/**, clusters: [a]}\n", []string{"6 unmatched-rule error"}},
		"a directory counts": {head + "rules:\n  - {path: prod/deep, clusters: [a]}\n", nil},
		"unreached":          {head + "rules:\n  - {path: '**', clusters: [a]}\n  - {path: prod/**, clusters: [a]}\n", []string{"6 unreached-rule error match ** before it"}},
		"unreached by two":   {head + "rules:\n  - {path: prod/deep/**, clusters: [a]}\n  - {path: prod/**, clusters: [a]}\n  - {path: prod/**/x, clusters: [a]}\n  - {path: prod/*/*/x, clusters: [a]}\n", []string{"7 unreached-rule error match prod/deep/** before it", "8 unreached-rule error match prod/deep/** before it"}},
		"unreached, no path": {head + "rules:\n  - {path: prod/**, clusters: [a]}\n  - {path: prod/none/*/**, clusters: [a]}\n", []string{"6 unreached-rule error prod/**"}},
		"not covered":        {head + "rules:\n  - {path: prod/*, clusters: [a]}\n  - {path: prod/none/**, clusters: [a]}\n", []string{"6 unmatched-rule error"}},
		"unused":             {head + "rules: [{path: prod/**}]\n", []string{"3 unused-cluster advice cluster a"}},
		"missing keys":       {"version: 1\nclusters:\n  a: {recipients: [keys/none.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n", []string{"3 unreadable-keys error keys/none.txt: missing"}},
		"bad keys":           {"version: 1\nclusters:\n  a: {recipients: [keys/bad.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n", []string{"3 unreadable-keys error keys/bad.txt: cluster a: no public key"}},
		"former keys":        {"version: 1\nclusters:\n  a: {recipients: [keys/former.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n", nil},
		"a former key":       {"version: 1\nclusters:\n  a: {recipients: [keys/again.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n", []string{"3 former-key error by keys/again.txt it is revoked since"}},
		"a former key of another file": {"version: 1\nclusters:\n  a: {recipients: [keys/a.txt, keys/given-up.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n",
			[]string{"3 former-key error by keys/given-up.txt it is revoked since"}},
		"an odd former key": {"version: 1\nclusters:\n  a: {recipients: [keys/odd.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n", []string{"3 unreadable-keys error keys/odd.txt: cluster a: line 2"}},
		"mixed file":        {"version: 1\nclusters:\n  a: {recipients: [keys/mixture.txt]}\nrules: [{path: prod/**, clusters: [a]}]\n", []string{"3 mixed-keys error mixed"}},
		"mixed with recovery": {"version: 1\nclusters:\n  a: {recipients: [keys/classic.txt]}\nrecovery: [" + strings.TrimSpace(hybrid) + "]\nrules: [{path: prod/**, clusters: [a]}]\n",
			[]string{"3 mixed-keys error the recipients of cluster a"}},
		"mixed clusters": {head + "  b: {recipients: [keys/classic.txt]}\nrules:\n  - {path: prod/**, clusters: [a]}\n  - {path: staging/**, clusters: [a, b]}\n", []string{"7 mixed-keys error clusters a, b cannot be sealed for at once"}},
		"two hybrids":    {head + "  b: {recipients: [keys/b.txt]}\nrules:\n  - {path: prod/**, clusters: [a, b]}\n", nil},
		"two certificates": {"version: 1\nclusters:\n  a: {recipients: [keys/valid.pem]}\n  b: {recipients: [keys/ending.pem]}\nrules:\n  - {path: prod/**, clusters: [a, b]}\n",
			[]string{"4 expiring-certificate advice expires on", "6 mixed-keys error two certificates"}},
		"expired":      {"version: 1\nclusters:\n  a: {recipients: [keys/ended.pem]}\nrules: [{path: prod/**, clusters: [a]}]\n", []string{"3 expired-certificate error expired on"}},
		"one key, two": {head + "  b: {recipients: [keys/a.txt]}\nrules:\n  - {path: prod/**, clusters: [a]}\n  - {path: staging/**, clusters: [b]}\n", []string{"4 shared-key advice clusters a and b"}},
		"render":       {head + "rules: [{path: prod/**, clusters: [a]}]\ncheck: {render: [prod/deep, overlays/*, prod/db.yaml]}\n", []string{"5 unmatched-render error overlays/*", "5 unmatched-render error prod/db.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			files[config.File] = c.text
			found, err := config.Validate(repository(files), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != len(c.want) {
				t.Errorf("got %+v", found)
				return
			}
			for i, f := range found {
				head, message, _ := cut3(c.want[i])
				if got := fmt.Sprintf("%d %s %s", f.Line, f.Rule, f.Severity); got != head || !strings.Contains(f.Message, message) || f.File != config.File {
					t.Errorf("got %s %q of %s, want %s %q", got, f.Message, f.File, head, message)
				}
			}
		})
	}
}

// cut3 takes the first three words off.
func cut3(s string) (head, rest string, ok bool) {
	words := strings.SplitN(s, " ", 4)
	if len(words) < 4 {
		return s, "", false
	}
	return strings.Join(words[:3], " "), words[3], true
}

func TestValidateWithoutFile(t *testing.T) {
	if _, err := config.Validate(repository(nil), now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}
