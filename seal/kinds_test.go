package seal_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"
)

func TestWhatIsAlmostASecretIsRefused(t *testing.T) {
	const rest = "\nmetadata: {name: x, namespace: shop}\nstringData: {a: hunter2}\n"
	for _, kind := range []string{
		"apiVersion: V1\nkind: Secret", "apiVersion: ''\nkind: Secret", "kind: Secret", "apiVersion: 'v1 '\nkind: Secret",
		"apiVersion: 1\nkind: Secret", "apiVersion: v1\nkind: secret", "apiVersion: V1\nkind: SecretList",
	} {
		_, err := sealer(t, "x25519").Manifest([]byte(head+"stringData: {a: b}\n---\n"+kind+rest), seal.Options{})
		var e *seal.Error
		if !errors.As(err, &e) || e.Line != 6 || e.Hint() == "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", kind, err)
		}
	}
	r := sealed(t, head+"stringData: {a: b}\n---\napiVersion: example.com/v1\nkind: Secret"+rest, seal.Options{})
	if len(r.Others) != 1 {
		t.Errorf("another group's Secret: %v", r.Others)
	}
}

func TestListsOfOneKind(t *testing.T) {
	const item = `{"metadata":{"name":"db","namespace":"shop"},"data":{"a":"aHVudGVyMg=="}}`
	r := sealed(t, `{"kind":"SecretList","apiVersion":"v1","items":[`+item+`]}`, seal.Options{})
	if strings.Contains(string(r.Out), "aHVudGVyMg") || !strings.Contains(string(r.Out), `"kind": "List"`) {
		t.Errorf("sealed as %s", r.Out)
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(r.Out, &list); err != nil {
		t.Fatal(err)
	}
	delete(list.Items[0], "kind")
	delete(list.Items[0], "apiVersion")
	text, err := json.Marshal(map[string]any{"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecretList", "items": list.Items})
	if err != nil {
		t.Fatal(err)
	}
	back, err := opener("x25519").Manifest(context.Background(), text, seal.SameFormat)
	if err != nil || !strings.Contains(string(back.Out), `"a": "aHVudGVyMg=="`) || !strings.Contains(string(back.Out), `"apiVersion": "v1",`) {
		t.Errorf("opened as %s, %v", back.Out, err)
	}
	if objects, err := seal.Objects(text, 1); err != nil || len(objects) != 1 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

func TestCopiesOfTheObjectAreStripped(t *testing.T) {
	for _, name := range []string{
		"kubectl.kubernetes.io/last-applied-configuration", "kubecfg.ksonnet.io/last-applied-configuration",
		"kapp.k14s.io/original", "objectset.rio.cattle.io/applied", "banzaicloud.com/last-applied",
	} {
		r := sealed(t, strings.Replace(head, "name: db,", "name: db, annotations: {"+name+": x},", 1)+"stringData: {a: b}\n", seal.Options{})
		if strings.Contains(string(r.Out), name) {
			t.Errorf("kept %s", name)
		}
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	const numbers = `[9007199254740993, 1.0, -0, 123456789012345678901234567890]`
	r, err := sealer(t, "x25519").Manifest([]byte(head+"stringData: {a: b}\n---\nkind: X\nn: "+numbers+"\nm: [0x10, 1_000]\n"), seal.Options{Format: seal.JSON})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(string(r.Out)), " "); !strings.Contains(got, "[ "+numbers[1:len(numbers)-1]+" ]") || !strings.Contains(got, "[ 16, 1000 ]") {
		t.Errorf("came out as %s", r.Out)
	}
}
