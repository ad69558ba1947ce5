package keys

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// A Ring is all keys of a cluster: the newest seals, all but the revoked open.
// It is immutable; a change makes a new one.
type Ring struct {
	ids    []*Identity // newest first
	byName map[string]*Identity
	digest string
}

// NewRing orders identities, newest first; of two with the same fingerprint
// the stricter state wins, so that no copy of a revoked key revives it.
func NewRing(ids ...*Identity) *Ring {
	r := &Ring{byName: make(map[string]*Identity, len(ids))}
	for _, id := range ids {
		if other, ok := r.byName[id.Fingerprint()]; !ok || strictness(id.state) > strictness(other.state) {
			r.byName[id.Fingerprint()] = id
		}
	}
	for _, id := range r.byName {
		r.ids = append(r.ids, id)
	}
	slices.SortFunc(r.ids, func(a, b *Identity) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.Fingerprint(), b.Fingerprint()))
	})
	r.digest = digest(r.ids)
	return r
}

func strictness(s State) int {
	return slices.Index([]State{Active, Retired, Revoked}, s)
}

func digest(ids []*Identity) string {
	h := sha256.New()
	lines := make([]string, 0, len(ids))
	for _, id := range ids {
		lines = append(lines, fmt.Sprintf("%s %s\n", id.Fingerprint(), id.state))
	}
	slices.Sort(lines)
	for _, line := range lines {
		h.Write([]byte(line))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// All lists every identity, newest first, revoked ones too.
func (r *Ring) All() []*Identity { return slices.Clone(r.ids) }

// Digest names the set of keys and their states: it changes whenever an
// object that did not open might open now, or the other way round.
func (r *Ring) Digest() string { return r.digest }

// Find returns the key with a fingerprint, nil if the ring has none.
func (r *Ring) Find(fingerprint string) *Identity { return r.byName[fingerprint] }

// Sealing is the newest active key of each encoding: RSA, then age. Either is
// left out where the ring has none.
func (r *Ring) Sealing() []*Identity {
	var out []*Identity
	for _, isAge := range []bool{false, true} {
		for _, id := range r.ids {
			if id.state == Active && id.Kind().Age() == isAge {
				out = append(out, id)
				break
			}
		}
	}
	return out
}

// Candidates lists the identities to try, in order: those whose fingerprint is
// hinted, then the one of each encoding that was newest at the time at, then
// newest to oldest. Revoked keys are left out. A hint is never trusted: it
// only moves a key forward.
func (r *Ring) Candidates(hints []string, at time.Time) []*Identity {
	out := make([]*Identity, 0, len(r.ids))
	seen := make(map[*Identity]bool, len(r.ids))
	add := func(id *Identity) {
		if id != nil && id.state != Revoked && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	for _, hint := range hints {
		add(r.byName[hint])
	}
	if !at.IsZero() {
		add(r.newestAt(at, false))
		add(r.newestAt(at, true))
	}
	for _, id := range r.ids {
		add(id)
	}
	return out
}

func (r *Ring) newestAt(at time.Time, isAge bool) *Identity {
	for _, id := range r.ids {
		if id.Kind().Age() == isAge && id.state != Revoked && !id.created.After(at) {
			return id
		}
	}
	return nil
}
