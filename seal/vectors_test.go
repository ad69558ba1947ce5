package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
)

// TestVectors opens what earlier releases and kubeseal sealed.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("../testdata/vectors/*.yaml")
	if err != nil || len(files) != 9 {
		t.Fatalf("%d vectors, %v; want 9", len(files), err)
	}
	for _, file := range files {
		kind, _, _ := strings.Cut(filepath.Base(file), "-")
		o := seal.Opener{Identities: identities(t, map[string]string{"kubeseal": "rsa.pem", "age": "age.txt", "x25519": "x25519.txt"}[kind])}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := seal.Objects(data, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.Object(t.Context(), objects[0])
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		want := map[string][]byte{"empty": {}, "binary": {0, 1, 255, 0}, "password": []byte("correct horse")}
		if diff := cmp.Diff(want, got.Data, cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func identities(t *testing.T, name string) []*keys.Identity {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../testdata/vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := keys.ParseIdentities(data)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
