package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// syncFlags are those of fuin keys sync.
type syncFlags struct {
	check   bool
	force   bool
	cluster clusterFlags
	several bool // what is printed names the file
}

func newKeysSync(u *ui) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync [cluster[:CONTEXT] FILE]",
		Short: "Bring committed files of public keys up to date",
		Long: `Bring a committed file of public keys up to date with what seals now in the
cluster, as fuin keys list -o public cluster prints it, and print what changed.
The file is made if there is none, and left as it is while it is right; comments
are kept. Without arguments, the files of all clusters in .fuin.yaml that have a
context are.

Keys that seal no more are kept as comments, by their fingerprints, with what
became of them (replaced, retired, revoked, removed) and since when, as far as
the file and the cluster can tell. fuin check goes by them without a cluster.

A file whose keys the cluster does not know belongs to another one and is left
alone: the context was forgotten.`,
		Example: `  fuin keys sync
  fuin keys sync --check
  fuin keys sync cluster:staging keys/staging.txt
  fuin keys sync --check cluster:production keys/production.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return clusterArgs("a file of public keys", 1, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return f.all(cmd.Context(), u)
			}
			return f.named(cmd.Context(), u, args[0], args[1])
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "write nothing; exit with 3 if the file is out of date")
	cmd.Flags().BoolVar(&f.force, "force", false, "take the cluster's keys though the file holds those of another one")
	f.cluster.addFuin(cmd)
	return cmd
}

// named syncs the file that the arguments name.
func (f *syncFlags) named(ctx context.Context, u *ui, spec, path string) error {
	if path == "-" {
		return misuse("fuin keys list -o public "+spec+" prints the keys", "standard input is no file to bring up to date")
	}
	contextName, _ := clusterSpec(spec)
	return f.one(ctx, u, contextName, path, "fuin keys sync "+spec+" "+path)
}

// one brings a file up to date; again is the command that does so.
func (f *syncFlags) one(ctx context.Context, u *ui, contextName, path, again string) error {
	held, err := readPublic(ctx, path)
	if err != nil {
		return err
	}
	p, err := f.cluster.published(ctx, u, contextName, "comparing with the keys of")
	if err != nil {
		return err
	}
	if err := f.refuse(p, held.keys, path); err != nil {
		return err
	}
	if p.foreign(held.keys) { // and --force is given
		held = publicFile{keys: held.keys, foreign: true}
	}
	former := p.former(held, u.now())
	differences := p.differences(held, former)
	if len(differences) == 0 {
		u.note("%s is up to date", path)
		return nil
	}
	if f.several {
		differences = append([]string{path + ":"}, differences...)
	}
	if _, err := fmt.Fprintln(u.stdout, strings.Join(differences, "\n")); err != nil {
		return err
	}
	if f.check {
		return &fault{&named{path, errors.New("out of date")}, again, exitFindings}
	}
	return writeFile(path, publicText(held.comments, p.sealing, former), modePublic)
}

// refuse stops before a file loses its keys to no others, or to those of
// another cluster.
func (f *syncFlags) refuse(p *published, held []listedKey, path string) error {
	switch {
	case len(p.sealing) == 0:
		return unreachable("does fuin-controller run?", "%s: it publishes no key to seal with", p.cluster)
	case !f.force && p.foreign(held):
		return failAt(path, "name the right one as cluster:CONTEXT; if its keys were lost or made anew, add --force",
			"%s knows none of its keys", p.cluster)
	}
	return nil
}

// foreign reports whether the keys of a file are all of another cluster.
func (p *published) foreign(held []listedKey) bool {
	for _, k := range held {
		if holds(p.sealing, k.Fingerprint) || p.find(k.Fingerprint) != nil {
			return false
		}
	}
	return len(held) > 0
}
