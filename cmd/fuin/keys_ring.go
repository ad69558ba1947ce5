package main

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// entryRing is the entry of the cluster's ConfigMap that lists its whole ring.
const entryRing = "keys.json"

// A ringKey is what a cluster tells about one of its keys.
type ringKey struct {
	Fingerprint string     `json:"fingerprint"`
	Kind        keys.Kind  `json:"kind"`
	State       keys.State `json:"state"`
	Created     time.Time  `json:"created"`
	Secret      string     `json:"secret"` // in the controller's namespace
}

// A published is all that a cluster tells about its keys.
type published struct {
	cluster *cluster
	sealing []listedKey // what seals now: the certificate, then the recipients
	ring    []ringKey   // newest first; nil if the cluster does not tell
	asOf    time.Time   // by the cluster's clock; zero if it does not tell
}

// published asks the cluster for its keys.
func (f *clusterFlags) published(ctx context.Context, u *ui, contextName, doing string) (*published, error) {
	c, err := f.dial(contextName)
	if err != nil {
		return nil, err
	}
	u.note("%s %s", doing, c)
	return c.published(ctx)
}

func (c *cluster) published(ctx context.Context) (*published, error) {
	entries, asOf, err := c.publication(ctx)
	if err != nil {
		return nil, hintAbsent(err, "is fuin-controller installed? give its --controller-namespace")
	}
	p := &published{cluster: c, asOf: asOf}
	for _, entry := range []string{entryCert, entryRecipients} {
		if strings.TrimSpace(entries[entry]) == "" {
			continue
		}
		some, err := parsePublic([]byte(entries[entry]))
		if err != nil {
			return nil, &named{c.String() + ": " + entry, err}
		}
		p.sealing = append(p.sealing, some...)
	}
	if p.ring, err = parseRing(entries[entryRing]); err != nil {
		return nil, &named{c.String() + ": " + entryRing, err}
	}
	return p, nil
}

// parseRing takes nothing on trust: the names go into paths and to terminals.
func parseRing(text string) ([]ringKey, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	ring := []ringKey{}
	if err := json.Unmarshal([]byte(text), &ring); err != nil {
		return nil, unreachable(hintNewer, "no list of keys")
	}
	fingerprint := regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)
	name := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`) // RFC 1123
	for i, k := range ring {
		switch {
		case !fingerprint.MatchString(k.Fingerprint):
			return nil, unreachable(hintNewer, "key %d of the list has no fingerprint", i+1)
		case !slices.Contains([]keys.Kind{keys.RSA, keys.Hybrid, keys.X25519}, k.Kind):
			return nil, unreachable(hintNewer, "%s is of an unknown kind", k.Fingerprint)
		case !slices.Contains([]keys.State{keys.Active, keys.Retired, keys.Revoked}, k.State):
			return nil, unreachable(hintNewer, "%s is in an unknown state", k.Fingerprint)
		case len(k.Secret) > 253 || !name.MatchString(k.Secret):
			return nil, unreachable(hintNewer, "%s is in no Secret", k.Fingerprint)
		}
	}
	return ring, nil
}

const hintNewer = "is its fuin-controller of a newer release? then update fuin"

// needRing refuses a cluster that does not tell which keys it has.
func (p *published) needRing() error {
	if p.ring == nil {
		return unreachable("update fuin-controller", "%s: its controller does not publish its keys' states", p.cluster)
	}
	return nil
}

// find is the key with a fingerprint, nil if the cluster has none.
func (p *published) find(fingerprint string) *ringKey {
	for i := range p.ring {
		if p.ring[i].Fingerprint == fingerprint {
			return &p.ring[i]
		}
	}
	return nil
}

// newest is the newest active key of a family.
func (p *published) newest(of string) *ringKey {
	for i, k := range p.ring {
		if k.State == keys.Active && family(k.Kind) == of {
			return &p.ring[i]
		}
	}
	return nil
}

// list is all of it: what seals now, then the others, newest first.
func (p *published) list() []listedKey {
	out := []listedKey{}
	for _, k := range p.sealing {
		if known := p.find(k.Fingerprint); known != nil {
			k.tell(*known)
		}
		out = append(out, k)
	}
	for _, known := range p.ring {
		if !holds(p.sealing, known.Fingerprint) {
			k := listedKey{Fingerprint: known.Fingerprint, Kind: known.Kind}
			k.tell(known)
			out = append(out, k)
		}
	}
	return out
}

// tell adds what only the cluster knows.
func (k *listedKey) tell(of ringKey) {
	k.State, k.Secret = of.State, of.Secret
	if !of.Created.IsZero() {
		k.Created = known(of.Created)
	}
}

func holds(all []listedKey, fingerprint string) bool {
	return slices.ContainsFunc(all, func(k listedKey) bool { return k.Fingerprint == fingerprint })
}

// The families of keys: a cluster seals with the newest active one of each.
var families = []string{familyRSA, familyAge}

const (
	familyRSA = "rsa"
	familyAge = "age"
)

func family(k keys.Kind) string {
	if k.Age() {
		return familyAge
	}
	return familyRSA
}

// clusterArgs demands a cluster and at least so many other arguments, named
// what, and at most so many; -1 is any number.
func clusterArgs(what string, atLeast, atMost int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return misuse(helpHint(cmd), "a cluster is missing: cluster or cluster:CONTEXT")
		}
		if err := refusePrivate(args[0]); err != nil {
			return err
		}
		if _, ok := clusterSpec(args[0]); !ok {
			return misuse("write cluster for the current context, or cluster:CONTEXT", "%q is no cluster", args[0])
		}
		switch rest := args[1:]; {
		case len(rest) < atLeast:
			return misuse(helpHint(cmd), "%s is missing", what)
		case atMost >= 0 && len(rest) > atMost:
			return misuse(helpHint(cmd), "too many arguments: %q", rest[atMost])
		}
		return nil
	}
}
