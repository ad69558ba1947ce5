package controller_test

import (
	"encoding/base64"
	"strings"
	"syscall"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
)

// others proves that nothing else was disturbed: a fresh object opens.
func (s *system) others(ns string) {
	s.T.Helper()
	s.Put(s.Seal(secret(ns, "other", "k", "v"), false))
	s.Opens(ns, "other", "k", "v")
}

func TestGarbageIsReported(t *testing.T) {
	s, ns := shared(t)
	for name, change := range map[string]func(m map[string]any){
		"no-values": func(m map[string]any) { at(m, "hunter2", "spec", "encryptedData", "k") },
		"bad-key":   func(m map[string]any) { at(m, "AgB=", "spec", "encryptedData", "no/key of a Secret") },
		"both": func(m map[string]any) {
			at(m, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 600))), "spec", "data")
		},
		"metadata": func(m map[string]any) {
			at(m, map[string]any{"creationTimestamp": "yesterday", "ownerReferences": "x", "managedFields": 3}, "spec", "template", "metadata")
			at(m, "AgB=", "spec", "encryptedData", "k")
		},
	} {
		s.Put(s.Edit(s.Seal(secret(ns, name, "k", "v"), true), change))
		s.Says(ns, name, bitnami.Stalled, corev1.ConditionTrue, "")
		if s.Secret(ns, name) != nil {
			t.Errorf("%s: a Secret was made", name)
		}
	}
	s.others(ns)
}

func TestEmptyObjectMakesAnEmptySecret(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Edit(s.Seal(secret(ns, "empty", "k", "v"), true), func(m map[string]any) {
		at(m, map[string]any{}, "spec", "encryptedData")
	}))
	s.Says(ns, "empty", bitnami.Ready, corev1.ConditionTrue, "")
	if made := s.Secret(ns, "empty"); made == nil || len(made.Data) != 0 {
		t.Errorf("made %v", made)
	}
}

func TestTemplateThatNeverEnds(t *testing.T) {
	s, ns := shared(t)
	endless := s.Edit(s.Seal(secret(ns, "endless", "k", "v"), true), func(m map[string]any) {
		at(m, map[string]any{"t": "{{ range 100000000000 }}{{ end }}"}, "spec", "template", "data")
	})
	s.Put(endless)
	s.others(ns)
	s.Says(ns, "endless", bitnami.Ready, corev1.ConditionFalse, `template "t" did not finish in time`)
	s.Rests(ns, "endless")
}

func TestMalformedKeySecretIsReported(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	bad := fuintest.NamedSecret("fuin-system", "malformed-key")
	bad.Labels = map[string]string{keys.LabelRSA: "active"}
	bad.Data = map[string][]byte{"tls.key": []byte("hunter2"), "tls.crt": []byte("x")}
	s.OK(s.Client().Create(t.Context(), bad))
	t.Cleanup(func() { _ = s.Client().Delete(t.Context(), bad) })
	s.Eventually("it is logged", func() bool { return strings.Contains(p.Log.String(), "passing over a key Secret") })
	s.others(ns)
	p.Stop()
	s.Run(fuintest.Alone) // nor does it keep a controller from starting
	s.Put(s.Seal(secret(ns, "another", "k", "v"), true))
	s.Opens(ns, "another", "k", "v")
	s.OK(s.Client().Delete(t.Context(), bad))
}

func TestSealedSecretMakesNoKey(t *testing.T) {
	s, _ := shared(t)
	const ns = "fuin-system"
	mine, err := keys.Generate(keys.Hybrid, time.Now(), 0, "")
	s.OK(err)
	key := mine.Secret(ns, "planted")
	for name, change := range map[string]func(m map[string]any){
		"by-label": func(m map[string]any) {
			at(m, map[string]any{keys.LabelAge: "active"}, "spec", "template", "metadata", "labels")
		},
		"by-type": func(m map[string]any) { at(m, keys.TypeAge, "spec", "template", "type") },
		"no-owner": func(m map[string]any) {
			at(m, map[string]any{keys.LabelRSA: "active"}, "spec", "template", "metadata", "labels")
			at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
		},
	} {
		s.Put(s.Edit(s.Seal(secret(ns, name, "identity", string(key.Data["identity"])), true), change))
		s.Says(ns, name, bitnami.Ready, corev1.ConditionFalse, "makes no key of the cluster")
		s.OK(s.Client().Delete(t.Context(), fuintest.NamedSealedSecret(ns, name)))
	}
}

func TestRevokedKeyOpensNothingMore(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	s.Put(s.Seal(secret(ns, "old", "k", "v"), true))
	s.Opens(ns, "old", "k", "v")
	s.Rests(ns, "old")
	key := s.ageKey()
	s.Patch(key, `{"metadata":{"labels":{"`+keys.LabelAge+`":"revoked"}}}`)
	s.Says(ns, "old", bitnami.Ready, corev1.ConditionFalse, "no key opens it")
	if made := s.Secret(ns, "old"); made == nil || string(made.Data["k"]) != "v" {
		t.Error("the Secret of a revoked key is gone")
	}
	s.Patch(key, `{"metadata":{"labels":{"`+keys.LabelAge+`":"active"}}}`) // restored
	s.Says(ns, "old", bitnami.Ready, corev1.ConditionTrue, "")
}

// TestDeletionsThatNobodyWatched deletes a Secret and a SealedSecret while the controller cannot
// watch, and restarts the API server, so that the watches begin anew and the
// deletions come as tombstones.
func TestDeletionsThatNobodyWatched(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	for _, name := range []string{"loses-secret", "goes"} {
		s.Put(s.Seal(secret(ns, name, "k", "v"), true))
		s.Opens(ns, name, "k", "v")
		s.Rests(ns, name)
	}
	s.OK(p.Cmd.Process.Signal(syscall.SIGSTOP))
	s.OK(s.Client().Delete(t.Context(), fuintest.NamedSecret(ns, "loses-secret")))
	s.OK(s.Client().Delete(t.Context(), fuintest.NamedSealedSecret(ns, "goes")))
	s.OK(s.APIServer.Stop())
	s.RestartAPIServer()
	s.OK(p.Cmd.Process.Signal(syscall.SIGCONT))
	s.Opens(ns, "loses-secret", "k", "v")
	s.Eventually("the Secret of the one that went is collected", func() bool { return s.Secret(ns, "goes") == nil })
	s.others(ns)
}

func TestSurvivesTheAPIServer(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	s.others(ns)
	sealed := s.Seal(secret(ns, "late", "k", "v"), true)
	s.OK(s.APIServer.Stop())
	s.RestartAPIServer()
	s.Put(sealed)
	s.Opens(ns, "late", "k", "v")
}
