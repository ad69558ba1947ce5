package bitnami_test

import (
	"encoding/json"
	"testing"

	"fuin.dev/controller/api/bitnami"
)

// One object that does not decode would end the watch of all others: older
// CRDs and preserved fields let much through.
func TestGarbageDecodes(t *testing.T) {
	for _, spec := range []string{
		`{"encryptedData":{"k":7,"l":["x"],"m":null,"n":{"a":"b"}}}`,
		`{"encryptedData":"text"}`, `{"encryptedData":null}`, `{"data":"not base64!"}`, `[]`, `"x"`,
		`{"template":{"metadata":{"creationTimestamp":"yesterday","labels":{"a":1}}}}`,
		`{"template":{"data":{"t":5}}}`,
	} {
		var ss bitnami.SealedSecret
		if err := json.Unmarshal([]byte(`{"metadata":{"name":"x"},"spec":`+spec+`}`), &ss); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		if ss.Name != "x" {
			t.Errorf("%s: the name is lost", spec)
		}
	}
	var ss bitnami.SealedSecret
	if err := json.Unmarshal([]byte(`{"spec":{"encryptedData":{"k":"v","l":["x"]}}}`), &ss); err != nil || ss.Spec.EncryptedData["k"] != "v" || ss.Spec.EncryptedData["l"] != `["x"]` {
		t.Errorf("%v, %v", ss.Spec.EncryptedData, err)
	}
}

// The CRD's date-time lets through what metav1.Time does not read.
func TestGarbageInAStatusDecodes(t *testing.T) {
	for _, status := range []string{
		`{"conditions":[{"type":"Ready","status":"True","lastUpdateTime":"2020-01-01t00:00:00z"}]}`,
		`{"conditions":"x"}`, `{"fuin":7}`, `[]`,
	} {
		var ss bitnami.SealedSecret
		if err := json.Unmarshal([]byte(`{"metadata":{"name":"x"},"spec":{"encryptedData":{}},"status":`+status+`}`), &ss); err != nil || ss.Name != "x" {
			t.Errorf("%s: %v", status, err)
		}
	}
}
