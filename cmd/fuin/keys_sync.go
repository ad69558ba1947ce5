package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"fuin.dev/keys"
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
The file is made if there is none, and left as it is, comments too, while it
holds the right keys. Without arguments, the files of all clusters in .fuin.yaml
that have a context are.

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
	if err := f.refuse(p, held, path); err != nil {
		return err
	}
	differences := p.differences(held)
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
	return f.write(path, p)
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

func (f *syncFlags) write(path string, p *published) error {
	var text bytes.Buffer
	if err := printKeys(&text, p.sealing, "public"); err != nil {
		return err
	}
	return writeFile(path, text.Bytes(), modePublic)
}

// readPublic reads the keys of a file, of which there are none if it is empty
// or missing. What is no file of public keys is an error: it is not replaced.
func readPublic(ctx context.Context, path string) ([]listedKey, error) {
	data, err := readFile(ctx, path, keys.MaxFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	held, err := parsePublic(data)
	if err != nil {
		return nil, nameError(path, err)
	}
	return held, nil
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

// differences are lines for people: keys that a file lacks, and those that it
// holds though they no longer seal, with what became of them.
func (p *published) differences(held []listedKey) []string {
	var out []string
	for _, k := range p.sealing {
		if !holds(held, k.Fingerprint) {
			out = append(out, fmt.Sprintf("+ %-7s %s", k.Kind, k.Fingerprint))
		}
	}
	for _, k := range held {
		if !holds(p.sealing, k.Fingerprint) {
			out = append(out, fmt.Sprintf("- %-7s %s %s", k.Kind, k.Fingerprint, p.fate(k.Fingerprint)))
		}
	}
	return out
}

// fate is what became of a key that no longer seals.
func (p *published) fate(fingerprint string) string {
	k := p.find(fingerprint)
	switch {
	case k == nil:
		return "(unknown to the cluster)"
	case k.State == keys.Active:
		return "(replaced by a newer one)"
	}
	return "(" + string(k.State) + ")"
}
