package seal_test

import (
	"errors"
	"strings"
	"testing"

	"fuin.dev/seal"
)

const templated = `# kept
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: shop}
spec:
  encryptedData: {}
  template:
    data:
      host: db # stays
      password: "canary"
      app.properties: |
        a=b
        password=canary
      url: postgres://{{ .pw }}@db
      ref: ref+vault://secret/db#/x
`

// What a template holds in plain becomes a sealed value, and nothing else
// changes.
func TestEnclose(t *testing.T) {
	s := sealer(t, "x25519")
	for line, want := range map[int][2]string{10: {"password", "canary"}, 12: {"app.properties", "a=b\npassword=canary\n"}, 13: {"app.properties", "a=b\npassword=canary\n"}} {
		target, ok := seal.TemplateAt([]byte(templated), line)
		if !ok || target.Key != want[0] || target.Name != "db" || target.Namespace != "shop" {
			t.Fatalf("line %d: %v %v", line, target, ok)
		}
		r, err := s.Enclose([]byte(templated), target)
		if err != nil {
			t.Fatal(err)
		}
		states, err := seal.States(r.Out)
		if err != nil {
			t.Fatal(err)
		}
		ob := states[0].Object
		value, _, err := opener("x25519").Open(ob.Place(target.Key), ob.Values[target.Key])
		if err != nil || string(value) != want[1] {
			t.Errorf("%s is %q, %v", target.Key, value, err)
		}
		if _, ok := ob.Templates[target.Key]; ok || len(ob.Templates) != 4 {
			t.Errorf("templates %v", ob.Templates)
		}
		var kept []string
		for line := range strings.Lines(string(r.Out)) {
			if strings.Contains(templated, line) {
				kept = append(kept, line)
			}
		}
		if gone := len(strings.Split(templated, "\n")) - 1 - len(kept); gone > 5 {
			t.Errorf("%d lines changed:\n%s", gone, r.Out)
		}
	}
	for _, line := range []int{1, 4, 7, 99} {
		if target, ok := seal.TemplateAt([]byte(templated), line); ok {
			t.Errorf("line %d: %v", line, target)
		}
	}
}

func TestEncloseRefuses(t *testing.T) {
	s := sealer(t, "x25519")
	beside := strings.Replace(templated, "encryptedData: {}", "encryptedData: {password: AgBx}", 1)
	input := strings.Replace(templated, "namespace: shop}", "namespace: shop, annotations: {fuin.dev/inputs: password}}", 1)
	feeds := strings.Replace(templated, ".pw", ".password", 1)
	all := strings.Replace(templated, "{{ .pw }}", "{{ . | toJson }}", 1)
	for name, tt := range map[string]struct{ data, key, want string }{
		"feeds a template": {feeds, "password", "another template would see it"},
		"feeds all":        {all, "password", "another template would see it"},
		"a template":       {templated, "url", "a template that holds a value in plain, and more"},
		"a reference":      {templated, "ref", "it refers to Vault"},
		"a sealed value":   {beside, "password", "a sealed value of that name feeds its templates"},
		"an input":         {input, "password", "a sealed value of that name feeds its templates"},
		"no such key":      {templated, "none", "its template has no key"},
		"no SealedSecret":  {"a: canary\n", "a", "no SealedSecret"},
	} {
		_, err := s.Enclose([]byte(tt.data), seal.Target{Key: tt.key})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		var e *seal.Error
		if !errors.As(err, &e) || e.Hint() == "" {
			t.Errorf("%s: no hint: %v", name, err)
		}
	}
}
