package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// liveFlags are those of fuin migrate live.
type liveFlags struct {
	keys    recipientFlags
	from    string
	dir     string
	owners  []string
	options seal.Options
	scope   choice
}

func newMigrateLive(u *ui) *cobra.Command {
	var f liveFlags
	cmd := &cobra.Command{
		Use:   "live NAMESPACE",
		Short: "Seal the Secrets that a namespace of a cluster has",
		Long: `Seal the Secrets that a namespace of a cluster has, each into a file of its
own, and change nothing in the cluster. Left out, and named on standard error,
is what something in the cluster makes: tokens of service accounts, releases of
Helm, what cert-manager, External Secrets or another owner keeps. --owner KIND
takes along what that kind owns.

The controller takes over a Secret that exists only where the Secret has the
annotation sealedsecrets.bitnami.com/managed: the command that sets it is
printed at the end. Values pass through this process alone: none is written
that is not sealed.`,
		Example: `  fuin migrate live shop --from cluster:production --out overlays/production
  fuin migrate live shop --owner ExternalSecret -r keys/production.txt`,
		Args: needArgs("a NAMESPACE", 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), u, args[0]) },
	}
	f.keys.add(cmd)
	cmd.Flags().StringVar(&f.from, "from", "cluster", "read `CLUSTER`, as cluster[:CONTEXT]; the default is the current context")
	cmd.Flags().StringVar(&f.dir, "out", "", "write a file for each Secret into `DIRECTORY` instead of standard output; files that are there stay")
	cmd.Flags().StringArrayVar(&f.owners, "owner", nil, "take along Secrets that objects of this `KIND` own; may be given several times")
	addScope(cmd, &f.scope)
	return cmd
}

func (f *liveFlags) run(ctx context.Context, u *ui, namespace string) error {
	contextName, ok := clusterSpec(f.from)
	if !ok {
		return misuse("as cluster or cluster:CONTEXT", "--from names no cluster")
	}
	planner, err := f.keys.planner(ctx, u)
	if err != nil {
		return err
	}
	if err := planner.ready(f.path("secret.yaml")); err != nil {
		return err
	}
	c, err := f.keys.cluster.dial(contextName)
	if err != nil {
		return err
	}
	u.note("reading the Secrets of namespace %s in %s", namespace, c)
	all, err := c.secrets(ctx, namespace)
	if err != nil {
		return err
	}
	kept := f.keep(u, all)
	if len(kept) == 0 {
		return fail("fuin migrate live --help tells what is left out", "namespace %s of %s has no Secret to seal", namespace, c)
	}
	f.options.Scope, f.options.Format = seal.Scope(f.scope.value), seal.YAML
	if err := f.sealAll(ctx, u, planner, kept); err != nil {
		return err
	}
	tellTakeOver(u, contextName, namespace, kept)
	return nil
}

// path is where a file stands that decides how to seal.
func (f *liveFlags) path(name string) string {
	if f.dir == "" {
		return "-"
	}
	return filepath.Join(f.dir, name)
}

// keep are the Secrets that people made; it tells of the others.
func (f *liveFlags) keep(u *ui, all []liveSecret) []liveSecret {
	var kept []liveSecret
	for _, s := range all {
		if why := s.left(f.owners); why != "" {
			u.note("left out %s: %s", s.Metadata.Name, why)
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

func (f *liveFlags) sealAll(ctx context.Context, u *ui, planner *planner, kept []liveSecret) error {
	var out bytes.Buffer
	var failed faults
	written := 0
	for i, s := range kept {
		if err := ctx.Err(); err != nil {
			return err
		}
		sealed, err := f.sealOne(u, planner, s)
		if err == nil && f.dir != "" {
			if err = f.create(f.path(fileOf(s)), sealed); err == nil {
				written++
			}
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(sealed)
	}
	if f.dir != "" {
		u.note("sealed %s in %s", plural(written, "Secret"), f.dir)
		return failed.orNil()
	}
	if len(failed) > 0 {
		return failed
	}
	_, err := u.stdout.Write(out.Bytes())
	return err
}

func fileOf(s liveSecret) string { return s.Metadata.Name + ".yaml" }

func (f *liveFlags) sealOne(u *ui, planner *planner, s liveSecret) ([]byte, error) {
	path := f.path(fileOf(s))
	plan, err := planner.at(path)
	if err != nil {
		return nil, err
	}
	manifest, err := s.manifest()
	if err != nil {
		return nil, err
	}
	result, err := plan.seal(manifest, f.options)
	if err != nil {
		return nil, nameError("Secret "+s.Metadata.Namespace+"/"+s.Metadata.Name, err)
	}
	for _, w := range result.Warnings {
		u.warn(s.Metadata.Name, "%s", w)
	}
	return result.Out, nil
}

// create writes a file that is not there yet.
func (f *liveFlags) create(path string, data []byte) error {
	if err := os.MkdirAll(f.dir, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return fileError(f.dir, err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return failAt(path, "move it away, or write to another directory", "exists already")
	}
	return writeFile(path, data, modePublic)
}

// tellTakeOver prints the command that hands the Secrets over to the controller.
func tellTakeOver(u *ui, contextName, namespace string, kept []liveSecret) {
	var names []string
	for _, s := range kept {
		if s.Metadata.Annotations[annotationManaged] != "true" {
			names = append(names, s.Metadata.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	command := "kubectl annotate secret -n " + namespace
	if contextName != "" {
		command = "kubectl --context " + contextName + " annotate secret -n " + namespace
	}
	u.note("before they are applied: %s %s %s=true", command, strings.Join(names, " "), annotationManaged)
}
