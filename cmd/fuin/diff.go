package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"time"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// diffFlags are those of fuin diff.
type diffFlags struct {
	cached     bool
	cluster    bool
	context    string
	kubeconfig clusterFlags
	keys       identityFlags
	format     choice
	exitCode   bool
}

func newDiff(u *ui) *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [REVISION|A..B|DIR DIR] [PATH...]",
		Short: "Tell how SealedSecrets changed, without a key",
		Long: `Tell how SealedSecrets changed: keys that were added, removed or rewritten,
and other scopes, keys they were sealed with, and metadata. Never a value.
Compared is, as git diff does, the work tree with the index; --cached the index
with the last commit; REVISION with the work tree; A..B two revisions, A...B
the second one with where it branched off; or two directories, or files, of
which Git need not know. --cluster compares what a cluster holds with files:
what applying them would change, and what its controller could not open.

A rewritten value need not be another one: sealing the same again gives another
ciphertext. With -i, a private key, both are opened and it is told; without, it
is told of what this user sealed on this machine.`,
		Example: `  fuin diff
  fuin diff main...HEAD -o markdown
  fuin diff --cached --exit-code overlays/production
  fuin diff overlays/staging overlays/production
  fuin diff HEAD~3 -i identity.txt
  fuin diff --cluster overlays/production`,
		Args: func(cmd *cobra.Command, _ []string) error {
			if f.cluster && f.cached {
				return misuse("ask one after the other", "--cluster and --cached exclude each other")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args, cmd.ArgsLenAtDash())
		},
	}
	cmd.Flags().BoolVar(&f.cached, "cached", false, "compare the index with the last commit, or with REVISION")
	cmd.Flags().BoolVar(&f.cluster, "cluster", false, "compare what the cluster holds with the files of PATH, and tell what is not synced; the default is all below the current directory")
	cmd.Flags().StringVar(&f.context, "context", "", "`CONTEXT` of the kubeconfig, for --cluster; the default is that of the cluster in .fuin.yaml, else the current one")
	f.kubeconfig.addKubeconfig(cmd)
	f.keys.add(cmd)
	addChoice(cmd, &f.format, "output", "o", "`FORMAT`: text, json or markdown, which is for comments on pull requests; the default is text", "text", "text", "json", "markdown")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with code 3 where there is a difference")
	return cmd
}

func (f *diffFlags) run(ctx context.Context, u *ui, args []string, dash int) error {
	found, err := f.find(ctx, u, args, dash)
	if err != nil {
		return err
	}
	names := u.keyNames()
	for i := range found {
		found[i].names = names
	}
	if err := f.tellValues(ctx, u, found); err != nil {
		return err
	}
	if err := printDifferences(u.stdout, found, f.format.value); err != nil {
		return err
	}
	if f.exitCode && len(found) > 0 {
		return different(len(found))
	}
	return nil
}

func (f *diffFlags) find(ctx context.Context, u *ui, args []string, dash int) ([]difference, error) {
	if f.cluster {
		return f.compareCluster(ctx, u, args)
	}
	pairs, err := f.pairs(ctx, u, args, dash)
	if err != nil {
		return nil, err
	}
	return compare(pairs), nil
}

// different is the error that a comparison asked for with --exit-code ends with.
func different(n int) error {
	return &fault{errDifferent{n}, "", exitFindings}
}

type errDifferent struct{ n int }

func (e errDifferent) Error() string { return plural(e.n, "SealedSecret") + " changed" }

// pairs reads both sides.
func (f *diffFlags) pairs(ctx context.Context, u *ui, args []string, dash int) (*sides, error) {
	if !f.cached && dash < 0 && len(args) == 2 && isComparable(args[0], args[1]) {
		return u.readTrees(ctx, args[0], args[1])
	}
	revisions, paths := f.split(args, dash)
	w := &worktree{dir: "."}
	if f.cached {
		revisions = append([]string{"--cached"}, revisions...)
	}
	changed, err := w.changes(ctx, append(append(revisions, "--"), paths...)...)
	if err != nil {
		return nil, err
	}
	return u.readChanges(ctx, w, changed)
}

// isComparable reports whether two arguments are two directories, or files.
func isComparable(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && one.IsDir() == other.IsDir()
}

// split tells a revision from paths: a path exists, or stands behind --.
func (f *diffFlags) split(args []string, dash int) (revisions, paths []string) {
	if len(args) == 0 || dash == 0 {
		return nil, args
	}
	if _, err := os.Stat(args[0]); err == nil && dash < 0 {
		return nil, args
	}
	return args[:1], args[1:]
}

// tellValues opens what was rewritten.
func (f *diffFlags) tellValues(ctx context.Context, u *ui, found []difference) error {
	if len(f.keys.files) == 0 {
		for _, d := range found {
			d.recallValues(u.memory())
		}
		return nil
	}
	ids, err := f.keys.load(ctx, u)
	if err != nil {
		return err
	}
	for _, d := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.tellValues(func(side *seal.State, key string) ([]byte, bool) {
			opener := seal.Opener{Identities: ids}.Hinted(side.Hints())
			value, _, err := opener.Open(u.placeOf(d.path, side.Object, key), side.Values[key])
			return value, err == nil
		})
	}
	return nil
}

// recallValues tells what this user's memory knows of rewritten values: it
// sealed both.
func (d *difference) recallValues(m *memory) {
	for i := range d.Keys {
		k := &d.Keys[i]
		if m == nil || k.Change != seal.Rewritten {
			continue
		}
		if same, known := m.same(d.before.Values[k.Key], d.after.Values[k.Key]); known {
			k.Value = seal.Changed
			if same {
				k.Value = seal.Unchanged
			}
		}
	}
}

// tellValues compares what open makes of both sides of each rewritten value;
// where one does not open nothing is told.
func (d *difference) tellValues(open func(side *seal.State, key string) ([]byte, bool)) {
	for i := range d.Keys {
		k := &d.Keys[i]
		if k.Change != seal.Rewritten {
			continue
		}
		old, ok := open(d.before, k.Key)
		if !ok {
			continue
		}
		if now, ok := open(d.after, k.Key); ok {
			k.Value = seal.Changed
			if bytes.Equal(old, now) {
				k.Value = seal.Unchanged
			}
		}
	}
}

// placeOf is where a value of a file stands in the cluster, as far as the
// kustomizations that reach the file agree.
func (u *ui) placeOf(path string, ob seal.Object, key string) seal.Place {
	at := ob.Place(key)
	t, err := u.targetOf(path)
	if err != nil {
		return at
	}
	if namespace, name, err := t.final(at.Scope, at.Namespace, at.Name); err == nil {
		at.Namespace, at.Name = namespace, name
	}
	return at
}

// keyNames are the names of clusters by the fingerprints of their keys, as far
// as the configuration can be read.
func (u *ui) keyNames() map[string]string {
	out := map[string]string{}
	r, err := u.repositoryAt(".")
	if err != nil || r == nil {
		return out
	}
	for _, recovery := range r.config.Recovery {
		out[recovery.Fingerprint()] = "recovery"
	}
	for _, c := range r.config.Clusters {
		recipients, err := r.config.Recipients(c.Name, r.files, time.Time{})
		if err != nil {
			continue
		}
		for _, recipient := range recipients {
			out[recipient.Fingerprint()] = c.Name
		}
	}
	return out
}

// A difference is a SealedSecret that changed, and where it stands.
type difference struct {
	File      string `json:"file"`           // of what it is now, or was
	From      string `json:"from,omitempty"` // another file, where it stood before
	Line      int    `json:"line,omitempty"` // in file, where it is there still
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	*seal.Difference
	Cluster *held `json:"cluster,omitempty"` // of a comparison with one

	before, after *seal.State
	path          string            // of the file, to look up what is said of it
	names         map[string]string // of clusters, by the fingerprints of their keys
}

func (d *difference) object() string { return strings.TrimPrefix(d.Namespace+"/"+d.Name, "/") }
