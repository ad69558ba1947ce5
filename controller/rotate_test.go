package controller_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addKey puts a key of the kind into the ring that is newer than all others,
// and waits until it seals.
func (s *system) addKey(p *fuintest.Process, kind keys.Kind, name string) *keys.Identity {
	s.T.Helper()
	id, err := keys.Generate(kind, time.Now().Add(time.Hour), 0, "")
	path := "/v1/recipients"
	if kind == keys.RSA {
		path = "/v1/cert.pem"
		made := certificateOf(s.T, s.certificate(p.HTTP)).NotBefore
		s.Eventually("a second went by", func() bool { return time.Since(made) > time.Second })
		id, err = keys.GenerateRSA(2048, time.Now(), time.Hour, "")
	}
	s.OK(err)
	key := id.Secret("fuin-system", name)
	s.OK(s.Client().Create(s.T.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: key.Labels},
		Type:       corev1.SecretType(key.Type), Data: key.Data,
	}))
	s.Eventually("the new key seals", func() bool { return p.Get(p.HTTP+path) == string(id.Recipient().Marshal()) })
	return id
}

// twice seals a value, once in each encoding.
func (s *system) twice(ns string) (rsa, age string) {
	s.T.Helper()
	return s.Seal(secret(ns, "db-rsa", "k", "v"), false), s.Seal(secret(ns, "db-age", "k", "v"), true)
}

// sharedWithATenant seals to the cluster and to a key that it does not have.
func (s *system) sharedWithATenant(ns string) string {
	s.T.Helper()
	tenant, err := keys.Generate(keys.Hybrid, time.Now(), 0, "")
	s.OK(err)
	both, err := seal.NewSealer(s.Recipient("recipients"), tenant.Recipient())
	s.OK(err)
	r, err := both.Manifest([]byte(secret(ns, "db", "k", "v")), seal.Options{})
	s.OK(err)
	return string(r.Out)
}

// opensWith opens all objects of a rotated answer with the given keys fuintest.Alone,
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
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	rsa, age := s.twice(ns)
	certificate, identity := s.addKey(p, keys.RSA, "second"), s.addKey(p, keys.Hybrid, "second-age")
	failing := s.Edit(rsa, func(m map[string]any) {
		at(m, map[string]any{"t": "{{ fail .k }}"}, "spec", "template", "data")
	})
	for _, row := range []struct{ name, body, encodings string }{
		{"rsa", rsa, "rsa"},
		{"age", age, "age"},
		{"json", s.Edit(rsa, func(map[string]any) {}), "rsa"},
		{"several", rsa + "---\n" + age, "rsa age"},
		{"several of JSON", s.Edit(age, func(map[string]any) {}) + s.Edit(rsa, func(map[string]any) {}), "age rsa"},
		{"template", failing, "rsa"},
	} {
		got := p.Post("/v1/rotate", row.body)
		if got.Status != http.StatusOK || got.Type != "application/json" {
			t.Errorf("%s: %+v", row.name, got)
			continue
		}
		if encodings := strings.Join(opensWith(t, got.Text, certificate, identity), " "); encodings != row.encodings {
			t.Errorf("%s: encodings %s, want %s", row.name, encodings, row.encodings)
		}
		s.isJSON(row.name, got.Text, len(strings.Fields(row.encodings)))
		if again := p.Post("/v1/rotate", got.Text); again != got {
			t.Errorf("%s: rotated again: %+v", row.name, again)
		}
	}
	s.tries(p, ns)
}

// tries asks for more values than any key opens: the first of them decides.
func (s *system) tries(p *fuintest.Process, ns string) {
	s.T.Helper()
	var values []string
	for i := range 101 {
		values = append(values, fmt.Sprintf("k%d", i), "v")
	}
	junk := s.Edit(s.Seal(secret(ns, "a", values...), false), func(m map[string]any) { at(m, "moved", "metadata", "name") })
	before := p.Operations()
	got := p.Post("/v1/rotate", junk)
	if got.Status != http.StatusInternalServerError || !strings.Contains(got.Text, "no key opens it") {
		s.T.Errorf("101 values: %d %.300s", got.Status, got.Text)
	}
	if spent := p.Operations() - before; spent != 2 {
		s.T.Errorf("101 values: %v operations, want those of the first with two keys", spent)
	}
}

// isJSON checks that so many objects stand one behind the other, on lines of
// their own.
func (s *system) isJSON(name, text string, want int) {
	s.T.Helper()
	dec, n := json.NewDecoder(strings.NewReader(text)), 0
	for dec.More() {
		var one map[string]any
		s.OK(dec.Decode(&one))
		n++
	}
	if n != want || strings.Count(text, "}\n{") != want-1 {
		s.T.Errorf("%s: %d objects, want %d: %s", name, n, want, text)
	}
}

func TestWhatIsNotRotated(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	rsa, age := s.twice(ns)
	moved := s.Edit(age, func(m map[string]any) { at(m, "other", "metadata", "name") })
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
		got := p.Post("/v1/rotate", row.body)
		if got.Status != row.want || !strings.Contains(got.Text, row.text) || strings.Contains(got.Text, "hunter2") || len(got.Text) > 4100 {
			t.Errorf("%s: %d %.300s; want %d %q", row.name, got.Status, got.Text, row.want, row.text)
		}
	}
	if !strings.Contains(p.Get(p.Metrics), `sealed_secrets_controller_http_requests_total{code="500",method="post",path="/v1/rotate"}`) {
		t.Error("the metrics of the endpoint are missing")
	}
}
