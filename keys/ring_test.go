package keys_test

import (
	"slices"
	"testing"
	"time"

	"fuin.dev/keys"
)

// aged is an age identity as a cluster keeps it, made at a time.
func aged(t *testing.T, created time.Time, state keys.State) *keys.Identity {
	t.Helper()
	id, err := keys.Generate(keys.X25519, created, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	s := id.Secret("kube-system", "k")
	s.Labels[keys.LabelAge] = string(state)
	if id, err = s.Identity(); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRingOrder(t *testing.T) {
	january := aged(t, now.AddDate(0, -2, 0), keys.Active)
	february := aged(t, now.AddDate(0, -1, 0), keys.Retired)
	march := aged(t, now, keys.Active)
	gone := aged(t, now.AddDate(0, 0, -1), keys.Revoked)
	ring := keys.NewRing(february, gone, march, january, january)

	want := []*keys.Identity{march, gone, february, january}
	if got := ring.All(); !slices.Equal(got, want) {
		t.Errorf("All() = %v, want %v", got, want)
	}
	if got := ring.Sealing(); !slices.Equal(got, []*keys.Identity{march}) {
		t.Errorf("Sealing() = %v, want the newest active key", got)
	}
	hints := []string{"SHA256:unknown", january.Fingerprint(), gone.Fingerprint()}
	if got := ring.Candidates(hints, now.AddDate(0, 0, -10)); !slices.Equal(got, []*keys.Identity{january, february, march}) {
		t.Errorf("Candidates() = %v, want hinted, newest then, newest first, none revoked", got)
	}
	if ring.Find(march.Fingerprint()) != march || ring.Find("SHA256:unknown") != nil {
		t.Error("Find() does not find by fingerprint")
	}
}

func TestRingKeepsTheStricterState(t *testing.T) {
	id := aged(t, now, keys.Active)
	s := id.Secret("kube-system", "copy")
	s.Labels[keys.LabelAge] = "revoked"
	revoked, err := s.Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, ring := range []*keys.Ring{keys.NewRing(id, revoked), keys.NewRing(revoked, id)} {
		if got := ring.Candidates(nil, now); len(got) != 0 {
			t.Errorf("a copy of a revoked key opens: %v", got)
		}
	}
}

func TestRingDigest(t *testing.T) {
	a, b := aged(t, now, keys.Active), aged(t, now, keys.Active)
	if keys.NewRing(a, b).Digest() != keys.NewRing(b, a).Digest() {
		t.Error("the digest depends on order")
	}
	s := a.Secret("ns", "a")
	s.Labels[keys.LabelAge] = "retired"
	retired, err := s.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if keys.NewRing(a).Digest() == keys.NewRing(retired).Digest() {
		t.Error("the digest does not change with a key's state")
	}
}
