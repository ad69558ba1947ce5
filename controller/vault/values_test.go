package vault_test

import (
	"strings"
	"testing"

	"fuin.dev/controller/vault"
	"fuin.dev/render/reference"
)

func TestValues(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	ctx, client := t.Context(), s.Vault.Client().Logical()
	s.put("apps/"+ns+"/db", map[string]any{"password": "first"})
	s.put("apps/"+ns+"/db", map[string]any{
		"password": "second", "port": 5432, "ratio": 1.0, "on": true, "nothing": nil, "list": []any{"a", map[string]any{"b": "c"}},
		"a/b": map[string]any{"~": "escaped"}, "binary": "AP8=", "html": "<&>", "template": "{{ .x }} ref+vault://apps/x#/y",
	})
	s.put("apps/"+ns+"/gone", map[string]any{"password": "deleted"})
	_, err := client.DeleteWithContext(ctx, "apps/data/"+ns+"/gone")
	s.ok(err)
	s.put("apps/"+ns+"/destroyed", map[string]any{"password": "destroyed"})
	s.ok(s.Vault.Write(ctx, "apps/destroy/"+ns+"/destroyed", map[string]any{"versions": []int{1}}))
	s.put("apps/"+ns+"/odd name+é/data/x", map[string]any{"k": "odd"})
	s.ok(s.Vault.Write(ctx, "old/"+ns+"/db", map[string]any{"password": "of version 1", "big": 12345678901234567}))

	tests := map[string]struct {
		ref, want string
		reason    string // of the failure; "absent": the value is
	}{
		"a value":                     {ref: "apps/NS/db#/password", want: "second"},
		"with a written /data/":       {ref: "apps/data/NS/db#/password", want: "second"},
		"an older version":            {ref: "apps/NS/db?version=1#/password", want: "first"},
		"a number as it is written":   {ref: "apps/NS/db#/port", want: "5432"},
		"a fraction":                  {ref: "apps/NS/db#/ratio", want: "1"},
		"a large number":              {ref: "old/NS/db#/big", want: "12345678901234567"},
		"a boolean":                   {ref: "apps/NS/db#/on", want: "true"},
		"into a list":                 {ref: "apps/NS/db#/list/1/b", want: "c"},
		"a list":                      {ref: "apps/NS/db#/list", want: `["a",{"b":"c"}]`},
		"escaped names":               {ref: "apps/NS/db#/a~1b/~0", want: "escaped"},
		"text that looks like markup": {ref: "apps/NS/db#/html", want: "<&>"},
		"text that looks like more":   {ref: "apps/NS/db#/template", want: "{{ .x }} ref+vault://apps/x#/y"},
		"base64":                      {ref: "apps/NS/db?decode=base64#/binary", want: "\x00\xff"},
		"the whole object":            {ref: "apps/NS/db?version=1", want: `{"password":"first"}`},
		"version 1 of the engine":     {ref: "old/NS/db#/password", want: "of version 1"},
		"an engine that is named":     {ref: "old/NS/db?engine=kv1#/password", want: "of version 1"},
		"odd characters":              {ref: "apps/NS/odd%20name%2Bé/data/x#/k", want: "odd"},

		"a key that is missing":      {ref: "apps/NS/db#/other", reason: vault.AbsentValue},
		"null":                       {ref: "apps/NS/db#/nothing", reason: vault.AbsentValue},
		"an index beyond":            {ref: "apps/NS/db#/list/2", reason: vault.AbsentValue},
		"an index with a zero":       {ref: "apps/NS/db#/list/01", reason: vault.AbsentValue},
		"a secret that is missing":   {ref: "apps/NS/none#/x", reason: vault.AbsentValue},
		"a version that is missing":  {ref: "apps/NS/db?version=9#/password", reason: vault.AbsentValue},
		"a deleted one":              {ref: "apps/NS/gone#/password", reason: vault.AbsentValue},
		"a destroyed one":            {ref: "apps/NS/destroyed#/password", reason: vault.AbsentValue},
		"one missing in version 1":   {ref: "old/NS/none#/password", reason: vault.AbsentValue},
		"an optional key":            {ref: "apps/NS/db?optional=true#/other", reason: "absent"},
		"an optional secret":         {ref: "apps/NS/none?optional=true#/x", reason: "absent"},
		"an optional deleted one":    {ref: "apps/NS/gone?optional=true#/password", reason: "absent"},
		"an optional denied one":     {ref: "apps/other/db?optional=true#/password", reason: vault.Denied},
		"not base64":                 {ref: "apps/NS/db?decode=base64#/html", reason: vault.InvalidValue},
		"a version of version 1":     {ref: "old/NS/db?version=1#/password", reason: vault.Refused},
		"another engine than named":  {ref: "apps/NS/db?engine=kv1#/password", reason: vault.Refused},
		"another namespace's":        {ref: "apps/other/db#/password", reason: vault.Denied},
		"a mount nobody may see":     {ref: "nowhere/NS/db#/password", reason: vault.Denied},
		"transit":                    {ref: "transit/keys/key#/x", reason: vault.Refused},
		"a mount and nothing in it":  {ref: "apps/data#/x", reason: vault.Denied},
		"parameters for a secret":    {ref: "apps/issue/x?common_name=a#/y", reason: vault.Refused},
		"a certificate nobody signs": {ref: "pki/issue/other?common_name=a#/certificate", reason: vault.Denied},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			answer, err := s.resolve(ns, strings.ReplaceAll(test.ref, "NS", ns))
			switch test.reason {
			case "", "absent":
				s.ok(err)
				if v := answer.Values[0]; string(v.Bytes) != test.want || v.Absent != (test.reason != "") || v.Leased {
					t.Errorf("got %q, absent %v, leased %v", v.Bytes, v.Absent, v.Leased)
				}
			default:
				f := s.fails(test.reason, err, "second", "deleted\"")
				if f.Absent != (test.reason == vault.AbsentValue) {
					t.Errorf("absent is %v: %v", f.Absent, f)
				}
			}
		})
	}
}

// The grammar has no such references; the resolver does not rely on it.
func TestVaultsOwnPathsAreRefused(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	for _, path := range []string{"sys/mounts", "auth/token/lookup-self", "cubbyhole/x", "identity/entity/id"} {
		_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: []reference.Reference{{Path: path}}})
		_ = s.fails(vault.Refused, err)
	}
}

func TestOneFailureNamesTheFirstReference(t *testing.T) {
	s := newSystem(t)
	s.connect(nil)
	ns := s.tenant()
	s.put("apps/"+ns+"/db", map[string]any{"password": "x"})
	for range 5 {
		_, err := s.resolve(ns, "apps/"+ns+"/db#/password", "apps/"+ns+"/b#/x", "apps/other/c#/x", "apps/"+ns+"/a#/x")
		if f := s.fails(vault.AbsentValue, err); !strings.HasPrefix(f.Message, "apps/"+ns+"/b: ") {
			t.Fatalf("it names another: %v", f)
		}
	}
}
