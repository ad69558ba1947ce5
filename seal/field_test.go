package seal_test

import (
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"
)

func fieldOf(t testing.TB, text string) seal.Field {
	t.Helper()
	at, err := seal.ParseField(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// sealField seals a field, and returns the file with TOKEN in place of what
// opens to the value.
func sealField(t testing.TB, text, field, want string, o seal.FieldOptions) (string, seal.Result, error) {
	t.Helper()
	o.Namespace = "shop"
	r, err := sealer(t, "x25519").Field([]byte(text), fieldOf(t, field), o)
	if err != nil {
		return "", r, err
	}
	out := string(r.Out)
	found := seal.FindTokens(out)
	for i := len(found) - 1; i >= 0; i-- {
		f := found[i]
		value, _, err := opener("x25519").Open(seal.Place{Scope: f.Token.Scope, Namespace: "shop", Name: "n", Key: "k"}, f.Token.Sealed)
		if err != nil || string(value) != want {
			t.Fatalf("the token opens to %q, %v", value, err)
		}
		out = out[:f.Start] + "TOKEN" + out[f.End:]
	}
	return out, r, nil
}

func TestAFieldBecomesATokenAndTheRestStays(t *testing.T) {
	for name, tt := range map[string]struct{ text, field, value, want string }{
		"plain":             {"# a\nauth:\n  user: u # b\n  password: pw   # c\n", "auth.password", "pw", "# a\nauth:\n  user: u # b\n  password: TOKEN   # c\n"},
		"double quoted":     {"a: {b: \"p w\"}\n", "a.b", "p w", "a: {b: \"TOKEN\"}\n"},
		"single quoted":     {"a: 'it''s'\r\nb: 1\r\n", "a", "it's", "a: 'TOKEN'\r\nb: 1\r\n"},
		"block":             {"a:\n  key: |\n    one\n    two\n  b: 1\n", "a.key", "one\ntwo\n", "a:\n  key: TOKEN\n  b: 1\n"},
		"in a list":         {"users:\n  - name: a\n    password: x\n  - name: b\n    password: secret\n", "users[1].password", "secret", "users:\n  - name: a\n    password: x\n  - name: b\n    password: TOKEN\n"},
		"item of a list":    {"a:\n- one # 1\n- two # 2\n", "a[1]", "two", "a:\n- one # 1\n- TOKEN # 2\n"},
		"items in a flow":   {"a: [[x, \"secret\"], y]\n", "a[0][1]", "secret", "a: [[x, \"TOKEN\"], y]\n"},
		"a name with a dot": {"a:\n  b.c/d: pw\n", `a.b\.c/d`, "pw", "a:\n  b.c/d: TOKEN\n"},
		"JSON":              {`{"a": {"b": ["pw", 1.0]}}`, "a.b[0]", "pw", `{"a": {"b": ["TOKEN", 1.0]}}`},
		"second document":   {"a: 1\n---\nb: {c: pw}\n", "b.c", "pw", "a: 1\n---\nb: {c: TOKEN}\n"},
		"anchors elsewhere": {"x: &x {y: 1}\nz: *x\na: pw\n", "a", "pw", "x: &x {y: 1}\nz: *x\na: TOKEN\n"},
		"a mark":            {"\ufeffa: pw\n", "a", "pw", "\ufeffa: TOKEN\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, r, err := sealField(t, tt.text, tt.field, tt.value, seal.FieldOptions{})
			if err != nil || got != tt.want || len(r.Objects) != 1 {
				t.Fatalf("got %v and\n%s, want\n%s", err, got, tt.want)
			}
			again, err := sealer(t, "rsa").Field(r.Out, fieldOf(t, tt.field), seal.FieldOptions{Namespace: "other"})
			if err != nil || string(again.Out) != string(r.Out) || len(again.Objects) != 0 {
				t.Errorf("sealed once more it changes, or fails: %v", err)
			}
		})
	}
}

func TestAFieldIsGivenAValue(t *testing.T) {
	o := seal.FieldOptions{Value: []byte("new"), Scope: seal.ClusterWide}
	for _, tt := range []struct{ text, field, want string }{
		{"a: old\n", "a", "a: TOKEN\n"},
		{"a: ''\n", "a", "a: 'TOKEN'\n"},
		{"a:\nb: 1\n", "a", "a: TOKEN\nb: 1\n"},
		{"a:\n  b: 1\n", "a.c.d", "a:\n  b: 1\n  c:\n    d: TOKEN\n"},
		{"l:\n  - b: 1\n", "l[0].c", "l:\n  - b: 1\n    c: TOKEN\n"},
	} {
		got, r, err := sealField(t, tt.text, tt.field, "new", o)
		if err != nil || got != tt.want || !strings.Contains(string(r.Out), "fuin1c_") {
			t.Errorf("%q of %q: got %v and\n%s", tt.field, tt.text, err, got)
		}
	}
}

func TestFieldsThatAreNotSealed(t *testing.T) {
	token := tokenTo(t, "rsa", seal.NamespaceWide, "x").String()
	for name, tt := range map[string]struct{ text, field, want string }{
		"missing":        {"a: canary\n", "b", "is not there"},
		"deeper":         {"a: canary\n", "a.b", "is not there"},
		"past the end":   {"a: [canary]\n", "a[1]", "is not there"},
		"a mapping":      {"a: {b: canary}\n", "a", "a mapping, not text"},
		"a number":       {"\na: 1234\n", "a", "line 2: field \"a\": a number, not text"},
		"a boolean":      {"a: yes\nb: true\n", "b", "a boolean, not text"},
		"empty":          {"a: ''\n", "a", "it is empty"},
		"null":           {"a:\n", "a", "it is empty"},
		"an anchor":      {"a: &x canary\nb: *x\n", "a", "an anchor (&) stands"},
		"an alias":       {"a: &x canary\nb: *x\n", "b", "an alias (*) stands"},
		"twice":          {"a: canary\n---\na: canary\n", "a", "line 3: field \"a\": it stands in two documents"},
		"token and more": {"a: canary" + token + "\n", "a", "it holds a token and more"},
		"no YAML":        {"a: [canary\n", "a", "no YAML"},
		"a template":     {"a: {{ canary }}\n", "a", "template"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := sealField(t, tt.text, tt.field, "", seal.FieldOptions{})
			var refused *seal.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error()+refused.Hint(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, text := range []string{"", ".", "a.", ".a", "a..b", "[0]", "a[", "a[]", "a[x]", "a[-1]", "a[01]", "a[0]b", "a[0].", "a[0", strings.Repeat("a.", 200) + "a"} {
		if _, err := seal.ParseField(text); err == nil {
			t.Errorf("%q is taken for a field", text)
		}
	}
}

func TestCopiesOfASealedFieldWarn(t *testing.T) {
	_, r, err := sealField(t, "# correct horse\na: correct horse\nb:\n  c: correct horse battery correct horse\n", "a", "correct horse", seal.FieldOptions{})
	if err != nil || len(r.Warnings) == 0 {
		t.Fatalf("got %v and %v", err, r.Warnings)
	}
	for _, w := range r.Warnings {
		if strings.Contains(w.Text, "horse") {
			t.Errorf("quotes the value: %s", w)
		}
	}
}
