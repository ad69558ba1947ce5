package keys_test

import (
	"bytes"
	"crypto/ecdh"
	"io"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"fuin.dev/keys"
)

// TestClassicRecipientsWrapAsAgeDoes has age itself open what they wrap, beside
// what age's own recipient wraps.
func TestClassicRecipientsWrapAsAgeDoes(t *testing.T) {
	id, err := keys.Generate(keys.X25519, time.Now(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	own, err := age.ParseX25519Recipient(id.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := keys.ParseRecipients([]byte(id.Recipient().String()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name, r := range map[string]age.Recipient{"age's": own, "the identity's": id.Recipient().Age(), "the parsed one's": parsed[0].Age()} {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := io.WriteString(w, "correct horse"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		header, _, _ := bytes.Cut(out.Bytes(), []byte("\n---"))
		if seen[string(header)] {
			t.Errorf("%s: a share was used twice", name)
		}
		seen[string(header)] = true
		plain, err := age.Decrypt(&out, id.Age())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text, err := io.ReadAll(plain); string(text) != "correct horse" {
			t.Errorf("%s: opened %q, %v", name, text, err)
		}
	}
}

// TestClassicRecipientsWithoutAKey have points that every private key agrees on.
func TestClassicRecipientsWithoutAKey(t *testing.T) {
	for _, point := range [][]byte{make([]byte, 32), append([]byte{1}, make([]byte, 31)...)} {
		public, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			t.Fatal(err)
		}
		text, err := plugin.EncodeX25519Recipient(public)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := keys.ParseRecipients([]byte(text), time.Now())
		if err != nil {
			continue // refused even earlier
		}
		if _, err := age.Encrypt(io.Discard, rs[0].Age()); err == nil {
			t.Errorf("%s: sealed for anybody", text)
		}
	}
}
