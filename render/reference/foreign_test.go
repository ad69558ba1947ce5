package reference_test

import (
	"strings"
	"testing"

	"fuin.dev/render/reference"
)

func TestForeignForms(t *testing.T) {
	avp := reference.Placeholders{Path: "kv/data/db", Version: "3", Optional: true}
	v1 := reference.Placeholders{Path: "/kv/db/", Version: "3", Engine: reference.KV1}
	for _, tt := range []struct {
		text string
		with reference.Placeholders
		want string
	}{
		// argocd-vault-plugin
		{"<path:kv/data/db#password>", reference.Placeholders{}, "ref+vault://kv/data/db#/password"},
		{"<path:kv/data/db#password#7>", reference.Placeholders{}, "ref+vault://kv/data/db?version=7#/password"},
		{"<path:kv/data/db#password | base64decode>", reference.Placeholders{}, "ref+vault://kv/data/db?decode=base64#/password"},
		{"postgres://<path:kv/data/db#user>:<path:kv/data/db#a b+c>@db/<x>", reference.Placeholders{},
			"postgres://ref+vault://kv/data/db#/user+:ref+vault://kv/data/db#/a%20b%2Bc+@db/<x>"},
		{"<path: /kv/data/db/ # a/b~c >", reference.Placeholders{}, "ref+vault://kv/data/db#/a~1b~0c"},
		{"<password>", avp, "ref+vault://kv/data/db?version=3&optional=true#/password"},
		{"a <password>\n", avp, "a ref+vault://kv/data/db?version=3&optional=true#/password+\n"},
		{"<password>", v1, "ref+vault://kv/db?engine=kv1#/password"},
		{"<path:kv/data/x#password>", avp, "ref+vault://kv/data/x#/password"},
		// bank-vaults
		{"vault:kv/data/db#password", reference.Placeholders{}, "ref+vault://kv/data/db#/password"},
		{"vault:kv/data/db#password#2", reference.Placeholders{}, "ref+vault://kv/data/db?version=2#/password"},
		{"vault:kv/data/db#password#-1", reference.Placeholders{}, "ref+vault://kv/data/db#/password"},
		{"${vault:kv/data/db#user}:${vault:kv/data/db#pass#4} ${HOME}", reference.Placeholders{},
			"ref+vault://kv/data/db#/user+:ref+vault://kv/data/db?version=4#/pass+ ${HOME}"},
	} {
		if !reference.ContainsForeign(tt.text) && tt.with.Path == "" {
			t.Errorf("%q is said to hold nothing", tt.text)
		}
		got, err := reference.Rewrite(tt.text, reference.FindForeign(tt.text, tt.with))
		if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestForeignFormsThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "<password>", "<path:a/b>", "<path:a/b#c\n>", "vault:", "vault:a/b", "vault:abc#d", "vault: a/b#c", "a vault:a/b#c", "vault:8200/x",
		"${vault:a/b#c", "$ {vault:a/b#c}", "${}", "path:a/b#c", ">vault:a/b", "ref+vault://a/b#/c", "<<path", "https://vault:8200/ui#x",
	} {
		if got := reference.FindForeign(text, reference.Placeholders{}); len(got) > 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestForeignFormsThatAreRefused(t *testing.T) {
	for text, want := range map[string]struct {
		at      int
		message string
	}{
		">>vault:pki/root/generate/internal#certificate#{\"hunter2\": 1}": {0, "writes to Vault"},
		"x ${>>vault:a/b#hunter2}":                                        {2, "writes to Vault"},
		"vault:v1:hunter2":                                                {0, "transit"},
		"x ${vault:v12:hunter2}":                                          {2, "transit"},
		"vault:a/b#${.hunter2 | urlquery}":                                {0, "a template"},
		"${vault:a/b#${ .hunter2 }}":                                      {0, "a template"},
		"vault:a/b#{{ .hunter2 }}":                                        {0, "a template"},
		"vault:a/../hunter2#c":                                            {0, "cannot be referred to"},
		"vault:a/b#":                                                      {0, "a key is missing"},
		"vault:a/b#c#hunter2":                                             {0, "no number"},
		"<path:a/b#c#hunter2>":                                            {0, "no number"},
		"<path:hunter2#c>":                                                {0, "a mount only"},
		"<path:a/b%2f#hunter2>":                                           {0, "cannot be referred to"},
		" <path:a/b#c | jsonPath {.hunter2}>":                             {1, "behind |"},
		"<path:a/b#c | base64encode | sha256sum>":                         {0, "behind |"},
		"<path:a/b#c | base64encode | base64decode>":                      {0, "behind |"},
		"<path:a/b#c | base64decode | base64decode >":                     {0, "behind |"},
		"<path:a/b#c> <path:a/b#d | yamlParse hunter2>":                   {13, "behind |"},
	} {
		found := reference.FindForeign(text, reference.Placeholders{})
		_, err := reference.Rewrite(text, found)
		e, ok := err.(*reference.Error) //nolint:errorlint // it is returned as it is
		if !ok {
			t.Errorf("%q: %+v, %v", text, found, err)
			continue
		}
		if e.Offset != want.at || !strings.Contains(e.Message, want.message) || e.Hint() == "" || strings.Contains(e.Message+e.Hint(), "hunter2") {
			t.Errorf("%q: at %d: %s (%s)", text, e.Offset, e.Message, e.Hint())
		}
	}
}

// What is rewritten reads as ours, and nothing panics.
func FuzzForeign(f *testing.F) {
	for _, seed := range []string{
		"<path:a/b#c#1>", "vault:a/b#c", "${vault:a/b#c}${vault:a/b#${.x}}", ">>vault:a#b", "<a | base64decode>", "vault:v1:x", "${${vault:a/b#c}",
	} {
		f.Add(seed, "")
		f.Add(seed, "kv/x")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		found := reference.FindForeign(text, reference.Placeholders{Path: path})
		at := 0
		for _, one := range found {
			if one.Offset < at || one.End <= one.Offset || one.End > len(text) {
				t.Fatalf("%q: %+v", text, one)
			}
			at = one.End
		}
		out, err := reference.Rewrite(text, found)
		if err != nil || len(found) == 0 || reference.Contains(text) {
			return
		}
		parts, err := reference.Parse(out)
		if err != nil || len(reference.Of(parts)) != len(found) {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
	})
}

// What tenants write is bounded in what it costs: none of these takes long.
func TestHostileTexts(t *testing.T) {
	for _, unit := range []string{"${", "${vault:", "${vault:a/b#c}", "<path:", "<", "<path:a/b#c>", "ref+", "ref++", "ref+vault://", "{{", "{{`", "{{/*", "{{1}}", "vault:a/b#", "%41"} {
		text := strings.Repeat(unit, (1<<20)/len(unit))
		reference.FindForeign(text, reference.Placeholders{})
		reference.FindForeign(text, reference.Placeholders{Path: "a/b"})
		for _, parse := range []func(string) ([]reference.Part, error){reference.Parse, reference.ParseTemplate} {
			if parts, err := parse(text); err == nil && len(reference.Of(parts)) > reference.MaxReferences {
				t.Errorf("%s: too many references", unit)
			}
		}
	}
}
