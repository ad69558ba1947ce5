package seal_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"
)

func tokenTo(t testing.TB, key string, scope seal.Scope, value string) seal.Token {
	t.Helper()
	token, err := sealer(t, key).Token(scope, "shop", []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A token is the same sealed value in text: it opens under any key and name of
// its namespace, or anywhere, and nowhere else.
func TestTokensOpenWhereTheirScopeSays(t *testing.T) {
	for _, kind := range []string{"rsa", "hybrid", "x25519"} {
		for _, scope := range []seal.Scope{seal.NamespaceWide, seal.ClusterWide} {
			for _, value := range []string{"", "pa ss\n\x00\xff", strings.Repeat("long", 5000)} {
				text := tokenTo(t, kind, scope, value).String()
				if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
					t.Fatalf("%s: a token has other characters: %.80s", kind, text)
				}
				token, err := seal.ParseToken(text)
				if err != nil || token.Scope != scope || token.String() != text || !seal.IsToken(text) {
					t.Fatalf("%s %s: parsing gives scope %q, %v", kind, scope, token.Scope, err)
				}
				for _, at := range []struct {
					place seal.Place
					opens bool
				}{
					{seal.Place{Scope: scope, Namespace: "shop", Name: "any", Key: "any.key"}, true},
					{seal.Place{Scope: scope, Namespace: "other", Name: "any", Key: "any.key"}, scope == seal.ClusterWide},
					{seal.Place{Scope: seal.Strict, Namespace: "shop", Name: "any", Key: "any.key"}, false},
				} {
					got, _, err := opener(kind).Open(at.place, token.Sealed)
					if (err == nil) != at.opens || at.opens && string(got) != value {
						t.Errorf("%s %s at %v: %v", kind, scope, at.place, err)
					}
				}
			}
		}
	}
}

func TestTokensThatAreNotMade(t *testing.T) {
	for _, tt := range []struct {
		scope     seal.Scope
		namespace string
		want      string
	}{
		{seal.Strict, "shop", "never of scope strict"},
		{"", "shop", "never of scope"},
		{seal.NamespaceWide, "", "no namespace"},
		{seal.NamespaceWide, "Shop Two", "is no namespace"},
	} {
		_, err := sealer(t, "x25519").Token(tt.scope, tt.namespace, []byte("canary"))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("scope %q namespace %q: %v", tt.scope, tt.namespace, err)
		}
	}
}

// Tokens are found in any text, each with its exact end, also where letters
// and further tokens follow without a gap.
func TestTokensInText(t *testing.T) {
	a, b := tokenTo(t, "x25519", seal.NamespaceWide, "a"), tokenTo(t, "rsa", seal.ClusterWide, "b")
	for _, text := range []string{
		a.String(),
		"postgres://shop:" + a.String() + "@db/" + b.String() + "?x=1",
		a.String() + b.String() + a.String(),
		"x" + a.String() + "_abcdef0123-" + b.String() + "9",
		"fuin1" + a.String() + "fuin1n_" + b.String(),
		"a token is written fuin1n_<length>_<sealed>_<crc>, or fuin1c_…: " + a.String(),
	} {
		rest := text
		for _, f := range seal.FindTokens(text) {
			if f.Err != nil {
				t.Fatalf("%.200s: %v", text, f.Err)
			}
			if text[f.Start:f.End] != f.Token.String() {
				t.Errorf("%d to %d is another token than was found", f.Start, f.End)
			}
			rest = strings.Replace(rest, f.Token.String(), "", 1)
		}
		if strings.Contains(rest, a.String()) || strings.Contains(rest, b.String()) {
			t.Errorf("not all tokens were found in %.200s", text)
		}
	}
	for _, text := range []string{"", "fuin1", "fuin1n", "fuin1n_", "fuin1n_<length>", "fuin1x_12_ab", "refuin1ng 1 fuin 1n_2", strings.Repeat("1", 100)} {
		if found := seal.FindTokens(text); len(found) > 0 {
			t.Errorf("%q: found %v", text, found)
		}
	}
}

// What a transformation leaves of a token is found as such.
func TestRemnantsOfTokens(t *testing.T) {
	whole := tokenTo(t, "x25519", seal.NamespaceWide, "a").String()
	for name, text := range map[string]string{
		"trunc":            whole[:40],
		"trunc to a digit": whole[:8],
		"upper":            strings.ToUpper(whole),
		"lower":            strings.ToLower(whole),
		"title":            strings.ToUpper(whole[:1]) + whole[1:],
		"kebabcase":        strings.ReplaceAll(whole, "_", "-"),
		"camelcase":        strings.ReplaceAll(whole, "_", ""),
		"without its end":  whole[:len(whole)-1],
		"and text behind":  whole[:len(whole)-9] + "@host:5432/database",
		"replaced":         whole[:30] + "!" + whole[31:],
		"a number more":    strings.Replace(whole, "n_", "n_0", 1),
		"length of nine":   "fuin1n_999999999_abc",
		"length of many":   "fuin1n_" + strings.Repeat("9", 100),
	} {
		for _, in := range []string{text, "before " + text + " after"} {
			found := seal.FindTokens(in)
			var refused *seal.Error
			if len(found) != 1 || !errors.As(found[0].Err, &refused) || refused.Hint() == "" {
				t.Errorf("%s: %v", name, found)
			}
		}
	}
}

// Every changed character of a token is noticed.
func TestEveryChangeOfATokenIsNoticed(t *testing.T) {
	whole := tokenTo(t, "x25519", seal.NamespaceWide, "a").String()
	for i := range whole {
		for _, c := range []byte("aZ0-_n\n ") {
			changed := whole[:i] + string(c) + whole[i+1:]
			if changed != whole && seal.IsToken(changed) {
				t.Fatalf("%q at %d is not noticed", c, i)
			}
		}
	}
}

func FuzzFindTokens(f *testing.F) {
	whole := tokenTo(f, "x25519", seal.NamespaceWide, "a").String()
	for _, text := range []string{whole, whole + whole, whole[:50], "fuin1n_4_abcd_00000000", strings.ToUpper(whole), hex.EncodeToString([]byte(whole)), base64.StdEncoding.EncodeToString([]byte(whole))} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, found := range seal.FindTokens(text) {
			if found.Start < end || found.End <= found.Start || found.End > len(text) {
				t.Fatalf("found %d to %d, after %d of %d", found.Start, found.End, end, len(text))
			}
			end = found.End
			if found.Err == nil && found.Token.String() != text[found.Start:found.End] {
				t.Fatalf("a token is not its own text")
			}
		}
	})
}
