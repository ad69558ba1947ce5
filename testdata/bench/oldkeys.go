package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"runtime"
	"slices"
	"time"

	"fuin.dev/keys"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The cases of old-keys.
const (
	oneKey     = "one"     // the ring holds the current key alone
	hinted     = "hinted"  // the objects name the old key that they were sealed with
	noHint     = "no hint" // as kubeseal makes them, with keys of all ages
	oldRestart = "restart" // of the last
)

const (
	keyPeriod = 30 * 24 * time.Hour // between two keys, as both controllers make them
	certTTL   = 10 * 365 * 24 * time.Hour
)

// manyKeys runs old-keys. It opens fewer objects than open-fresh: without a hint the peer tries
// half of the keys on every value.
func (b *bench) manyKeys(ctx context.Context) error {
	b.say("%s: generating %d keys", oldKeys, b.old+1)
	ring, err := agedKeys(b.old + 1)
	if err != nil {
		return err
	}
	n := max(1, b.objects/5)
	b.results.note("%s: %d objects, %d keys of RSA-4096, of which %q uses the newest.", oldKeys, n, len(ring), oneKey)
	contenders, err := b.keepers(n, ring)
	if err != nil {
		return err
	}
	return b.turns(ctx, b.oldRounds, func(int) []contender { return contenders })
}

// keepers are the contenders, with a ring from the newest key to the oldest.
func (b *bench) keepers(n int, ring []*keys.Identity) ([]contender, error) {
	var sealed [3][]*unstructured.Unstructured
	for i, ids := range [][]*keys.Identity{ring[:1], ring[1:], ring} {
		var err error
		if sealed[i], err = sealedObjects(n, ids...); err != nil {
			return nil, err
		}
	}
	anyAge := unhinted(sealed[2])
	age := b.keys.ids[keys.Hybrid] // Fuin would make one
	one, all := []*keys.Identity{ring[0], age}, append(slices.Clone(ring), age)
	return []contender{
		{row: row{oldKeys, oneKey, fuin}, ring: one, objects: sealed[0], setUp: setUpFuin, once: ring[0]},
		{row: row{oldKeys, noHint, peer}, ring: all, objects: anyAge, setUp: setUpPeer(noThrottle)},
		{row: row{oldKeys, hinted, fuin}, ring: all, objects: sealed[1], setUp: setUpFuin, once: ring[1]},
		{row: row{oldKeys, noHint, fuin}, ring: all, objects: anyAge, setUp: setUpFuin, again: row{oldKeys, oldRestart, fuin}},
	}, nil
}

// agedKeys makes RSA keys, the first one new and each a period older than the
// one before. A core makes one in a second or two.
func agedKeys(n int) ([]*keys.Identity, error) {
	ids, now := make([]*keys.Identity, n), time.Now()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range ids {
		g.Go(func() (err error) {
			ids[i], err = agedKey(now.Add(-time.Duration(i) * keyPeriod))
			return err
		})
	}
	return ids, g.Wait()
}

// agedKey makes a key whose certificate says that it was made at a time: both
// controllers take a key's age from there.
func agedKey(made time.Time) (*keys.Identity, error) {
	private, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		return nil, err
	}
	cert, err := crypto.SignKeyWithNotBefore(rand.Reader, private, made, certTTL, "")
	if err != nil {
		return nil, err
	}
	ids, err := keys.ParseIdentities(slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
	if err == nil && len(ids) != 1 {
		err = fmt.Errorf("%d keys were read back, not one", len(ids))
	}
	if err != nil {
		return nil, err
	}
	return ids[0], nil
}
