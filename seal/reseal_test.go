package seal_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
	"github.com/google/go-cmp/cmp"
)

// resealer seals to the newest keys of the tests: other is RSA, third is age.
func resealer(t testing.TB, names ...string) *seal.Resealer {
	t.Helper()
	var rs []*keys.Recipient
	for _, name := range names {
		rs = append(rs, testKeys()[name].Recipient())
	}
	r, err := seal.NewResealer(rs...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func valueAt(t testing.TB, at seal.Place, value string, to ...string) string {
	t.Helper()
	sealed, err := sealer(t, to...).Seal(at, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// laden is a SealedSecret of old values, with all that must stay.
const laden = `# of the file
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret # its kind
metadata:
  name: db
  # where it is
  namespace: shop
  labels: {app: "shop"}
  annotations:
    note: 'kept'
    SCOPE: "true"
    # a hint
    fuin.dev/key: "HINT" # of old
spec:
  # all values
  encryptedData:
    # the first
    z.rsa: RSA # of rsa
    a.age: 'AGE' # of age
    both: BOTH
  template:
    # of the template
    metadata:
      labels: {app: shop}
      annotations:
        x: "y" # kept
    type: example.com/x
    immutable: true
    data:
      url: '{{ fail .a }}' # never run
# the end
`

// ladenAt fills it, for a scope, with values that old keys sealed.
func ladenAt(t testing.TB, scope seal.Scope) string {
	at := home
	at.Scope = scope
	annotation := map[seal.Scope]string{
		seal.Strict: "else", seal.NamespaceWide: seal.AnnotationNamespaceWide, seal.ClusterWide: seal.AnnotationClusterWide,
	}[scope]
	value := func(key, text string, to ...string) string {
		at.Key = key
		return valueAt(t, at, text, to...)
	}
	return strings.NewReplacer("SCOPE", annotation, "HINT", "old", "RSA", value("z.rsa", "one", "rsa"),
		"AGE", value("a.age", "two\n", "hybrid"), "BOTH", value("both", "", "hybrid", "third")).Replace(laden)
}

var (
	longText   = regexp.MustCompile(`[A-Za-z0-9+/=]{100,}`)
	hintOfTest = regexp.MustCompile(`fuin.dev/key: ".*"`)
)

// masked leaves out what resealing changes.
func masked(manifest string) string {
	return hintOfTest.ReplaceAllString(longText.ReplaceAllString(manifest, "…"), "fuin.dev/key: …")
}

func reseal(t testing.TB, o seal.Opener, manifest string, to ...string) seal.Result {
	t.Helper()
	r, err := o.Reseal(t.Context(), []byte(manifest), resealer(t, to...), seal.ResealOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResealedOpensWithOnlyTheNewestKeys(t *testing.T) {
	for _, scope := range []seal.Scope{seal.Strict, seal.NamespaceWide, seal.ClusterWide} {
		before := ladenAt(t, scope)
		r := reseal(t, opener("other", "third", "hybrid", "rsa"), before, "third", "other")
		if diff := cmp.Diff(masked(before), masked(string(r.Out))); diff != "" {
			t.Errorf("%s: more changed than values: %s", scope, diff)
		}
		want := testKeys()["other"].Fingerprint() + "," + testKeys()["third"].Fingerprint()
		objects, err := seal.Objects(r.Out, 1)
		if err != nil || strings.Join(objects[0].Hints(), ",") != want || objects[0].Scope() != scope {
			t.Fatalf("%s: %v, %v", scope, objects, err)
		}
		ob := objects[0]
		ob.Templates = nil
		got, err := opener("third", "other").Object(t.Context(), ob)
		if err != nil || string(got.Data["z.rsa"]) != "one" || string(got.Data["a.age"]) != "two\n" || string(got.Data["both"]) != "" || len(got.Data) != 3 {
			t.Errorf("%s: %d values, %v", scope, len(got.Data), err)
		}
		for key, encoding := range map[string]string{"z.rsa": "rsa", "a.age": "age", "both": "age"} {
			if info, err := seal.Inspect(ob.Values[key]); err != nil || info.Encoding != encoding || encoding == "age" && len(info.Stanzas) != 1 {
				t.Errorf("%s: %s is %+v, %v", scope, key, info, err)
			}
		}
		if len(r.Objects) != 1 || r.Objects[0] != "shop/db" || len(r.Current) != 0 {
			t.Errorf("%s: objects %v, current %v", scope, r.Objects, r.Current)
		}
	}
}

func TestResealingTwiceChangesNothing(t *testing.T) {
	o := opener("other", "third", "hybrid", "rsa")
	first := reseal(t, o, ladenAt(t, seal.Strict), "other", "third")
	at := home
	at.Key = "k"
	odd := "---\n" + sealedHead + "spec:   {encryptedData: {k:   " + valueAt(t, at, "v", "third") + "}}   # odd\n---\n" + config +
		"---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: empty, namespace: shop}\n"
	for _, text := range []string{string(first.Out), odd} {
		again := reseal(t, o, text, "other", "third")
		if diff := cmp.Diff(text, string(again.Out)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(again.Objects, again.Current); diff != "" {
			t.Error(diff)
		}
	}
}

func TestResealingKeepsEachValue(t *testing.T) {
	o := opener("x25519", "third", "rsa")
	for i := range 40 {
		value := make([]byte, i*i)
		_, _ = rand.Read(value)
		at := seal.Place{Scope: []seal.Scope{seal.Strict, seal.NamespaceWide}[i%2], Namespace: "shop", Name: "db", Key: fmt.Sprintf("k%d", i)}
		manifest := fmt.Sprintf("%sspec: {encryptedData: {%s: %s}}\n", sealedHead, at.Key, valueAt(t, at, string(value), []string{"x25519", "rsa"}[i%2]))
		if at.Scope == seal.NamespaceWide {
			manifest = strings.Replace(manifest, "namespace: shop}", "namespace: shop, annotations: {"+seal.AnnotationNamespaceWide+": 'true'}}", 1)
		}
		r := reseal(t, o, manifest, "other", "third")
		objects, err := seal.Objects(r.Out, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, by, err := opener("other", "third").Open(at, objects[0].Values[at.Key])
		if err != nil || string(got) != string(value) {
			t.Errorf("%d bytes came back as %d, by %v, %v", len(value), len(got), by, err)
		}
	}
}

func TestWhatIsNotResealed(t *testing.T) {
	at := func(change func(*seal.Place)) seal.Place {
		p := home
		p.Key = "k"
		change(&p)
		return p
	}
	here := at(func(*seal.Place) {})
	moved := at(func(p *seal.Place) { p.Key = "other" })
	wide := at(func(p *seal.Place) { p.Scope = seal.NamespaceWide })
	one := func(value string) string { return sealedHead + "spec: {encryptedData: {k: " + value + "}}\n" }
	for name, row := range map[string]struct {
		text string
		to   []string
		want string
	}{
		"others' stanza":     {one(valueAt(t, here, "hunter2", "hybrid", "recovery")), []string{"third"}, `resealing shop/db: key "k": sealed to 2 recipients, of which 1 are not of this cluster; reseal it where all recipients are known`},
		"others first":       {one(valueAt(t, here, "hunter2", "recovery", "recovery", "third")), []string{"third"}, "sealed to 3 recipients, of which 2 are not of this cluster"},
		"others only":        {one(valueAt(t, here, "hunter2", "recovery")), []string{"third"}, "no key opens it: it was sealed for other recipients"},
		"age, moved":         {one(valueAt(t, moved, "hunter2", "hybrid")), []string{"third"}, `sealed for shop/db key "other", and moved`},
		"current, but moved": {one(valueAt(t, moved, "hunter2", "third")), []string{"third"}, "and moved"},
		"age, scope":         {one(valueAt(t, wide, "hunter2", "hybrid")), []string{"third"}, "sealed for namespace shop (namespace-wide), and moved"},
		"RSA, scope":         {one(valueAt(t, wide, "hunter2", "rsa")), []string{"other"}, "no key opens it"},
		"age to RSA":         {one(valueAt(t, here, "hunter2", "hybrid")), []string{"other"}, `key "k": it is in the age encoding, and there is no age recipient to seal it to`},
		"RSA to age":         {one(valueAt(t, here, "hunter2", "rsa")), []string{"third"}, `key "k": it is in the RSA encoding, and there is no certificate to seal it to`},
		"not sealed":         {one("hunter2!"), []string{"third"}, "not canonical base64"},
		"no value":           {one(""), []string{"third"}, "empty; a sealed value is not"},
		"a list":             {sealedHead + "spec: {encryptedData: [hunter2]}\n", []string{"third"}, "line 4: SealedSecret shop/db: encryptedData is a sequence"},
		"no namespace":       {strings.Replace(one(valueAt(t, here, "hunter2", "hybrid")), ", namespace: shop", "", 1), []string{"third"}, "no namespace, to which scope binds"},
		"both formats":       {strings.Replace(one(valueAt(t, here, "hunter2", "rsa")), "spec: {", "spec: {data: eHh4, ", 1), []string{"other"}, "exclude each other"},
		"no SealedSecret":    {config, []string{"other"}, "no SealedSecret; found ConfigMap"},
	} {
		r, err := opener("third", "hybrid", "rsa").Reseal(t.Context(), []byte(row.text), resealer(t, row.to...), seal.ResealOptions{})
		if err == nil || !strings.Contains(err.Error(), row.want) || r.Out != nil {
			t.Errorf("%s: %v; want %q", name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
}

func TestAllKeysThatAreNotResealedAreNamed(t *testing.T) {
	text := sealedHead + "spec: {encryptedData: {c: bm8=, good: " + valueAt(t, seal.Place{Scope: seal.Strict, Namespace: "shop", Name: "db", Key: "good"}, "v", "rsa") + ", b: bm8=, a: x}}\n"
	_, err := opener("rsa").Reseal(t.Context(), []byte(text), resealer(t, "other"), seal.ResealOptions{})
	var e *seal.ObjectError
	if !errors.As(err, &e) || len(e.Keys) != 3 || e.Keys[0].Key != "a" || e.Keys[2].Key != "c" || e.Namespace != "shop" {
		t.Errorf("%v", err)
	}
}

func TestV1IsResealedWhole(t *testing.T) {
	const plain = `{"kind":"Secret","metadata":{"name":"db","labels":{"a":"b"}},"data":{"k":"aHVudGVyMg=="}}`
	raw, err := crypto.HybridEncrypt(rand.Reader, testKeys()["rsa"].Recipient().RSA(), []byte(plain), []byte("shop/db"))
	if err != nil {
		t.Fatal(err)
	}
	text := sealedHead + "spec:\n  encryptedData: {}\n  data: " + base64.StdEncoding.EncodeToString(raw) + " # whole\n"
	o := opener("other", "rsa")
	r := reseal(t, o, text, "other", "third")
	back, err := opener("other").Manifest(t.Context(), r.Out, seal.SameFormat)
	if err != nil || !strings.Contains(string(back.Out), "k: aHVudGVyMg==") || !strings.Contains(string(r.Out), "# whole") {
		t.Errorf("%v\n%s", err, r.Out)
	}
	if !strings.Contains(string(r.Out), "fuin.dev/key: "+testKeys()["other"].Fingerprint()+"}") {
		t.Errorf("no hint in\n%s", r.Out)
	}
	if again := reseal(t, o, string(r.Out), "other", "third"); string(again.Out) != string(r.Out) {
		t.Errorf("changed again:\n%s", again.Out)
	}
	_, err = o.Reseal(t.Context(), []byte(strings.Replace(text, "name: db", "name: moved", 1)), resealer(t, "other"), seal.ResealOptions{})
	if !errors.Is(err, seal.ErrNoKey) || !strings.Contains(err.Error(), `resealing shop/moved: key "spec.data"`) {
		t.Errorf("moved: %v", err)
	}
}

func TestAKeyNamedAsTheV1Field(t *testing.T) {
	at := home
	at.Key = "spec.data"
	r := reseal(t, opener("hybrid", "third"), sealedHead+"spec: {encryptedData: {spec.data: "+valueAt(t, at, "v", "hybrid")+"}}\n", "third")
	if len(r.Current) != 0 {
		t.Errorf("left as it was: %s", r.Out)
	}
}

func TestResealingCountsAndEnds(t *testing.T) {
	manifest := func(hint string) string {
		text := sealedHead + "spec:\n  encryptedData:\n"
		for i := range 3 {
			at := home
			at.Key = fmt.Sprintf("k%d", i)
			text += "    " + at.Key + ": " + valueAt(t, at, "v", "rsa") + "\n"
		}
		return strings.Replace(text, "shop}", "shop, annotations: {fuin.dev/key: '"+hint+"'}}", 1)
	}
	for hint, want := range map[string]int{"unknown": 4, "x, " + testKeys()["rsa"].Fingerprint(): 3} {
		o, tried := opener("third", "other", "rsa"), 0
		o.Try = func(*keys.Identity) error { tried++; return nil }
		if reseal(t, o, manifest(hint), "other"); tried != want {
			t.Errorf("%s: %d operations, want %d", hint, tried, want)
		}
	}
	budget := errors.New("budget used up")
	o := opener("other", "rsa")
	o.Try = func(*keys.Identity) error { return budget }
	if _, err := o.Reseal(t.Context(), []byte(manifest("")), resealer(t, "other"), seal.ResealOptions{}); !errors.Is(err, budget) {
		t.Errorf("%v, want the budget's", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Reseal(ctx, []byte(manifest("")), resealer(t, "other"), seal.ResealOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that of the context", err)
	}
	both := sealedHead + "spec: {encryptedData: {password: " + valueAt(t, home, "v", "hybrid", "recovery") + "}}\n"
	o = opener("hybrid", "recovery")
	tried := 0
	o.Try = func(*keys.Identity) error {
		if tried++; tried > 2 {
			return budget
		}
		return nil
	}
	if _, err := o.Reseal(t.Context(), []byte(both), resealer(t, "third"), seal.ResealOptions{}); !errors.Is(err, budget) {
		t.Errorf("second stanza: %v, want the budget's", err)
	}
}
