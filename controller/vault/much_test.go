package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"fuin.dev/controller/vault"
)

// TestMoreThanASecretHolds: what the references of one Secret lead to is bounded,
// however little of it they name; many may lead to one large object.
func TestMoreThanASecretHolds(t *testing.T) {
	s := newSystem(t)
	ns := s.tenant()
	s.connect(nil)
	big := map[string]any{"k": strings.Repeat("x", 900<<10)}
	for i := range 500 {
		big[fmt.Sprint("k", i)] = fmt.Sprint("v", i)
	}
	path := func(i int, key string) string { return fmt.Sprintf("apps/%s/big%d#/%s", ns, i, key) }
	var each, whole []string
	for i := range 5 {
		s.put(fmt.Sprintf("apps/%s/big%d", ns, i), big)
		each, whole = append(each, path(i, "k1")), append(whole, path(i, "k"))
	}

	var many []string
	for i := range 500 {
		many = append(many, path(0, fmt.Sprint("k", i)))
	}
	for i, value := range s.values(ns, many...) {
		if value != fmt.Sprint("v", i) {
			t.Fatalf("value %d is %q", i, value)
		}
	}
	for n, some := range map[string][]string{"objects": each, "values": whole[:3]} {
		_, err := s.resolve(ns, some...)
		f := s.fails(vault.InvalidValue, err, "xxx")
		if !strings.Contains(f.Message, "divide it") || strings.Contains(f.Message, ns) {
			t.Errorf("%s: %v", n, f)
		}
	}
	if got := s.values(ns, each[:4]...); got[3] != "v1" {
		t.Errorf("got %q", got)
	}
	if got := s.values(ns, whole[:2]...); len(got[1]) != 900<<10 {
		t.Errorf("got %d bytes", len(got[1]))
	}
}
