package controller_test

import (
	"bytes"
	"maps"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	managed   = "sealedsecrets.bitnami.com/managed"
	patched   = "sealedsecrets.bitnami.com/patch"
	skipOwner = "sealedsecrets.bitnami.com/skip-set-owner-references"
)

func TestChangesOfTheSpecReachTheSecret(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Seal(secret(ns, "db", "user", "shop", "password", "old"), true))
	s.Opens(ns, "db", "password", "old")
	s.Put(s.Seal(secret(ns, "db", "password", "new", "added", "x"), true))
	made := s.Opens(ns, "db", "password", "new")
	if len(made.Data) != 2 || string(made.Data["added"]) != "x" {
		t.Errorf("data is %v, want password and added", maps.Keys(made.Data))
	}
}

func TestExistingSecretIsLeftAloneUnlessHandedOver(t *testing.T) {
	s, ns := shared(t)
	other := fuintest.NamedSecret(ns, "db")
	other.Data = map[string][]byte{"password": []byte("theirs"), "more": []byte("x")}
	other.Labels = map[string]string{"theirs": "yes"}
	s.OK(s.Client().Create(t.Context(), other))
	s.Put(s.Seal(secret(ns, "db", "password", "ours"), false))
	s.Says(ns, "db", bitnami.Synced, corev1.ConditionFalse, "already exists and is not managed by SealedSecret")
	s.Says(ns, "db", bitnami.Stalled, corev1.ConditionTrue, "")
	if got := s.Secret(ns, "db"); string(got.Data["password"]) != "theirs" || got.ResourceVersion != other.ResourceVersion {
		t.Errorf("the Secret was written: %v", got.ObjectMeta)
	}
	s.Patch(fuintest.NamedSecret(ns, "db"), `{"metadata":{"annotations":{"`+managed+`":"true"}}}`)
	made := s.Opens(ns, "db", "password", "ours")
	if len(made.Data) != 1 || !metav1.IsControlledBy(made, s.SealedSecret(ns, "db")) || made.Labels["theirs"] != "yes" {
		t.Errorf("taken over as %v with owners %v and labels %v", made.Data, made.OwnerReferences, made.Labels)
	}
	s.Says(ns, "db", bitnami.Synced, corev1.ConditionTrue, "")
}

func TestPatchedSecretKeepsTheRest(t *testing.T) {
	for _, alsoManaged := range []bool{false, true} {
		s, ns := shared(t)
		other := fuintest.NamedSecret(ns, "db")
		other.Data = map[string][]byte{"theirs": []byte("x"), "password": []byte("old")}
		other.Annotations = map[string]string{patched: "true"}
		if alsoManaged {
			other.Annotations[managed] = "true"
		}
		s.OK(s.Client().Create(t.Context(), other))
		s.Put(s.Seal(secret(ns, "db", "password", "ours"), false))
		made := s.Opens(ns, "db", "password", "ours")
		if string(made.Data["theirs"]) != "x" || metav1.IsControlledBy(made, s.SealedSecret(ns, "db")) != alsoManaged {
			t.Errorf("managed=%t: patched as %v with owners %v", alsoManaged, made.Data, made.OwnerReferences)
		}
		s.Rests(ns, "db")
	}
}

func TestPatchOfAnEmptySecret(t *testing.T) {
	s, ns := shared(t)
	empty := fuintest.NamedSecret(ns, "db")
	empty.Annotations = map[string]string{patched: "true"}
	s.OK(s.Client().Create(t.Context(), empty))
	s.Put(s.Seal(secret(ns, "db", "password", "ours"), true))
	s.Opens(ns, "db", "password", "ours")
}

func TestDeletedSecretIsMadeAgainIfOwnedOrManaged(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Seal(secret(ns, "owned", "k", "v"), true))
	s.Put(s.Edit(s.Seal(secret(ns, "managed", "k", "v"), true), func(m map[string]any) {
		at(m, map[string]any{managed: "true", skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}))
	s.Put(s.Edit(s.Seal(secret(ns, "unowned", "k", "v"), true), func(m map[string]any) {
		at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}))
	for _, name := range []string{"owned", "managed", "unowned"} {
		if made := s.Opens(ns, name, "k", "v"); (len(made.OwnerReferences) == 0) != (name != "owned") {
			t.Errorf("%s has owners %v", name, made.OwnerReferences)
		}
		s.Says(ns, name, bitnami.Synced, corev1.ConditionTrue, "")
		s.OK(s.Client().Delete(t.Context(), fuintest.NamedSecret(ns, name)))
	}
	s.Opens(ns, "owned", "k", "v")
	s.Opens(ns, "managed", "k", "v")
	// A later object that opened tells that the queue went past the deletion.
	s.Put(s.Seal(secret(ns, "later", "k", "v"), true))
	s.Opens(ns, "later", "k", "v")
	if s.Secret(ns, "unowned") != nil {
		t.Error("an unowned Secret came back")
	}
	// A change of its spec is a reason, though.
	s.Put(s.Edit(s.Seal(secret(ns, "unowned", "k", "v2"), true), func(m map[string]any) {
		at(m, map[string]any{skipOwner: "true"}, "spec", "template", "metadata", "annotations")
	}))
	s.Opens(ns, "unowned", "k", "v2")
	s.Says(ns, "unowned", bitnami.Synced, corev1.ConditionTrue, "")
}

func TestEditedSecretIsRepaired(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Edit(s.Seal(secret(ns, "db", "password", "right", "user", "shop"), true), func(m map[string]any) {
		at(m, map[string]any{"app": "db"}, "spec", "template", "metadata", "labels")
	}))
	s.Opens(ns, "db", "password", "right")
	s.Rests(ns, "db")
	s.Patch(fuintest.NamedSecret(ns, "db"), `{"data":{"password":"d3Jvbmc=","user":null,"extra":"eA=="},"metadata":{"labels":{"app":"other","theirs":"yes"},"ownerReferences":null}}`)
	made := s.Opens(ns, "db", "password", "right")
	if len(made.Data) != 2 || made.Labels["app"] != "db" || made.Labels["theirs"] != "yes" || len(made.OwnerReferences) != 1 {
		t.Errorf("repaired to data %v, labels %v, owners %v", made.Data, made.Labels, made.OwnerReferences)
	}
}

func TestTemplateLabelsComeAndGo(t *testing.T) {
	s, ns := shared(t)
	sealed := s.Seal(secret(ns, "db", "k", "v"), true)
	s.Put(s.Edit(sealed, func(m map[string]any) {
		at(m, map[string]any{"a": "1", "b": "2"}, "spec", "template", "metadata", "labels")
	}))
	s.Opens(ns, "db", "k", "v")
	s.Patch(fuintest.NamedSecret(ns, "db"), `{"metadata":{"labels":{"theirs":"yes"}}}`)
	s.Put(s.Edit(sealed, func(m map[string]any) {
		at(m, map[string]any{"b": "3"}, "spec", "template", "metadata", "labels")
	}))
	s.Eventually("the labels follow the template", func() bool {
		return maps.Equal(s.Secret(ns, "db").Labels, map[string]string{"b": "3", "theirs": "yes"})
	})
}

func TestTypeAndImmutable(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Edit(s.Seal(secret(ns, "typed", "username", "u", "password", "p"), false), func(m map[string]any) {
		at(m, "kubernetes.io/basic-auth", "spec", "template", "type")
	}))
	if made := s.Opens(ns, "typed", "username", "u"); made.Type != corev1.SecretTypeBasicAuth {
		t.Errorf("its type is %s", made.Type)
	}
	plain := s.Seal(secret(ns, "fixed", "k", "v"), true)
	s.Put(plain)
	s.Opens(ns, "fixed", "k", "v")
	immutable := func(m map[string]any) { at(m, true, "spec", "template", "immutable") }
	s.Put(s.Edit(plain, immutable))
	s.Eventually("immutable is turned on", func() bool {
		made := s.Secret(ns, "fixed")
		return made.Immutable != nil && *made.Immutable
	})
	s.Put(s.Edit(s.Seal(secret(ns, "fixed", "k", "v2"), true), immutable))
	s.Says(ns, "fixed", bitnami.Synced, corev1.ConditionFalse, "the target Secret is immutable")
	s.OK(s.Client().Delete(t.Context(), fuintest.NamedSecret(ns, "fixed")))
	s.Opens(ns, "fixed", "k", "v2")
}

func TestTypeThatChanges(t *testing.T) {
	s, ns := shared(t)
	sealed := s.Seal(secret(ns, "db", "k", "v"), true)
	s.Put(sealed)
	s.Opens(ns, "db", "k", "v")
	s.Put(s.Edit(sealed, func(m map[string]any) { at(m, "example.com/other", "spec", "template", "type") }))
	s.Says(ns, "db", bitnami.Synced, corev1.ConditionFalse, "and cannot change")
}

func TestInvalidSecretIsReportedWithoutItsValue(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Edit(s.Seal(secret(ns, "pull", ".dockerconfigjson", "hunter2-no-json"), true), func(m map[string]any) {
		at(m, "kubernetes.io/dockerconfigjson", "spec", "template", "type")
	}))
	s.Says(ns, "pull", bitnami.Synced, corev1.ConditionFalse, "it is invalid: data[.dockerconfigjson]")
}

func TestScopes(t *testing.T) {
	s, ns := shared(t)
	elsewhere := s.Namespace(t)
	for _, age := range []bool{false, true} {
		for scope, annotation := range map[string]string{
			"strict": "", "namespace-wide": "sealedsecrets.bitnami.com/namespace-wide", "cluster-wide": "sealedsecrets.bitnami.com/cluster-wide",
		} {
			name := "from-" + scope + map[bool]string{false: "-rsa", true: "-age"}[age]
			m := secret(ns, name, "k", "v")
			if annotation != "" {
				m = s.Edit(m, func(m map[string]any) { at(m, map[string]any{annotation: "true"}, "metadata", "annotations") })
			}
			sealed := s.Seal(m, age)
			move := func(namespace, name string) string {
				return s.Edit(sealed, func(m map[string]any) {
					at(m, namespace, "metadata", "namespace")
					at(m, name, "metadata", "name")
				})
			}
			s.Put(sealed)
			s.Put(move(ns, name+"-renamed"))
			s.Put(move(elsewhere, name))
			s.Opens(ns, name, "k", "v")
			expect := func(namespace, name string, opens bool) {
				t.Helper()
				if opens {
					s.Opens(namespace, name, "k", "v")
					return
				}
				s.Says(namespace, name, bitnami.Ready, corev1.ConditionFalse, `key "k"`)
				if s.Secret(namespace, name) != nil {
					t.Errorf("%s/%s was made", namespace, name)
				}
			}
			expect(ns, name+"-renamed", scope != "strict")
			expect(elsewhere, name, scope == "cluster-wide")
		}
	}
}

func TestTamperedValueLeavesTheOldSecretAlone(t *testing.T) {
	s, ns := shared(t)
	sealed := s.Seal(secret(ns, "db", "password", "hunter2", "user", "shop"), true)
	s.Put(sealed)
	before := s.Opens(ns, "db", "password", "hunter2")
	s.Put(s.Edit(sealed, func(m map[string]any) {
		values := m["spec"].(map[string]any)["encryptedData"].(map[string]any)
		value := []byte(values["password"].(string))
		i := len(value) - 12 // in the payload, behind the stanzas
		value[i] = map[bool]byte{true: 'B', false: 'A'}[value[i] == 'A']
		values["password"] = string(value)
	}))
	s.Says(ns, "db", bitnami.Ready, corev1.ConditionFalse, `opening `+ns+`/db: key "password": altered or cut short`)
	s.Put(s.Edit(sealed, func(m map[string]any) { // swapped keys
		values := m["spec"].(map[string]any)["encryptedData"].(map[string]any)
		values["password"], values["user"] = values["user"], values["password"]
	}))
	s.Says(ns, "db", bitnami.Ready, corev1.ConditionFalse, `sealed for `+ns+`/db key "user", and moved`)
	after := s.Secret(ns, "db")
	if after.ResourceVersion != before.ResourceVersion || !bytes.Equal(after.Data["password"], []byte("hunter2")) {
		t.Error("the old Secret was touched")
	}
	s.Put(sealed)
	s.Says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "")
}

func TestInputsFeedTemplatesAndStayOut(t *testing.T) {
	s, ns := shared(t)
	s.Put(s.Edit(s.Seal(secret(ns, "db", "pw", "hunter2", "user", "shop"), true), func(m map[string]any) {
		at(m, map[string]any{"url": "postgres://{{ .user }}:{{ .pw }}@db/{{ .user | upper }}"}, "spec", "template", "data")
		m["metadata"].(map[string]any)["annotations"].(map[string]any)["fuin.dev/inputs"] = "pw"
	}))
	made := s.Opens(ns, "db", "url", "postgres://shop:hunter2@db/SHOP")
	if len(made.Data) != 2 || made.Data["pw"] != nil {
		t.Errorf("data has %d keys", len(made.Data))
	}
}

func TestRandomTemplateRunsOnceASpec(t *testing.T) {
	s, ns := shared(t)
	random := func(m map[string]any) {
		at(m, map[string]any{"token": "{{ randAlphaNum 20 }}"}, "spec", "template", "data")
	}
	s.Put(s.Edit(s.Seal(secret(ns, "db", "k", "v"), true), random))
	token := s.Opens(ns, "db", "k", "v").Data["token"]
	s.Rests(ns, "db")
	s.Patch(fuintest.NamedSecret(ns, "db"), `{"data":{"k":"eA=="}}`)
	if again := s.Opens(ns, "db", "k", "v").Data["token"]; len(token) != 20 || !bytes.Equal(again, token) {
		t.Error("a repair made another random value")
	}
	s.Put(s.Edit(s.Seal(secret(ns, "db", "k", "v2"), true), random))
	if again := s.Opens(ns, "db", "k", "v2").Data["token"]; bytes.Equal(again, token) {
		t.Error("a new spec kept the random value")
	}
}
