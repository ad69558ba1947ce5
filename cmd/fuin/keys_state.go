package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// stateFlags are those of fuin keys retire and revoke.
type stateFlags struct {
	state   keys.State
	undo    bool
	yes     bool // of revoke
	cluster clusterFlags
}

func newKeysRetire(u *ui) *cobra.Command {
	return newKeysState(u, &stateFlags{state: keys.Retired}, &cobra.Command{
		Use:   "retire cluster[:CONTEXT] FINGERPRINT|SECRET...",
		Short: "End the use of keys for sealing; they go on opening",
		Long: `End the use of keys for sealing; they go on opening. A key is named by its
fingerprint, the beginning of it, or its Secret. If no active key of its kind is
left, the controller makes another.`,
		Example: `  fuin keys retire cluster:production SHA256:q3ZkT0
  fuin keys retire --undo cluster fuin-age-key-20260301`,
	})
}

func newKeysRevoke(u *ui) *cobra.Command {
	f := &stateFlags{state: keys.Revoked}
	cmd := newKeysState(u, f, &cobra.Command{
		Use:   "revoke cluster[:CONTEXT] FINGERPRINT|SECRET...",
		Short: "End the use of keys that leaked: they open nothing any more",
		Long: `End the use of keys that leaked: they neither seal nor open any more. A key is
named by its fingerprint, the beginning of it, or its Secret.

What a revoked key sealed no longer opens and says so; Secrets that exist stay.
It does not undo a leak: whoever has the key opens what it sealed, in all of
Git's history, so the values themselves must be changed. If no active key of its
kind is left, the controller makes another.`,
		Example: `  fuin keys revoke cluster:production SHA256:q3ZkT0
  fuin keys revoke --yes cluster sealed-secrets-keyx7b2k`,
	})
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask; needed where there is no terminal")
	return cmd
}

func newKeysState(u *ui, f *stateFlags, cmd *cobra.Command) *cobra.Command {
	cmd.Args = clusterArgs("the fingerprint or the Secret of a key", 1, -1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), u, args[0], args[1:]) }
	cmd.Flags().BoolVar(&f.undo, "undo", false, "make the keys active again")
	f.cluster.addFuin(cmd)
	return cmd
}

func (f *stateFlags) run(ctx context.Context, u *ui, spec string, names []string) error {
	asks := f.state == keys.Revoked && !f.undo && !f.yes
	if asks && !u.isTerminal(u.stdin) {
		return misuse("add --yes", "revoking ends the opening of all that the keys sealed, and here nobody can be asked")
	}
	contextName, _ := clusterSpec(spec)
	p, err := f.cluster.published(ctx, u, contextName, "changing keys of")
	if err != nil {
		return err
	}
	chosen, err := f.choose(p, names)
	if err != nil {
		return err
	}
	f.warn(u, p, chosen)
	if asks {
		if err := u.confirm(ctx, fmt.Sprintf("revoke %s of %s?", plural(len(chosen), "key"), p.cluster)); err != nil {
			return err
		}
	}
	if err := f.set(ctx, u, p.cluster, chosen); err != nil {
		return err
	}
	u.note("now bring the repositories up to date: fuin keys sync %s FILE", spec)
	return nil
}

// choose finds all keys before any is changed.
func (f *stateFlags) choose(p *published, names []string) ([]ringKey, error) {
	if err := p.needRing(); err != nil {
		return nil, err
	}
	var chosen []ringKey
	var failed faults
	for _, name := range names {
		k, err := p.resolve(name)
		if err == nil {
			err = f.allowed(k)
		}
		switch {
		case err != nil:
			failed = append(failed, err)
		case !slices.Contains(chosen, k):
			chosen = append(chosen, k)
		}
	}
	return chosen, failed.orNil()
}

// shortestPrefix of a fingerprint that names a key, in characters.
const shortestPrefix = 4

// resolve finds the one key that a fingerprint, its beginning, or the name of
// a Secret means.
func (p *published) resolve(name string) (ringKey, error) {
	if err := refusePrivate(name); err != nil {
		return ringKey{}, err
	}
	prefix := strings.TrimPrefix(name, "SHA256:")
	var found []ringKey
	for _, k := range p.ring {
		if k.Secret == name || len(prefix) >= shortestPrefix && strings.HasPrefix(k.Fingerprint, "SHA256:"+prefix) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return ringKey{}, fail("fuin keys list cluster names them; of a fingerprint give at least 4 characters",
			"%s has no key %.60q", p.cluster, name)
	case 1:
		return found[0], nil
	}
	return ringKey{}, fail("give more of the fingerprint", "%s has %d keys %.60q", p.cluster, len(found), name)
}

// allowed keeps a verb from undoing what the other did: retiring a revoked key
// would make it open again.
func (f *stateFlags) allowed(k ringKey) error {
	if k.State == keys.Active || k.State == f.state || f.state == keys.Revoked && !f.undo {
		return nil
	}
	verb := map[keys.State]string{keys.Retired: "retire", keys.Revoked: "revoke"}[k.State]
	return fail("fuin keys "+verb+" --undo makes it active", "%s is %s", k.Fingerprint, k.State)
}

// warn says what the change brings about.
func (f *stateFlags) warn(u *ui, p *published, chosen []ringKey) {
	if f.undo {
		return
	}
	if f.state == keys.Revoked {
		u.warn("", "what a revoked key sealed no longer opens; Secrets that exist stay")
		u.warn("", "whoever has a leaked key opens what it sealed, in all of Git's history: change those values")
	}
	for _, one := range families {
		if p.loses(one, chosen) {
			u.warn("", "no active %s key is left then: the controller makes another", one)
		}
	}
}

// loses reports whether a family's last active key is among the chosen.
func (p *published) loses(one string, chosen []ringKey) bool {
	ends, stays := false, false
	for _, k := range p.ring {
		if k.State == keys.Active && family(k.Kind) == one {
			isChosen := slices.Contains(chosen, k)
			ends, stays = ends || isChosen, stays || !isChosen
		}
	}
	return ends && !stays
}

// set changes the labels, also of keys that are listed so already: the list
// may lag behind.
func (f *stateFlags) set(ctx context.Context, u *ui, c *cluster, chosen []ringKey) error {
	to := f.state
	if f.undo {
		to = keys.Active
	}
	var failed faults
	for _, k := range chosen {
		err := c.patch(ctx, f.change(k.Kind, to), "api/v1/namespaces", c.flags.fuinNamespace(), "secrets", k.Secret)
		if err != nil {
			failed = append(failed, hintAbsent(err, "was the key deleted? fuin keys list cluster tells"))
			continue
		}
		again := ""
		if k.State == to {
			again = " already"
		}
		u.note("%s %s is %s%s", k.Kind, k.Fingerprint, to, again)
	}
	return failed.orNil()
}

// change is the patch of a key's Secret. Retiring leaves Sealed Secrets' label
// alone, so that it never revives a key that is compromised to that.
func (f *stateFlags) change(kind keys.Kind, to keys.State) any {
	labels := map[string]string{keys.LabelState: string(to)}
	switch {
	case kind.Age():
		// The type of a Secret cannot change: another than a key is refused.
		labels = map[string]string{keys.LabelAge: string(to)}
		return map[string]any{"type": keys.TypeAge, "metadata": map[string]any{"labels": labels}}
	case to == keys.Revoked:
		labels[keys.LabelRSA] = "compromised"
	case f.state == keys.Revoked:
		labels[keys.LabelRSA] = "active"
	}
	return map[string]any{"metadata": map[string]any{"labels": labels}}
}

// confirm asks on the terminal; anything but yes is no.
func (u *ui) confirm(ctx context.Context, question string) error {
	fmt.Fprintf(u.stderr, "fuin: %s [yes/no] ", printable(question))
	line, err := interruptible(ctx, func() ([]byte, error) {
		line, err := bufio.NewReader(io.LimitReader(u.stdin, 100)).ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
	if err != nil {
		return fileError(stdinName, err)
	}
	if answer := strings.ToLower(strings.TrimSpace(string(line))); answer != "yes" && answer != "y" {
		return fail("answer yes, or give --yes", "nothing changed")
	}
	return nil
}
