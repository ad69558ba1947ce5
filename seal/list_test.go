package seal_test

import (
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"

	"github.com/google/go-cmp/cmp"
)

func field(t *testing.T, text string) seal.Field {
	t.Helper()
	f, err := seal.ParseField(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Lists of a file are changed in place: what is not changed keeps its bytes.
func TestListsAreChangedInPlace(t *testing.T) {
	appended := func(data string) ([]byte, error) { return field(t, "resources").Append([]byte(data), "db.yaml") }
	removed := func(item int) func(string) ([]byte, error) {
		return func(data string) ([]byte, error) { return field(t, "gen").Remove([]byte(data), item) }
	}
	put := func(at, text string) func(string) ([]byte, error) {
		return func(data string) ([]byte, error) { return field(t, at).Put([]byte(data), text) }
	}
	for name, tt := range map[string]struct {
		change     func(string) ([]byte, error)
		data, want string
	}{
		"append to a block":               {appended, "# a\nresources:\n- a.yaml # b\n\n# c\nx: 1\n", "# a\nresources:\n- a.yaml # b\n- db.yaml\n\n# c\nx: 1\n"},
		"append to an indented block":     {appended, "resources:\n    -  'a.yaml'\nx: 1", "resources:\n    -  'a.yaml'\n    -  'db.yaml'\nx: 1"},
		"append to brackets":              {appended, "resources: [a.yaml, \"b.yaml\"] # c\n", "resources: [a.yaml, \"b.yaml\", \"db.yaml\"] # c\n"},
		"append to empty brackets":        {appended, "resources: []\n", "resources: [db.yaml]\n"},
		"append to nothing":               {appended, "---\nx:\n  y: 1\n", "---\nx:\n  y: 1\nresources:\n- db.yaml\n"},
		"append with carriage returns":    {appended, "resources:\r\n- a\r\nx: 1\r\n", "resources:\r\n- a\r\n- db.yaml\r\nx: 1\r\n"},
		"append to JSON":                  {appended, `{"resources": ["a"], "x": 1}`, `{"resources": ["a", "db.yaml"], "x": 1}`},
		"remove the first":                {removed(0), "gen:\n- name: a\n  b: [c] # d\n# e\n- name: f\n", "gen:\n# e\n- name: f\n"},
		"remove the last":                 {removed(1), "gen:\n- a\n- name: |\n    b\n    c\nx: 1\n", "gen:\n- a\nx: 1\n"},
		"remove the only one":             {removed(0), "x: 1\n# of it\ngen:\n- name: a\ny: 2\n", "x: 1\n# of it\ny: 2\n"},
		"remove the only one in brackets": {removed(0), "x: 1\ngen: [{name: a}]\n", "x: 1\n"},
		"put into a block":                {put("p[0].t", "a: 1\n\nb: 2\n"), "p:\n- t: |- # x\n    old\n     text\n\n  y: 1\n", "p:\n- t: | # x\n    a: 1\n\n    b: 2\n\n  y: 1\n"},
		"put into quotes":                 {put("p.t", "a\nb"), "p: {t: \"x\", y: 1}\n", "p: {t: \"a\\nb\", y: 1}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.change(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListsThatAreNotChanged(t *testing.T) {
	appended := func(data string) ([]byte, error) { return field(t, "resources").Append([]byte(data), "db.yaml") }
	removed := func(data string) ([]byte, error) { return field(t, "gen").Remove([]byte(data), 1) }
	for name, tt := range map[string]struct {
		change     func(string) ([]byte, error)
		data, want string
	}{
		"an anchor":          {appended, "resources: &a\n- canary\n", "an anchor (&) stands"},
		"an alias":           {appended, "x: &a [canary]\nresources: *a\n", "an alias (*) stands"},
		"text":               {appended, "resources: canary\n", "text stands where the change belongs"},
		"two documents":      {appended, "a: 1\n---\nb: 2\n", "the file has 2 documents"},
		"no YAML":            {appended, "resources: [canary", "no YAML"},
		"empty":              {appended, "", "the file has 0 documents"},
		"no such item":       {removed, "x: 1\ngen: [a]\n", "cannot be changed safely"},
		"between brackets":   {removed, "x: 1\ngen: [a, b]\n", "cannot be changed safely"},
		"nothing but a list": {func(data string) ([]byte, error) { return field(t, "gen").Remove([]byte(data), 0) }, "gen: [a]\n", "cannot be changed safely"},
		"dash on its own":    {removed, "x: 1\ngen:\n- a\n-\n  b: c\n", "cannot be changed safely"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.change(tt.data)
			var e *seal.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// FieldAt finds the way that leads to a value, also where names need escaping.
func TestFieldAt(t *testing.T) {
	const values = "a.b:\n  - {x: one, \"é[\": two}\n  - three\n"
	for _, tt := range []struct {
		line, column int
		want         string
	}{
		{2, 9, `a\.b[0].x`},
		{2, 20, `a\.b[0].é\[`},
		{3, 5, `a\.b[1]`},
		{2, 1, ""},
		{99, 1, ""},
	} {
		got, ok := seal.FieldAt([]byte(values), tt.line, tt.column)
		if got.String() != tt.want || ok != (tt.want != "") {
			t.Errorf("%d:%d: %q, want %q", tt.line, tt.column, got, tt.want)
		}
		if again, err := seal.ParseField(got.String()); ok && (err != nil || again.String() != tt.want) {
			t.Errorf("%q does not parse: %v", got, err)
		}
	}
	if got, _ := seal.FieldAt([]byte("a: 1\n---\nb:\n  c: x\n"), 4, 6); got.String() != "b.c" {
		t.Errorf("in the second document: %q", got)
	}
	if got, _ := seal.FieldAt([]byte(`{"a": {"b": "x"}}`), 1, 13); got.String() != "a.b" {
		t.Errorf("in JSON: %q", got)
	}
	if _, ok := seal.FieldAt([]byte("a: &q x\nb: *q\n"), 2, 4); ok {
		t.Error("an alias leads nowhere that can be changed")
	}
}

// FieldAround finds the text that a place is in, whatever its style.
func TestFieldAround(t *testing.T) {
	const values = "a: |\n  one\n  two\n\nb: {c: \"x: y\", d: z}\ne: plain text\n  folded\n"
	for _, tt := range []struct {
		line, column int
		want         string
	}{
		{1, 4, "a"}, {3, 4, "a"}, {5, 10, "b.c"}, {5, 19, "b.d"}, {6, 8, "e"}, {7, 5, "e"}, {5, 2, ""}, {4, 1, ""}, {9, 1, ""},
	} {
		if got, ok := seal.FieldAround([]byte(values), tt.line, tt.column); got.String() != tt.want || ok != (tt.want != "") {
			t.Errorf("%d:%d: %q, want %q", tt.line, tt.column, got, tt.want)
		}
	}
}
