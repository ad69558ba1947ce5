package seal_test

import (
	"strings"
	"testing"

	"fuin.dev/keys"
	"fuin.dev/seal"
)

func TestResealingInLists(t *testing.T) {
	item := `{"metadata":{"name":"db","namespace":"shop"},"spec":{"encryptedData":{"password":"` + valueAt(t, home, "v", "hybrid") + `"}}}`
	whole := strings.Replace(item, "{", `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret",`, 1)
	for head, one := range map[string]string{
		`"apiVersion": "bitnami.com/v1alpha1",` + "\n  " + `"kind": "SealedSecretList"`: item,
		`"apiVersion": "v1",` + "\n  " + `"kind": "List"`:                               whole,
	} {
		r := reseal(t, opener("hybrid"), "{"+head+`, "items": [`+one+"]}", "third")
		if !strings.HasPrefix(string(r.Out), "{"+head+`, "items": [{`) {
			t.Errorf("came out as %s", r.Out)
		}
		if _, err := opener("third").Manifest(t.Context(), r.Out, seal.SameFormat); err != nil {
			t.Error(err)
		}
	}
}

func TestResealingAFile(t *testing.T) {
	one := sealedHead + "spec: {encryptedData: {password: " + valueAt(t, home, "v", "hybrid") + "}}\n"
	text := []byte(one + "---\n" + config + "---\n" + one)
	_, err := opener("hybrid").Reseal(t.Context(), text, resealer(t, "third"), seal.ResealOptions{AtMost: 1})
	if err == nil || err.Error() != "line 10: more than 1 SealedSecrets" {
		t.Errorf("%v", err)
	}
	r, err := opener("hybrid").Reseal(t.Context(), text, resealer(t, "third"), seal.ResealOptions{AtMost: 2, Format: seal.JSON})
	if err != nil || len(r.Objects) != 2 || len(r.Others) != 1 || strings.Count(string(r.Out), "\n{\n") != 2 {
		t.Errorf("%v\n%s", err, r.Out)
	}
	kept := reseal(t, opener("hybrid"), string(text), "third")
	if !strings.Contains(string(kept.Out), "\n---\n"+config+"---\n") {
		t.Errorf("came out as\n%s", kept.Out)
	}
}

func TestResealingToSeveralRecipients(t *testing.T) {
	one := func(to ...string) string {
		return sealedHead + "spec: {encryptedData: {password: " + valueAt(t, home, "v", to...) + "}}\n"
	}
	o := opener("hybrid", "recovery", "third")
	for _, row := range []struct {
		from    []string
		current bool
	}{
		{[]string{"recovery", "third"}, true}, {[]string{"third", "recovery"}, true},
		{[]string{"third"}, false}, {[]string{"third", "third"}, false}, {[]string{"third", "recovery", "hybrid"}, false},
	} {
		r := reseal(t, o, one(row.from...), "third", "recovery")
		if (len(r.Current) == 1) != row.current {
			t.Errorf("%v: current %v", row.from, r.Current)
		}
		for _, name := range []string{"third", "recovery"} {
			if _, err := opener(name).Manifest(t.Context(), r.Out, seal.SameFormat); err != nil {
				t.Errorf("%v: %v", row.from, err)
			}
		}
	}
	for _, mixture := range [][]string{{"rsa", "other"}, {"hybrid", "x25519"}} {
		var rs []*keys.Recipient
		for _, name := range mixture {
			rs = append(rs, testKeys()[name].Recipient())
		}
		if _, err := seal.NewResealer(rs...); err == nil {
			t.Errorf("%v are taken together", mixture)
		}
	}
}

func TestHintOfResealing(t *testing.T) {
	want := seal.AnnotationKey + ": " + testKeys()["third"].Fingerprint()
	quoted := strings.Replace(want, ": ", ": '", 1) + "'" // within braces
	for name, row := range map[string]struct{ annotations, want string }{
		"none":      {"", "  annotations:\n    " + want + "\n"},
		"null":      {"  annotations: # note\n", "  annotations: # note\n    " + want + "\n"},
		"empty":     {"  annotations: {}\n", "  annotations:\n    " + want + "\n"},
		"others":    {"  annotations:\n    # one\n    a: b # two\n", "  annotations:\n    # one\n    a: b # two\n    " + want + "\n"},
		"no string": {"  annotations: {fuin.dev/key: [x]}\n", "  annotations: {" + quoted + "}\n"},
		"a list":    {"  annotations: [a]\n", "  annotations: [a]\n"},
	} {
		head := "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: db\n  namespace: shop\n"
		tail := "spec:\n  encryptedData:\n    password: "
		r := reseal(t, opener("hybrid"), head+row.annotations+tail+valueAt(t, home, "v", "hybrid")+"\n", "third")
		if !strings.HasPrefix(string(r.Out), head+row.want+tail) {
			t.Errorf("%s: came out as\n%s", name, r.Out)
		}
	}
}

func FuzzReseal(f *testing.F) {
	f.Add([]byte(ladenAt(f, seal.Strict)))
	f.Add([]byte(sealedHead + "spec: {encryptedData: {password: " + valueAt(f, home, "v", "x25519") + "}}\n"))
	for _, seed := range []string{"spec: {encryptedData: {a: b}}", "spec: {data: eHh4}", "spec: {encryptedData: [a]}", "spec: {encryptedData: }"} {
		f.Add([]byte(sealedHead + seed))
	}
	f.Add([]byte(`{"kind":"SealedSecretList","apiVersion":"bitnami.com/v1","items":[{},{"metadata":null}]}`))
	o, to := opener("x25519", "third"), resealer(f, "third") // RSA would cost milliseconds a try
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := o.Reseal(t.Context(), data, to, seal.ResealOptions{AtMost: 10})
		if err != nil {
			return
		}
		again, err := opener("third").Reseal(t.Context(), r.Out, to, seal.ResealOptions{AtMost: 10})
		if err != nil || string(again.Out) != string(r.Out) || len(again.Current) != len(r.Objects) {
			t.Errorf("%v: %v\n%s\n%s", err, again.Current, r.Out, again.Out)
		}
	})
}
