package main

import (
	"context"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// contender is a controller that opens the objects of a cluster.
type contender struct {
	row
	ring    []*keys.Identity             // the keys that the cluster holds, of which a peer finds those it knows
	objects []*unstructured.Unstructured // what is opened
	setUp   func(ctx context.Context, b *bench, c *kubetest.Cluster, ring []*keys.Identity) (*controller, error)

	scaleTo int            // objects that the figures are scaled up to; 0: they are not
	once    *keys.Identity // the key of every value, where one private-key operation opens it
	again   row            // of a restart with nothing changed; zero: there is none
}

// openers are the contenders of open-fresh and restart, in the order of their
// turns.
func (b *bench) openers(rsa, hybrid []*unstructured.Unstructured) func(round int) []contender {
	ids := []*keys.Identity{b.keys.ids[keys.RSA], b.keys.ids[keys.Hybrid]}
	return func(round int) []contender {
		all := []contender{
			{row: row{openFresh, string(keys.RSA), fuin}, objects: rsa, setUp: setUpFuin, once: ids[0]},
			{row: row{openFresh, anyCase, peer}, objects: rsa, setUp: setUpPeer(noThrottle)},
			{row: row{openFresh, string(keys.Hybrid), fuin}, objects: hybrid, setUp: setUpFuin, once: ids[1]},
		}
		for i, who := range all {
			all[i].ring = ids
			if b.wants(restart) {
				all[i].again = row{restart, who.Case, who.Side}
			}
		}
		if round == 0 && b.wants(openFresh) && !b.alone { // a throttle takes the same time every time
			b.results.note("%s: the peer with its defaults opened %d objects; its figures are scaled up.", openFresh, b.sample)
			all = append(all, contender{
				row: row{openFresh, anyCase, throttled}, ring: ids, objects: rsa[:b.sample], setUp: setUpPeer(), scaleTo: b.objects,
			})
		}
		return all
	}
}

// open runs open-fresh and restart: every contender starts on a cluster of its
// own that holds the keys and the objects, and then once more.
func (b *bench) open(ctx context.Context) error {
	rsa, err := sealedObjects(b.objects, b.keys.ids[keys.RSA])
	if err != nil {
		return err
	}
	hybrid, err := sealedObjects(b.objects, b.keys.ids[keys.Hybrid])
	if err != nil {
		return err
	}
	return b.turns(ctx, b.rounds, b.openers(rsa, hybrid))
}
