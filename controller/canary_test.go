package controller_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
)

// canary is a value that must come out nowhere but in its Secret.
const canary = "canary-7f3a-hunter2"

// TestNoPlaintextComesOut plants a value in everything that can fail and
// searches what came out: logs, events, statuses, metrics, HTTP answers.
func TestNoPlaintextComesOut(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run()
	ns := s.Namespace(t)
	template := func(text string) func(m map[string]any) {
		return func(m map[string]any) { at(m, map[string]any{"t": text}, "spec", "template", "data") }
	}
	failing := map[string]func(m map[string]any){
		"fail":      template("{{ fail .pw }}"),
		"index":     template("{{ index .pw .pw }}"),
		"call":      template("{{ .pw.x.y }}"),
		"date":      template(`{{ mustToDate "2006-01-02" .pw }}`),
		"include":   template("{{ template .pw }}"),
		"regex":     template(`{{ mustRegexFind (printf "%s(" .pw) .pw }}`),
		"json":      template("{{ mustFromJson .pw }}"),
		"endless":   template("{{ range 100000000000 }}{{ end }}{{ .pw }}"),
		"hungry":    template(`{{ $x := .pw }}{{ range 64 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`),
		"type":      func(m map[string]any) { at(m, "kubernetes.io/dockerconfigjson", "spec", "template", "type") },
		"moved":     func(m map[string]any) { at(m, "moved-away", "metadata", "name") },
		"plaintext": func(m map[string]any) { at(m, canary, "spec", "encryptedData", "plain") },
		"encoded": func(m map[string]any) {
			at(m, base64.StdEncoding.EncodeToString([]byte(canary)), "spec", "encryptedData", "plain")
		},
	}
	for name, change := range failing {
		key := "pw"
		if name == "type" {
			key = ".dockerconfigjson"
		}
		s.apply(s.edit(s.seal(secret(ns, name, key, canary), true), change))
	}
	for name := range failing {
		if name == "moved" {
			name = "moved-away"
		}
		s.says(ns, name, bitnami.Ready, corev1.ConditionFalse, "")
	}
	s.apply(s.seal(secret(ns, "good", "pw", canary), false))
	s.opens(ns, "good", "pw", canary)
	s.rests(ns, "good")

	s.search("log", p.log.String())
	s.search("metrics", p.get("http://"+p.metrics+"/metrics"))
	var events corev1.EventList
	s.ok(s.Client().List(t.Context(), &events))
	if len(events.Items) < len(failing) {
		t.Errorf("only %d events", len(events.Items))
	}
	s.search("events", events)
	for _, name := range append(keysOf(failing), "good") {
		if name == "moved" {
			name = "moved-away"
		}
		s.search("status of "+name, s.sealedSecret(ns, name).Status)
	}
	moved := s.edit(s.seal(secret(ns, "good", "pw", canary), true), failing["moved"])
	for _, body := range []string{
		s.seal(secret(ns, "good", "pw", canary), true), s.seal(secret(ns, "good", "pw", canary), false),
		s.edit(s.seal(secret(ns, "good", "pw", canary), true), template("{{ fail .pw }}")),
		moved, s.edit(moved, failing["plaintext"]), s.edit(moved, failing["encoded"]),
		secret(ns, "good", "pw", canary), canary,
	} {
		for _, path := range []string{"/v1/verify", "/v1/rotate"} {
			_, _, answer := p.answer(path, body)
			s.search("answer of "+path, answer)
		}
	}
	p.stop()
	s.search("log at the end", p.log.String())
}

func keysOf[V any](m map[string]V) []string {
	var out []string
	for key := range m {
		out = append(out, key)
	}
	return out
}

// search fails if the canary stands in what, plain or in base64.
func (s *system) search(name string, what any) {
	s.t.Helper()
	text, ok := what.(string)
	if !ok {
		b, err := json.Marshal(what)
		s.ok(err)
		text = string(b)
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), "7f3a-hunter2"} {
		if i := strings.Index(text, form); i >= 0 {
			s.t.Errorf("%s: the value comes out: …%s…", name, text[max(0, i-80):min(len(text), i+80)])
		}
	}
}
