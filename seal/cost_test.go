package seal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fuin.dev/seal"
)

const sealedHead = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: shop}\n"

// aliases is a document of about 10,000 nodes in few bytes.
const aliases = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
	"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]\n"

func TestAliasesOfAllDocumentsShareABudget(t *testing.T) {
	if _, err := seal.Objects([]byte(sealedHead+"---\n"+aliases), 1); err != nil {
		t.Errorf("one document with aliases: %v", err)
	}
	_, err := seal.Objects([]byte(sealedHead+strings.Repeat("---\n"+aliases, 40)), 1)
	if err == nil || !strings.Contains(err.Error(), "too many or too deeply nested") {
		t.Errorf("forty documents with aliases: %v", err)
	}
}

func TestLargeFilesAreRead(t *testing.T) {
	var yaml, json strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&yaml, "%s---\n", sealedHead)
		fmt.Fprintf(&json, `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","metadata":{"name":"n%d"}}`, i)
	}
	for _, text := range []string{yaml.String(), json.String()} {
		if got, err := seal.Objects([]byte(text), 20_000); err != nil || len(got) != 20_000 {
			t.Errorf("%d objects, %v", len(got), err)
		}
	}
}

func TestObjectsStopsAtItsBound(t *testing.T) {
	text := []byte(sealedHead + "---\n" + sealedHead + "---\n" + sealedHead)
	if got, err := seal.Objects(text, 3); err != nil || len(got) != 3 {
		t.Errorf("%d objects, %v", len(got), err)
	}
	got, err := seal.Objects(text, 2)
	if err == nil || err.Error() != "line 9: more than 2 SealedSecrets" || len(got) > 2 {
		t.Errorf("%d objects, %v", len(got), err)
	}
}

func TestOtherKindsAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString(head + "stringData: {a: b}\n")
	for i := range 100 {
		fmt.Fprintf(&text, "---\nkind: K%d\n", i)
	}
	if r := sealed(t, text.String(), seal.Options{}); len(r.Others) != 20 {
		t.Errorf("%d kinds", len(r.Others))
	}
}

func TestErrorsInJSONNameTheirLine(t *testing.T) {
	_, err := seal.Objects([]byte("{\n\"a\": 1\n}\n\n{\n\"a\": 1,\n\"a\": 2\n}\n"), 1)
	var e *seal.Error
	if !errors.As(err, &e) || e.Line != 8 {
		t.Errorf("%v", err)
	}
	r := sealed(t, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"db\",\"namespace\":\"shop\"},\"stringData\":{\"a\":\"correct horse battery\"}}\n\n"+
		"{\n\"kind\": \"ConfigMap\",\n\"data\": {\"a\": \"correct horse battery\"}\n}\n", seal.Options{})
	if len(r.Warnings) != 1 || r.Warnings[0].Line != 3 {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestTooManyDocumentsAreRefused(t *testing.T) {
	for _, one := range []string{"---\n{}\n", "{}\n"} {
		_, err := seal.Objects([]byte(strings.Repeat(one, 50_001)), 1)
		if err == nil || !strings.Contains(err.Error(), "more than 50000 documents") {
			t.Errorf("%.5q: %v", one, err)
		}
	}
}
