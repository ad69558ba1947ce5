package controller_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addKey puts a key of the kind into the ring that is newer than all others,
// and waits until it seals.
func (s *system) addKey(p *process, kind keys.Kind, name string) *keys.Identity {
	s.t.Helper()
	id, err := keys.Generate(kind, time.Now().Add(time.Hour), 0, "")
	path := "/v1/recipients"
	if kind == keys.RSA {
		path = "/v1/cert.pem"
		made := certificateOf(s.t, s.certificate(p.http)).NotBefore
		s.eventually("a second went by", func() bool { return time.Since(made) > time.Second })
		id, err = keys.GenerateRSA(2048, time.Now(), time.Hour, "")
	}
	s.ok(err)
	key := id.Secret("fuin-system", name)
	s.ok(s.Client().Create(s.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: key.Labels},
		Type:       corev1.SecretType(key.Type), Data: key.Data,
	}))
	s.eventually("the new key seals", func() bool { return p.get(p.http+path) == string(id.Recipient().Marshal()) })
	return id
}

// twice seals a value, once in each encoding.
func (s *system) twice(ns string) (rsa, age string) {
	s.t.Helper()
	return s.seal(secret(ns, "db-rsa", "k", "v"), false), s.seal(secret(ns, "db-age", "k", "v"), true)
}

// sharedWithATenant seals to the cluster and to a key that it does not have.
func (s *system) sharedWithATenant(ns string) string {
	s.t.Helper()
	tenant, err := keys.Generate(keys.Hybrid, time.Now(), 0, "")
	s.ok(err)
	both, err := seal.NewSealer(s.recipient("recipients"), tenant.Recipient())
	s.ok(err)
	r, err := both.Manifest([]byte(secret(ns, "db", "k", "v")), seal.Options{})
	s.ok(err)
	return string(r.Out)
}

// opensWith opens all objects of a rotated answer with the given keys alone,
// and returns the encodings of their values.
func opensWith(t *testing.T, answer string, ids ...*keys.Identity) (encodings []string) {
	t.Helper()
	objects, err := seal.Objects([]byte(answer), 100)
	if err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	for _, ob := range objects {
		ob.Templates = nil
		opened, err := seal.Opener{Identities: ids}.Object(t.Context(), ob)
		if err != nil || string(opened.Data["k"]) != "v" {
			t.Errorf("%d values, %v", len(opened.Data), err)
		}
		info, err := seal.Inspect(ob.Values["k"])
		if err != nil {
			t.Error(err)
		}
		encodings = append(encodings, info.Encoding)
	}
	return encodings
}

func TestRotate(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.run()
	ns := s.Namespace(t)
	rsa, age := s.twice(ns)
	certificate, identity := s.addKey(p, keys.RSA, "second"), s.addKey(p, keys.Hybrid, "second-age")
	failing := s.edit(rsa, func(m map[string]any) {
		at(m, map[string]any{"t": "{{ fail .k }}"}, "spec", "template", "data")
	})
	for _, row := range []struct{ name, body, encodings string }{
		{"rsa", rsa, "rsa"},
		{"age", age, "age"},
		{"json", s.edit(rsa, func(map[string]any) {}), "rsa"},
		{"several", rsa + "---\n" + age, "rsa age"},
		{"several of JSON", s.edit(age, func(map[string]any) {}) + s.edit(rsa, func(map[string]any) {}), "age rsa"},
		{"template", failing, "rsa"},
	} {
		status, kind, answer := p.answer("/v1/rotate", row.body)
		if status != http.StatusOK || kind != "application/json" {
			t.Errorf("%s: %d %s %s", row.name, status, kind, answer)
			continue
		}
		if got := strings.Join(opensWith(t, answer, certificate, identity), " "); got != row.encodings {
			t.Errorf("%s: encodings %s, want %s", row.name, got, row.encodings)
		}
		s.isJSON(row.name, answer, len(strings.Fields(row.encodings)))
		status, _, again := p.answer("/v1/rotate", answer)
		if status != http.StatusOK || again != answer {
			t.Errorf("%s: rotated again: %d %s", row.name, status, again)
		}
	}
	s.tries(p, ns)
}

// tries asks for more values than any key opens: the first of them decides.
func (s *system) tries(p *process, ns string) {
	s.t.Helper()
	var values []string
	for i := range 101 {
		values = append(values, fmt.Sprintf("k%d", i), "v")
	}
	junk := s.edit(s.seal(secret(ns, "a", values...), false), func(m map[string]any) { at(m, "moved", "metadata", "name") })
	before := p.metric("fuin_private_key_operations_total")
	status, _, answer := p.answer("/v1/rotate", junk)
	if status != http.StatusInternalServerError || !strings.Contains(answer, "no key opens it") {
		s.t.Errorf("101 values: %d %.300s", status, answer)
	}
	if spent := p.metric("fuin_private_key_operations_total") - before; spent != 2 {
		s.t.Errorf("101 values: %v operations, want those of the first with two keys", spent)
	}
}

// isJSON checks that so many objects stand one behind the other, on lines of
// their own.
func (s *system) isJSON(name, text string, want int) {
	s.t.Helper()
	dec, n := json.NewDecoder(strings.NewReader(text)), 0
	for dec.More() {
		var one map[string]any
		s.ok(dec.Decode(&one))
		n++
	}
	if n != want || strings.Count(text, "}\n{") != want-1 {
		s.t.Errorf("%s: %d objects, want %d: %s", name, n, want, text)
	}
}

func TestWhatIsNotRotated(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.run()
	ns := s.Namespace(t)
	rsa, age := s.twice(ns)
	moved := s.edit(age, func(m map[string]any) { at(m, "other", "metadata", "name") })
	const failed = http.StatusInternalServerError
	for _, row := range []struct {
		name, body string
		want       int
		text       string
	}{
		{"moved", moved, failed, ns + `/other: key "k": sealed for ` + ns + "/db-age, and moved"},
		{"one of several moved", rsa + "---\n" + moved, failed, "and moved"},
		{"to others, too", s.sharedWithATenant(ns), failed, ns + `/db: key "k": sealed to 2 recipients, of which 1 are not of this cluster`},
		{"secret", secret(ns, "db", "k", "hunter2"), failed, "no SealedSecret; found Secret"},
		{"beside a secret", rsa + "---\n" + secret(ns, "db", "k", "hunter2"), failed, `only SealedSecrets are resealed; found "Secret"`},
		{"empty", "", failed, "no SealedSecret"},
		{"noise", "\x00\x01{{", failed, "binary"},
		{"too many", strings.Repeat(rsa+"\n---\n", 101), failed, "more than 100 SealedSecrets"},
		{"too large", strings.Repeat("x", 5<<20), http.StatusRequestEntityTooLarge, ""},
		{"a long name", strings.Replace(rsa, "db-rsa", strings.Repeat("x", 1<<20), 1), failed, ""},
	} {
		status, _, answer := p.answer("/v1/rotate", row.body)
		if status != row.want || !strings.Contains(answer, row.text) || strings.Contains(answer, "hunter2") || len(answer) > 4100 {
			t.Errorf("%s: %d %.300s; want %d %q", row.name, status, answer, row.want, row.text)
		}
	}
	if !strings.Contains(p.get("http://"+p.metrics+"/metrics"), `sealed_secrets_controller_http_requests_total{code="500",method="post",path="/v1/rotate"}`) {
		t.Error("the metrics of the endpoint are missing")
	}
}
