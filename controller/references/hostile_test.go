package references_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestTemplatesSeeNoMoreThanWhatWasSealed: values of references stand where the
// references do, and a template that looks at all its inputs finds none of them.
func TestTemplatesSeeNoMoreThanWhatWasSealed(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"a": "{{ .x }}"})
	s.Run(fuintest.Alone)
	ref := s.ref(ns, "db", "a")
	s.apply(templated(ns, "db", map[string]any{
		"all":     "{{ range $k, $v := . }}{{ $k }}={{ $v }}{{ end }}{{ len . }} " + ref,
		"defined": `{{ define "t" }}<` + ref + `>{{ . }}{{ end }}{{ template "t" "x" }}`,
		"within":  `{{ with "w" }}` + ref + `{{ . }}{{ end }}`,
	}))
	s.has(ns, "db", map[string]string{"all": "0 {{ .x }}", "defined": "<{{ .x }}>x", "within": "{{ .x }}w"})
}

// TestManyKeysOfOneReference: an object full of them is opened as any other.
func TestManyKeysOfOneReference(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.Shared(t))
	ns := s.tenant()
	s.put(ns, "db", map[string]any{"a": "v"})
	s.Run(fuintest.Alone)
	templates, want := map[string]any{}, map[string]string{}
	for i := range 4000 {
		key := fmt.Sprint("k", i)
		templates[key], want[key] = s.ref(ns, "db", "a"), "v"
	}
	s.apply(templated(ns, "db", templates))
	s.has(ns, "db", want)
	for i := range 1001 {
		templates[fmt.Sprint("k", i)] = s.ref(ns, "db", fmt.Sprint("a", i))
	}
	s.apply(templated(ns, "many", templates))
	s.says(ns, "many", bitnami.Ready, corev1.ConditionFalse, "InvalidReference")
}

// TestForgedLeases: who writes the status of a SealedSecret makes no lease longer,
// and takes none from another object.
func TestForgedLeases(t *testing.T) {
	s := newStand(t, kubetest.Shared(t), vaulttest.New(t, vaulttest.Config{}))
	ns := s.tenant()
	ref := s.database(time.Hour)
	p := s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"user": ref("username")}))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	real := s.SealedSecret(ns, "db").Status.Fuin.Lease
	p.Stop()

	s.status(ns, "db", func(status map[string]any) {
		lease := status["fuin"].(map[string]any)["lease"].(map[string]any)
		lease["ends"], lease["renew"] = "2099-01-01T00:00:00Z", "2098-01-01T00:00:00Z"
	})
	before := string(s.Secret(ns, "db").Data["user"])
	p = s.Run(fuintest.Alone)
	s.Eventually("the lease is a real one", func() bool {
		l := s.SealedSecret(ns, "db").Status.Fuin.Lease
		s.Last = fmt.Sprint(l)
		return l != nil && l.Ends.Before(&real.Ends) || l != nil && time.Until(l.Ends.Time) < 2*time.Hour
	})
	s.Eventually("it was fetched anew", func() bool { return string(s.Secret(ns, "db").Data["user"]) != before })
	p.Stop()

	// Neither does the record of one object count for another that has its Secret's values.
	copied := s.SealedSecret(ns, "db").Status
	s.apply(templated(ns, "copy", map[string]any{"user": ref("username")}),
		map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{
			"namespace": ns, "name": "copy", "annotations": map[string]any{"sealedsecrets.bitnami.com/managed": "true"},
		}, "data": map[string]any{"user": s.Secret(ns, "db").Data["user"]}})
	s.status(ns, "copy", func(status map[string]any) {
		text, err := json.Marshal(copied)
		s.OK(err)
		s.OK(json.Unmarshal(text, &status))
	})
	made := s.users().Created
	s.Run(fuintest.Alone)
	s.Eventually("the copy has credentials of its own", func() bool {
		return string(s.Secret(ns, "copy").Data["user"]) != string(s.Secret(ns, "db").Data["user"])
	})
	if n := s.users().Created; n != made+1 {
		t.Errorf("%d credentials were made beside the first %d, want one", n-made, made)
	}
}

// status changes what an object's status says, as who may write it could.
func (s *stand) status(ns, name string, change func(map[string]any)) {
	s.T.Helper()
	u := fuintest.NamedSealedSecret(ns, name)
	s.OK(s.Client().Get(s.T.Context(), fuintest.Key(ns, name), u))
	status, _ := u.Object["status"].(map[string]any)
	if status == nil {
		status = map[string]any{}
	}
	change(status)
	u.Object["status"] = status
	s.OK(s.Client().Status().Update(s.T.Context(), u))
}

// TestLeasesUnderACRDThatDropsThem: with the CRD of Sealed Secrets the status tells
// of no lease, and the controller still fetches it once, not in each pass.
func TestLeasesUnderACRDThatDropsThem(t *testing.T) {
	t.Parallel()
	s := newStand(t, kubetest.New(t, kubetest.Config{}), vaulttest.New(t, vaulttest.Config{}))
	ns := s.tenant()
	definition := fuintest.Named(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, "", "sealedsecrets.bitnami.com")
	s.OK(s.Client().Patch(t.Context(), definition, client.RawPatch("application/json-patch+json",
		[]byte(`[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/fuin"}]`))))
	ref := s.database(time.Hour)
	s.put(ns, "db", map[string]any{"host": "h0"})
	p := s.Run(fuintest.Alone)
	s.apply(templated(ns, "db", map[string]any{"user": ref("username"), "host": s.ref(ns, "db", "host")}))
	s.says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "Unsealed")
	if s.SealedSecret(ns, "db").Status.Fuin != nil {
		t.Fatal("the CRD drops nothing")
	}
	user := string(s.Secret(ns, "db").Data["user"])
	for _, host := range []string{"h1", "h2"} {
		s.put(ns, "db", map[string]any{"host": host})
		s.Patch(fuintest.NamedSealedSecret(ns, "db"), `{"metadata":{"labels":{"a":"`+host+`"}}}`)
		s.has(ns, "db", map[string]string{"user": user, "host": host})
	}
	if n := s.users().Created; n != 1 {
		t.Errorf("%d credentials were made, want one", n)
	}
	if log := p.Log.String(); !strings.Contains(log, "drops status.fuin") {
		t.Error("the log does not tell that the CRD drops the record")
	}
}
