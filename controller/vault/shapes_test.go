package vault_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/vault"
)

const canary = "canary-31f0"

// TestOddAnswersAreTheirValuesOnly has a Vault that answers some requests in a way
// that no Vault does: that is told of them, and the rest is read as ever.
func TestOddAnswersAreTheirValuesOnly(t *testing.T) {
	base := newSystem(t)
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	for name, test := range map[string]struct {
		path   string // of the request, from its end
		answer http.HandlerFunc
		reason string
	}{
		"a value: nothing":             {"apps/data/NS/odd", say(200, `{}`), vault.InvalidAnswer},
		"a value: a list":              {"apps/data/NS/odd", say(200, `[]`), vault.InvalidAnswer},
		"a value: data is null":        {"apps/data/NS/odd", say(200, `{"data":null}`), vault.InvalidAnswer},
		"a value: data is text":        {"apps/data/NS/odd", say(200, `{"data":"`+canary+`"}`), vault.InvalidAnswer},
		"a value: data is a list":      {"apps/data/NS/odd", say(200, `{"data":{"data":["`+canary+`"]}}`), vault.InvalidAnswer},
		"a value: not of KV version 2": {"apps/data/NS/odd", say(200, `{"data":{"k":"`+canary+`"}}`), vault.InvalidAnswer},
		"a value: deep":                {"apps/data/NS/odd", say(200, `{"data":{"data":{"k":`+deep+`}}}`), vault.InvalidAnswer},
		"a value: too large":           {"apps/data/NS/odd", say(200, `{"data":{"data":{"k":"`+strings.Repeat("x", 2<<20)+`"}}}`), vault.InvalidAnswer},
		"a value: endless":             {"apps/data/NS/odd", endless, vault.InvalidAnswer},
		"a value: twice":               {"apps/data/NS/odd", say(200, `{"data":{"data":{"k":"a"}}}{"data":{"data":{"k":"b"}}}`), vault.InvalidAnswer},
		"a value: an error inside":     {"apps/data/NS/odd", say(500, `{"errors":["`+canary+`"]}`), vault.FailedRequest},
		"a value: wrong errors":        {"apps/data/NS/odd", say(500, `{"errors":{"a":"`+canary+`"}}`), vault.InvalidAnswer},
		"a value: asked for too much":  {"apps/data/NS/odd", say(413, `{"errors":[]}`), vault.FailedRequest},
		"a log-in: nothing":            {"/login", say(200, `{}`), vault.InvalidAnswer},
		"a log-in: not text":           {"/login", say(200, `{"auth":{"client_token":7}}`), vault.InvalidAnswer},
		"a log-in: no header":          {"/login", say(200, `{"auth":{"client_token":"a\r\nX-Vault-Namespace: b"}}`), vault.InvalidAnswer},
		"a log-in: refused":            {"/login", say(400, `{"errors":["`+canary+`"]}`), vault.LoginFailed},
		"a mount: nothing":             {"mounts/odd-mount/odd", say(200, `{}`), vault.InvalidAnswer},
		"a mount: elsewhere":           {"mounts/odd-mount/odd", say(200, `{"data":{"type":"kv","path":"other/"}}`), vault.InvalidAnswer},
		"a mount: all there is":        {"mounts/odd-mount/odd", say(200, `{"data":{"type":"kv","path":"/"}}`), vault.InvalidAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			s := base.in(t)
			s.fresh()
			ns := s.tenant()
			p := s.proxy()
			connection := s.through(p, nil)
			p.answerAt(strings.Replace(test.path, "NS", ns, 1), test.answer)
			s.put("apps/"+ns+"/even", map[string]any{"k": "good"})
			even := func() error {
				_, err := s.resolver.Resolve(t.Context(), vault.Request{Namespace: ns, References: s.refs("apps/" + ns + "/even#/k"), NotBefore: time.Now()})
				return err
			}
			login := test.path == "/login"
			if !login {
				s.ok(even())
			}
			path := "apps/" + ns + "/odd"
			if strings.Contains(test.path, "odd-mount") {
				path = "odd-mount/odd"
			}
			_, err := s.resolve(ns, path+"#/k")
			f := s.fails(test.reason, err, canary)
			if f.Absent || !f.Again || f.Connection != connection {
				t.Errorf("got %+v", f)
			}
			_, err = s.resolve(ns, path+"?optional=true#/k")
			_ = s.fails(test.reason, err, canary)
			if !login {
				s.eventually("the rest is read", func() bool { return even() == nil })
			}
		})
	}
}

// endless answers with more than anybody should read.
func endless(w http.ResponseWriter, r *http.Request) {
	piece := bytes.Repeat([]byte(" "), 64<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}
