package source

import (
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// generation is a database and what is known of it. It is replaced by an empty
// one when it was damaged or has outgrown what is in use, and removed when
// nobody reads from it.
type generation struct {
	db      *database
	refs    int
	retired bool

	snapshots map[plumbing.Hash]*snapshot
	nodes     int // of all snapshots
	proved    map[proof]bool

	haves []have // the turn's; the newest last
	first int64  // the turn's; bytes after the first fetch
}

// have is a commit that a server need not send again.
type have struct {
	hash    plumbing.Hash
	shallow bool // its parents are not there
}

// proof is that a server named a commit to somebody who asked for it, or
// handed it out: who pinned one keeps it, though a force push took it from all
// branches.
type proof struct {
	credentials [32]byte
	commit      plumbing.Hash
}

const (
	maxHaves  = 16
	maxNodes  = 2 * maxEntries // of snapshots that are kept for the next who asks
	maxProofs = 10_000
	slack     = 64 << 20 // bytes by which a generation may outgrow its beginning fourfold
)

// retire gives a generation up. The caller holds the lock.
func (g *generation) retire() error {
	if g == nil || g.retired {
		return nil
	}
	g.retired = true
	if g.refs > 0 {
		return nil
	}
	return g.db.close()
}

// have remembers a commit that is there with all its files; shallow tells that
// its history is not.
func (g *generation) have(h plumbing.Hash, shallow bool) {
	if slices.ContainsFunc(g.haves, func(other have) bool { return other.hash == h }) {
		return
	}
	if len(g.haves) >= maxHaves {
		g.haves = g.haves[1:]
	}
	g.haves = append(g.haves, have{h, shallow})
	if g.first == 0 {
		g.first = g.db.bytes()
	}
}

// prove remembers a proof. The caller holds the lock.
func (g *generation) prove(p proof) {
	if len(g.proved) >= maxProofs {
		clear(g.proved)
	}
	g.proved[p] = true
}

// keep keeps a snapshot for the next who asks. The caller holds the lock.
func (g *generation) keep(snap *snapshot) {
	if g.snapshots[snap.hash] != nil {
		return
	}
	if g.nodes += snap.nodes; g.nodes > maxNodes {
		clear(g.snapshots) // those in use are in their checkouts
		g.nodes = snap.nodes
	}
	g.snapshots[snap.hash] = snap
}
