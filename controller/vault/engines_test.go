package vault_test

import (
	"net/http"
	"testing"

	"fuin.dev/controller/vault"
)

// TestWhatAnEngineSaysIsNotAboutVault: what a namespace can have an engine answer
// keeps no other from the connection.
func TestWhatAnEngineSaysIsNotAboutVault(t *testing.T) {
	s := newSystem(t)
	p := s.proxy()
	s.through(p, nil)
	odd, even := s.tenant(), s.tenant()
	s.put("apps/"+even+"/x", map[string]any{"k": "v"})
	path := "db/creds/" + odd
	_, err := s.resolve(odd, path) // so that it is known what is mounted there
	_ = s.fails(vault.FailedRequest, err)
	quota, gateway := say(429, `{"errors":["lease count quota exceeded"]}`), say(502, `{"errors":["upstream"]}`)
	for _, test := range []struct {
		path, reason string
		answer       http.HandlerFunc
	}{
		{"pki/ca/pem", vault.InvalidAnswer, nil}, // PEM, to everybody
		{"pki/crl", vault.InvalidAnswer, nil},    // bytes
		{path, vault.RateLimited, quota},
		{path, vault.FailedRequest, gateway},
	} {
		if test.answer != nil {
			p.answerAt(path, test.answer)
		}
		for range 3 {
			_, err := s.resolve(odd, test.path)
			_ = s.fails(test.reason, err, "BEGIN")
			if got := s.values(even, "apps/"+even+"/x#/k"); got[0] != "v" {
				t.Errorf("got %q", got)
			}
		}
	}
}
