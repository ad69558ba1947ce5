package seal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
)

// TestRSAOpensUpstream seals with keys of several sizes, also such as are no
// multiple of eight bits, and opens with the library of Sealed Secrets.
func TestRSAOpensUpstream(t *testing.T) {
	for _, bits := range []int{2048, 2049, 2055, 3072, 4096} {
		id, err := keys.GenerateRSA(bits, time.Now(), time.Hour, "")
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := seal.NewSealer(id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		at := seal.Place{Namespace: "shop", Name: "db", Key: "pw"}
		for _, value := range [][]byte{{}, []byte("s3cret"), bytes.Repeat([]byte{0}, 100_000)} {
			text, err := sealer.Seal(at, value)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := base64.StdEncoding.DecodeString(text)
			open := func(label string) ([]byte, error) {
				return crypto.HybridDecrypt(rand.Reader, map[string]*rsa.PrivateKey{"": id.RSA()}, raw, []byte(label))
			}
			if got, err := open("shop/db"); err != nil || !bytes.Equal(got, value) {
				t.Errorf("%d bits, %d bytes: opened to %d bytes, %v", bits, len(value), len(got), err)
			}
			if _, err := open("shop/other"); err == nil {
				t.Errorf("%d bits: opened under another label", bits)
			}
		}
	}
}

func BenchmarkSealRSA(b *testing.B) {
	sealer, err := seal.NewSealer(testKeys()["rsa"].Recipient())
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := sealer.Seal(seal.Place{Namespace: "shop", Name: "db", Key: fmt.Sprint(i)}, []byte("value")); err != nil {
			b.Fatal(err)
		}
	}
}
