package keys_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"fuin.dev/keys"
)

// TestRecipientsWrapAsAgeDoes has age itself open what they wrap, beside what
// age's own recipients wrap, and alone or for two.
func TestRecipientsWrapAsAgeDoes(t *testing.T) {
	for _, kind := range []keys.Kind{keys.X25519, keys.Hybrid} {
		t.Run(string(kind), func(t *testing.T) {
			id, other := generated(t, kind), generated(t, kind)
			own, err := age.ParseRecipients(strings.NewReader(id.Recipient().String()))
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := keys.ParseRecipients([]byte(id.Recipient().String()), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for name, to := range map[string][]age.Recipient{
				"age's": own, "the identity's": {id.Recipient().Age()}, "the parsed one's": {parsed[0].Age()},
				"two": {other.Recipient().Age(), parsed[0].Age()}, "age's and ours": {own[0], other.Recipient().Age()},
			} {
				sealed := encrypted(t, name, to...)
				header, _, _ := bytes.Cut(sealed, []byte("\n---"))
				if seen[string(header)] {
					t.Errorf("%s: a share was used twice", name)
				}
				seen[string(header)] = true
				plain, err := age.Decrypt(bytes.NewReader(sealed), id.Age())
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if text, err := io.ReadAll(plain); string(text) != content {
					t.Errorf("%s: opened %q, %v", name, text, err)
				}
				if _, err := age.Decrypt(bytes.NewReader(sealed), generated(t, kind).Age()); err == nil {
					t.Errorf("%s: another key opens it", name)
				}
			}
		})
	}
}

// TestKindsDoNotMix: beside a classic recipient a hybrid one protects nothing.
func TestKindsDoNotMix(t *testing.T) {
	classic, hybrid := generated(t, keys.X25519).Recipient().Age(), generated(t, keys.Hybrid).Recipient().Age()
	for _, to := range [][]age.Recipient{{classic, hybrid}, {hybrid, classic}} {
		if _, err := age.Encrypt(io.Discard, to...); err == nil {
			t.Error("age took a hybrid recipient beside a classic one")
		}
	}
}

const content = "correct horse"

func generated(t *testing.T, kind keys.Kind) *keys.Identity {
	t.Helper()
	id, err := keys.Generate(kind, time.Now(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func encrypted(t *testing.T, name string, to ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRecipientsWithoutAKey have points that every private key agrees on.
func TestRecipientsWithoutAKey(t *testing.T) {
	pq, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range [][]byte{make([]byte, 32), append([]byte{1}, make([]byte, 31)...)} {
		public, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			t.Fatal(err)
		}
		classic, err := plugin.EncodeX25519Recipient(public)
		if err != nil {
			t.Fatal(err)
		}
		hybrid, err := plugin.EncodeHybridRecipient(pq.EncapsulationKey(), public)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{classic, hybrid} {
			rs, err := keys.ParseRecipients([]byte(text), time.Now())
			if err != nil {
				continue // refused even earlier
			}
			if _, err := age.Encrypt(io.Discard, rs[0].Age()); err == nil {
				t.Errorf("%.20s…: sealed for anybody, or for nobody", text)
			}
		}
	}
}
