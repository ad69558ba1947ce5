package controller_test

import (
	"encoding/base64"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
)

// canary is a value that must come out nowhere but in its Secret.
const canary = "canary-7f3a-hunter2"

// TestNoPlaintextComesOut plants a value in everything that can fail and
// searches what came out: logs, events, statuses, metrics, HTTP answers.
func TestNoPlaintextComesOut(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
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
		s.Put(s.Edit(s.Seal(secret(ns, name, key, canary), true), change))
	}
	for name := range failing {
		if name == "moved" {
			name = "moved-away"
		}
		s.Says(ns, name, bitnami.Ready, corev1.ConditionFalse, "")
	}
	s.Put(s.Seal(secret(ns, "good", "pw", canary), false))
	s.Opens(ns, "good", "pw", canary)
	s.Rests(ns, "good")

	s.Search("log", p.Log.String(), canary)
	s.Search("metrics", p.Get(p.Metrics), canary)
	events := s.Events("", len(failing))
	s.Search("events", events, canary)
	for _, name := range append(keysOf(failing), "good") {
		if name == "moved" {
			name = "moved-away"
		}
		s.Search("status of "+name, s.SealedSecret(ns, name).Status, canary)
	}
	moved := s.Edit(s.Seal(secret(ns, "good", "pw", canary), true), failing["moved"])
	for _, body := range []string{
		s.Seal(secret(ns, "good", "pw", canary), true), s.Seal(secret(ns, "good", "pw", canary), false),
		s.Edit(s.Seal(secret(ns, "good", "pw", canary), true), template("{{ fail .pw }}")),
		moved, s.Edit(moved, failing["plaintext"]), s.Edit(moved, failing["encoded"]),
		secret(ns, "good", "pw", canary), canary,
	} {
		for _, path := range []string{"/v1/verify", "/v1/rotate"} {
			answer := p.Post(path, body).Text
			s.Search("answer of "+path, answer, canary)
		}
	}
	p.Stop()
	s.Search("log at the end", p.Log.String(), canary)
}

func keysOf[V any](m map[string]V) []string {
	var out []string
	for key := range m {
		out = append(out, key)
	}
	return out
}
