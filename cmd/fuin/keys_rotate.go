package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

const rotatePoll = 200 * time.Millisecond

// rotateFlags are those of fuin keys rotate.
type rotateFlags struct {
	kind    choice
	timeout time.Duration
	cluster clusterFlags
}

func newKeysRotate(u *ui) *cobra.Command {
	var f rotateFlags
	cmd := &cobra.Command{
		Use:   "rotate cluster[:CONTEXT]",
		Short: "Have a cluster make new keys, which seal from now on",
		Long: `Have a cluster make new keys, which seal from now on, and print their
fingerprints. Old keys stay active and open what they sealed.

By default both kinds are renewed, so that nothing new is sealed to an old key
by the one way or the other. age identities are renewed by this command alone,
since repositories commit their recipient: run fuin keys sync in each of them
afterwards. Until then they seal to the old key, which still opens.`,
		Example: `  fuin keys rotate cluster:production
  fuin keys rotate --kind age cluster && fuin keys sync cluster keys.txt`,
		Args: clusterArgs("", 0, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.timeout < 0 {
				return misuse("0 does not wait", "--timeout is negative")
			}
			return f.run(cmd.Context(), u, args[0])
		},
	}
	addChoice(cmd, &f.kind, "kind", "", "`KIND` of key to make: rsa, age or all; the default is all", "all", familyRSA, familyAge, "all")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "`TIME` to wait for the new keys; the default is 30s, and 0 does not wait")
	f.cluster.addFuin(cmd)
	return cmd
}

func (f *rotateFlags) run(ctx context.Context, u *ui, spec string) error {
	contextName, _ := clusterSpec(spec)
	before, err := f.cluster.published(ctx, u, contextName, "asking for new keys in")
	if err != nil {
		return err
	}
	if err := before.needRing(); err != nil {
		return err
	}
	if err := f.ask(ctx, u, before); err != nil {
		return err
	}
	if f.timeout == 0 {
		u.note("asked; fuin keys list %s shows the new keys once they are made", spec)
		return nil
	}
	made, err := f.await(ctx, before)
	for _, k := range made {
		if _, err := fmt.Fprintf(u.stdout, "%-7s %s\n", k.Kind, k.Fingerprint); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	u.note("now bring the repositories up to date: fuin keys sync %s FILE", spec)
	return nil
}

func (f *rotateFlags) families() []string {
	if f.kind.value == "all" {
		return families
	}
	return []string{f.kind.value}
}

// ask sets the annotations, by the cluster's clock: with one that is ahead, the
// new key would still be older than what was asked for.
func (f *rotateFlags) ask(ctx context.Context, u *ui, before *published) error {
	at := before.asOf
	if at.IsZero() {
		at = u.now()
	}
	at = at.UTC().Truncate(time.Second)
	annotations := map[string]string{}
	for _, one := range f.families() {
		if k := before.newest(one); k != nil && !k.Created.Before(at) {
			return fail("try again in a second; if that does not help, a clock is wrong",
				"%s: its newest %s key was made just now: %s", before.cluster, one, k.Created.UTC().Format(time.RFC3339))
		}
		annotations[keys.AnnotationRotate+one] = at.Format(time.RFC3339)
	}
	change := map[string]any{"metadata": map[string]any{"annotations": annotations}}
	c := before.cluster
	return c.patch(ctx, change, "api/v1/namespaces", c.flags.fuinNamespace(), "configmaps", configMapName)
}

// await polls until every key asked for is there. Times do not tell which are
// new, since clocks differ.
func (f *rotateFlags) await(ctx context.Context, before *published) ([]ringKey, error) {
	deadline := time.NewTimer(f.timeout)
	defer deadline.Stop()
	tick := time.NewTicker(rotatePoll)
	defer tick.Stop()
	for {
		now, err := before.cluster.published(ctx)
		if err != nil {
			return nil, err
		}
		made, missing := f.made(before, now)
		if missing == nil {
			return made, nil
		}
		select {
		case <-ctx.Done():
			return made, ctx.Err()
		case <-deadline.C:
			return made, unreachable("the request stands; does fuin-controller run? its log tells why it makes none",
				"%s: no new %s key within %s", now.cluster, strings.Join(missing, " and no new "), f.timeout)
		case <-tick.C:
		}
	}
}

// made are the new keys, and the families that still have none.
func (f *rotateFlags) made(before, now *published) (made []ringKey, missing []string) {
	for _, one := range f.families() {
		if k := now.newest(one); k != nil && before.find(k.Fingerprint) == nil {
			made = append(made, *k)
		} else {
			missing = append(missing, one)
		}
	}
	return made, missing
}
