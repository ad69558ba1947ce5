package main

import (
	"context"
	"time"

	"fuin.dev/keys"
)

// hold runs memory: the same as open-fresh with many more objects, to see what
// they leave behind. The key is a small one for both sides, as only their time
// depends on it; and there is one round, as memory hardly does on the machine.
func (b *bench) hold(ctx context.Context) error {
	id, err := keys.GenerateRSA(2048, time.Now(), 24*time.Hour, "")
	if err != nil {
		return err
	}
	n := 5 * b.objects
	b.say("%s: sealing %d objects", memory, n)
	objects, err := sealedObjects(n, id)
	if err != nil {
		return err
	}
	b.results.note("%s: %d objects, an RSA key of 2048 bits, one round.", memory, n)
	ring := []*keys.Identity{id, b.keys.ids[keys.Hybrid]}
	return b.turns(ctx, 1, func(int) []contender {
		return []contender{
			{row: row{memory, "rsa2048", fuin}, ring: ring, objects: objects, setUp: setUpFuin, once: id},
			{row: row{memory, anyCase, peer}, ring: ring, objects: objects, setUp: setUpPeer(noThrottle)},
		}
	})
}
