package seal_test

import (
	"bytes"
	"testing"

	"fuin.dev/seal"
	"github.com/google/go-cmp/cmp"
)

// FuzzSet: whatever the manifest, a value is refused, or stands where it was
// asked for and opens, and nothing else has changed. So with its removal.
func FuzzSet(f *testing.F) {
	for _, seed := range []string{
		"spec:\n  encryptedData:\n    a: |+\n      x\n\n    password: >-\n      old\n  template: {}\n",
		"spec: {encryptedData: {a: \"x\", 'password': y,}}\n", "spec:\n  encryptedData: # none\n...\n", "spec: &x {encryptedData: ~}\ny: *x\n",
		"spec:\r\n  encryptedData:\r\n    password: one\r\n      two # c\r\n", "spec:\n  encryptedData:\n    ? password\n    : x\n",
		"x: \"\u2028\xc2\x85\"\nspec: {encryptedData: {\n# c\npassword\n: x}}", "---\nkind: List\nitems:\n- a\n", "spec:\n  encryptedData: !!map\n    a: x",
	} {
		f.Add([]byte("apiVersion: bitnami.com/v1\nkind: SealedSecret\nmetadata:\n  name: db\n"+seed), "password")
		f.Add([]byte("kind: List\nitems:\n- apiVersion: bitnami.com/v1\n  kind: SealedSecret\n  metadata: {name: db, annotations: {fuin.dev/key: x}}\n"), "yes")
	}
	f.Add([]byte(`{"kind":"X"} {"apiVersion":"bitnami.com/v1","kind":"SealedSecret","metadata":{"name":"db"},"spec":{"encryptedData":{"a":"\ud83d\ude00"}}}`), "1")
	s := sealer(f, "x25519")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		target := seal.Target{Key: key, Namespace: "ns"}
		r, err := s.Set(data, target, []byte("new"))
		if err == nil {
			compareSet(t, data, r.Out, key)
			data = r.Out
		}
		removed, err := seal.Unset(data, target)
		if err == nil {
			compareUnset(t, data, removed.Out, key)
		}
	})
}

// objects reads the SealedSecrets of a file.
func objects(t *testing.T, data []byte) []seal.Object {
	t.Helper()
	obs, err := seal.Objects(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return obs
}

// compareSet checks that one object has the new value, and its hint, and that
// the file without them is the one before.
func compareSet(t *testing.T, before, after []byte, key string) {
	t.Helper()
	old, now := objects(t, before), objects(t, after)
	if len(old) != len(now) {
		t.Fatalf("%d objects were %d", len(now), len(old))
	}
	changed := 0
	for i, ob := range now {
		if cmp.Equal(old[i], ob) {
			continue
		}
		changed++
		namespace := ob.Namespace
		if namespace == "" {
			namespace = "ns"
		}
		at := seal.Place{Scope: ob.Scope(), Namespace: namespace, Name: ob.Name, Key: key}
		if value, _, err := opener("x25519").Open(at, ob.Values[key]); err != nil || string(value) != "new" {
			t.Errorf("opened as %q, %v", value, err)
		}
		if old[i].Values == nil {
			old[i].Values = map[string]string{}
		}
		if old[i].Annotations == nil {
			old[i].Annotations = map[string]string{}
		}
		old[i].Values[key] = ob.Values[key]
		old[i].Annotations[seal.AnnotationKey] = ob.Annotations[seal.AnnotationKey]
		if diff := cmp.Diff(old[i], ob); diff != "" {
			t.Errorf("more has changed: %s", diff)
		}
	}
	if changed != 1 || len(after) < len(before)/2 {
		t.Errorf("%d objects changed", changed)
	}
}

// compareUnset checks that lines went, or parts of them, and one key.
func compareUnset(t *testing.T, before, after []byte, key string) {
	t.Helper()
	old, now := objects(t, before), objects(t, after)
	changed := 0
	for i, ob := range now {
		if cmp.Equal(old[i], ob) {
			continue
		}
		changed++
		delete(old[i].Values, key)
		if diff := cmp.Diff(old[i], ob); diff != "" {
			t.Errorf("more has changed: %s", diff)
		}
	}
	if changed != 1 || !isSubsequence(bytes.TrimSpace(bytes.ReplaceAll(after, []byte(" {}"), nil)), before) {
		t.Errorf("%d objects changed; came out as\n%s", changed, after)
	}
}

// isSubsequence reports whether some bytes of b, taken out, leave a.
func isSubsequence(a, b []byte) bool {
	for _, c := range b {
		if len(a) > 0 && a[0] == c {
			a = a[1:]
		}
	}
	return len(a) == 0
}
