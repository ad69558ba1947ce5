package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"fuin.dev/keys"
	"fuin.dev/seal"
)

// testKeys are one identity of each kind, and another RSA one: made once.
var testKeys = sync.OnceValue(func() map[string]*keys.Identity {
	out := map[string]*keys.Identity{}
	for name, kind := range map[string]keys.Kind{"hybrid": keys.Hybrid, "x25519": keys.X25519, "recovery": keys.Hybrid, "third": keys.Hybrid} {
		id, err := keys.Generate(kind, time.Now(), 0, "")
		if err != nil {
			panic(err)
		}
		out[name] = id
	}
	for _, name := range []string{"rsa", "other"} {
		id, err := keys.GenerateRSA(2048, time.Now(), time.Hour, "")
		if err != nil {
			panic(err)
		}
		out[name] = id
	}
	return out
})

func sealer(t testing.TB, names ...string) *seal.Sealer {
	t.Helper()
	var rs []*keys.Recipient
	for _, name := range names {
		rs = append(rs, testKeys()[name].Recipient())
	}
	s, err := seal.NewSealer(rs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func opener(names ...string) seal.Opener {
	var o seal.Opener
	for _, name := range names {
		o.Identities = append(o.Identities, testKeys()[name])
	}
	return o
}

var home = seal.Place{Scope: seal.Strict, Namespace: "shop", Name: "db", Key: "password"}

func TestRoundTrip(t *testing.T) {
	big := make([]byte, seal.MaxValue)
	_, _ = rand.Read(big)
	values := [][]byte{{}, []byte("hunter2"), {0}, {0, 0, 0}, []byte("ends in zeros\x00\x00"), bytes.Repeat([]byte("\n"), 70), big}
	for _, kind := range []string{"rsa", "hybrid", "x25519"} {
		for _, scope := range []seal.Scope{seal.Strict, seal.NamespaceWide, seal.ClusterWide} {
			at := home
			at.Scope = scope
			for _, value := range values {
				sealed, err := sealer(t, kind).Seal(at, value)
				if err != nil {
					t.Fatal(err)
				}
				got, by, err := opener("other", "recovery", kind).Open(at, sealed)
				if err != nil || !bytes.Equal(got, value) || by != testKeys()[kind] {
					t.Errorf("%s %s: %d bytes came back as %d, by %v, %v", kind, scope, len(value), len(got), by, err)
				}
			}
		}
	}
}

func TestMovedValueDoesNotOpen(t *testing.T) {
	rows := []struct {
		kind, moved string
		scope       seal.Scope
		to          seal.Place
		want        string
	}{
		{"hybrid", "namespace", seal.Strict, seal.Place{Namespace: "bank", Name: "db", Key: "password"}, `sealed for shop/db, and moved`},
		{"hybrid", "name", seal.Strict, seal.Place{Namespace: "shop", Name: "cache", Key: "password"}, "and moved"},
		{"hybrid", "key", seal.Strict, seal.Place{Namespace: "shop", Name: "db", Key: "user"}, `sealed for shop/db key "password", and moved`},
		{"hybrid", "namespace", seal.NamespaceWide, seal.Place{Namespace: "bank", Name: "db", Key: "password"}, "sealed for namespace shop (namespace-wide), and moved"},
		{"rsa", "namespace", seal.Strict, seal.Place{Namespace: "bank", Name: "db", Key: "password"}, "no key opens it"},
		{"rsa", "name", seal.Strict, seal.Place{Namespace: "shop", Name: "cache", Key: "password"}, "no key opens it"},
		{"rsa", "namespace", seal.NamespaceWide, seal.Place{Namespace: "bank", Name: "db", Key: "password"}, "no key opens it"},
	}
	for _, row := range rows {
		from := home
		from.Scope, row.to.Scope = row.scope, row.scope
		sealed, err := sealer(t, row.kind).Seal(from, []byte("hunter2"))
		if err != nil {
			t.Fatal(err)
		}
		value, _, err := opener(row.kind).Open(row.to, sealed)
		if err == nil || !strings.Contains(err.Error(), row.want) || value != nil {
			t.Errorf("%s %s to another %s: %q, %v; want %q", row.kind, row.scope, row.moved, value, err, row.want)
		}
	}
}

func TestOnlyOurBindingLineIsQuoted(t *testing.T) {
	for _, line := range []string{"fuin/2 strict shop cache password 1\n", "x strict shop cache password 1\n", "x namespace-wide bank 1\n", "x cluster-wide 1\n"} {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, testKeys()["x25519"].Recipient().Age())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(line))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, err = opener("x25519").Open(home, base64.StdEncoding.EncodeToString(out.Bytes()))
		if err == nil || err.Error() != "it is no value that fuin sealed" {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestScopeChangeDoesNotOpen(t *testing.T) {
	scopes := []seal.Scope{seal.Strict, seal.NamespaceWide, seal.ClusterWide}
	for _, kind := range []string{"rsa", "x25519"} {
		for _, from := range scopes {
			for _, to := range scopes {
				at := home
				at.Scope = from
				sealed, err := sealer(t, kind).Seal(at, []byte("v"))
				if err != nil {
					t.Fatal(err)
				}
				at.Scope = to
				if _, _, err := opener(kind).Open(at, sealed); (err == nil) != (from == to) {
					t.Errorf("%s sealed %s opened as %s: %v", kind, from, to, err)
				}
			}
		}
	}
}

func TestSeveralRecipients(t *testing.T) {
	sealed, err := sealer(t, "hybrid", "recovery").Seal(home, []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hybrid", "recovery"} {
		if _, _, err := opener(name).Open(home, sealed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := opener("x25519", "rsa").Open(home, sealed); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("opened by a stranger: %v", err)
	}
	if _, err := seal.NewSealer(testKeys()["hybrid"].Recipient(), testKeys()["x25519"].Recipient()); err == nil {
		t.Error("hybrid was mixed with classic")
	}
}

func TestEveryBitFlipFails(t *testing.T) {
	for _, kind := range []string{"rsa", "hybrid", "x25519"} {
		sealed, err := sealer(t, kind).Seal(home, []byte("hunter2"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(sealed)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if kind == "rsa" {
			step = 7 // a private-key operation each
		}
		for bit := 0; bit < len(raw)*8; bit += step {
			flipped := bytes.Clone(raw)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, _, err := opener(kind).Open(home, base64.StdEncoding.EncodeToString(flipped)); err == nil {
				t.Fatalf("%s opens with bit %d flipped", kind, bit)
			}
		}
		for n := 0; n < len(raw); n += step {
			if _, _, err := opener(kind).Open(home, base64.StdEncoding.EncodeToString(raw[:n])); err == nil {
				t.Fatalf("%s opens cut to %d of %d bytes", kind, n, len(raw))
			}
		}
		if _, _, err := opener(kind).Open(home, base64.StdEncoding.EncodeToString(append(raw, 0))); err == nil {
			t.Errorf("%s opens with a byte added", kind)
		}
	}
}

func TestOnlyCanonicalBase64Opens(t *testing.T) {
	for _, kind := range []string{"rsa", "x25519"} {
		sealed, err := sealer(t, kind).Seal(home, []byte("hunter22"))
		if err != nil {
			t.Fatal(err)
		}
		for name, other := range map[string]string{
			"line break":  sealed[:64] + "\n" + sealed[64:],
			"break last":  sealed + "\n",
			"space":       sealed + " ",
			"no padding":  strings.TrimRight(sealed, "=") + "A",
			"url":         strings.NewReplacer("+", "-", "/", "_").Replace(sealed) + "_",
			"stray bits":  strayBits(sealed),
			"empty":       "",
			"not at all":  "hunter2!",
			"plain value": base64.StdEncoding.EncodeToString([]byte("hunter2")),
		} {
			if _, _, err := opener(kind).Open(home, other); err == nil {
				t.Errorf("%s: %s opens", kind, name)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %s: the error quotes it: %v", kind, name, err)
			}
		}
	}
}

// strayBits sets bits that base64 does not use, so that a lax decoder reads
// the same bytes.
func strayBits(sealed string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	body := strings.TrimRight(sealed, "=")
	if body == sealed {
		return sealed + "="
	}
	last := strings.IndexByte(alphabet, body[len(body)-1])
	return body[:len(body)-1] + string(alphabet[last|1]) + sealed[len(body):]
}

func TestLengthIsHidden(t *testing.T) {
	sizes := map[int]bool{}
	for _, n := range []int{0, 1, 9, 10, 40, 60} {
		sealed, err := sealer(t, "x25519").Seal(home, bytes.Repeat([]byte("x"), n))
		if err != nil {
			t.Fatal(err)
		}
		info, err := seal.Inspect(sealed)
		if err != nil {
			t.Fatal(err)
		}
		sizes[info.Size] = true
	}
	if len(sizes) != 1 {
		t.Errorf("values up to 60 bytes have %d sizes: %v", len(sizes), sizes)
	}
}

func TestInspect(t *testing.T) {
	for _, row := range []struct {
		to       []string
		encoding string
		stanzas  string
	}{
		{[]string{"rsa"}, "rsa", ""},
		{[]string{"hybrid", "recovery"}, "age", "mlkem768x25519 mlkem768x25519"},
		{[]string{"x25519"}, "age", "X25519"},
	} {
		sealed, err := sealer(t, row.to...).Seal(home, nil)
		if err != nil {
			t.Fatal(err)
		}
		info, err := seal.Inspect(sealed)
		if err != nil || info.Encoding != row.encoding || strings.Join(info.Stanzas, " ") != row.stanzas {
			t.Errorf("%v: %+v, %v", row.to, info, err)
		}
	}
}

func TestTryCountsAndEnds(t *testing.T) {
	sealed, err := sealer(t, "rsa").Seal(home, []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	budget := errors.New("budget used up")
	o := opener("other", "x25519", "rsa")
	tried := 0
	o.Try = func(*keys.Identity) error {
		if tried++; tried > 1 {
			return budget
		}
		return nil
	}
	if _, _, err := o.Open(home, sealed); !errors.Is(err, budget) {
		t.Errorf("error %v, want the budget's", err)
	}
}

func TestTryCountsEachStanzaThatAnIdentityFits(t *testing.T) {
	for _, row := range []struct {
		to, with []string
		want     int
	}{
		{[]string{"x25519"}, []string{"rsa", "hybrid", "x25519"}, 1},
		{[]string{"hybrid"}, []string{"recovery", "x25519", "hybrid"}, 2},
		{[]string{"hybrid", "recovery"}, []string{"recovery"}, 2},
		{[]string{"hybrid", "recovery"}, []string{"third", "recovery"}, 4},
		{[]string{"hybrid", "recovery"}, []string{"x25519", "rsa"}, 0},
	} {
		sealed, err := sealer(t, row.to...).Seal(home, []byte("v"))
		if err != nil {
			t.Fatal(err)
		}
		o, tried := opener(row.with...), 0
		o.Try = func(*keys.Identity) error { tried++; return nil }
		_, _, err = o.Open(home, sealed)
		if tried != row.want || (err == nil) != (row.want > 0) {
			t.Errorf("to %v with %v: %d operations, %v; want %d", row.to, row.with, tried, err, row.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, kind := range []string{"rsa", "hybrid", "x25519"} {
		sealed, err := sealer(f, kind).Seal(home, []byte("v"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealed)
	}
	o := opener("x25519", "hybrid") // RSA would cost milliseconds a try
	f.Fuzz(func(t *testing.T, sealed string) {
		_, _ = seal.Inspect(sealed)
		if value, _, err := o.Open(home, sealed); err == nil && string(value) != "v" {
			t.Errorf("a forged value opened: %d bytes", len(value))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{}, "password", uint(0))
	f.Add([]byte("a\x00\n"), "a.b-c_d", uint(9))
	f.Fuzz(func(t *testing.T, value []byte, key string, flip uint) {
		at := home
		at.Key = key
		sealed, err := sealer(t, "x25519").Seal(at, value)
		if err != nil {
			if seal.IsKey(key) && len(value) <= seal.MaxValue {
				t.Fatal(err)
			}
			return
		}
		got, _, err := opener("x25519").Open(at, sealed)
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("came back as %q, %v", got, err)
		}
		raw, _ := base64.StdEncoding.DecodeString(sealed)
		raw[flip/8%uint(len(raw))] ^= 1 << (flip % 8)
		if _, _, err := opener("x25519").Open(at, base64.StdEncoding.EncodeToString(raw)); err == nil {
			t.Fatal("opened with a flipped bit")
		}
	})
}
