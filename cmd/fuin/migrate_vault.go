package main

import (
	"bytes"
	"context"
	"slices"

	"fuin.dev/render/reference"
	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// migrateVaultFlags are those of fuin migrate vault-refs.
type migrateVaultFlags struct {
	inPlace bool
	out     string
}

func newMigrateVaultRefs(u *ui) *cobra.Command {
	var f migrateVaultFlags
	cmd := &cobra.Command{
		Use:   "vault-refs PATH...|-",
		Short: "Rewrite references to Vault of other tools",
		Long: `Rewrite the references to Vault that argocd-vault-plugin and bank-vaults read
(<path:PATH#KEY#VERSION>, <KEY> under the annotation avp.kubernetes.io/path,
vault:PATH#KEY#VERSION, ${vault:PATH#KEY}) into ref+vault://PATH#/KEY. A PATH is
a file, a directory (all *.yaml, *.yml and *.json below it), or -.

They are rewritten in stringData and data of Secrets, in spec.template.data of
SealedSecrets, in secretGenerators, in the Helm values of Environments, and in
files that hold no object of Kubernetes, such as the values of a chart. Every
other byte stays; what is base64 in data stays base64. A /data/ in a path is
left there: it is read as it was.

What has no form here is left as it is and named with its line: references in
other places, >>vault: (which writes), functions behind |, templates for a key.
The exit code is 3 then. Annotations that other tools read are named, too.`,
		Example: `  fuin migrate vault-refs overlays/production
  fuin migrate vault-refs . --in-place && git diff`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args)
		},
	}
	cmd.Flags().BoolVar(&f.inPlace, "in-place", false, "write each file back, keeping its mode and owner, instead of to standard output")
	cmd.Flags().StringVar(&f.out, "out", "", "write to `FILE` instead of standard output, atomically")
	return cmd
}

func (f *migrateVaultFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return misuse("name a file or a directory, or - for standard input; see "+helpHint(cmd), "no file to rewrite")
	case f.inPlace && f.out != "":
		return misuse("give one of them", "--in-place and --out exclude each other")
	case f.inPlace && slices.Contains(args, "-"):
		return misuse("leave --in-place out", "standard input cannot be written in place")
	}
	return oneStdin(args...)
}

func (f *migrateVaultFlags) run(ctx context.Context, u *ui, args []string) error {
	inputs, err := u.inputs(args)
	if err != nil {
		return err
	}
	var done []outcome
	var wrong faults
	rewritten, files := 0, 0
	for _, in := range inputs {
		m := &vaultMigration{file: in.name()}
		one, changed, err := f.one(ctx, u, in, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for _, w := range m.warnings {
			u.warn("", "%s", w)
		}
		wrong = append(wrong, m.left...)
		rewritten += m.count
		if changed {
			files++
		}
		if changed || !in.found {
			done = append(done, one)
		}
	}
	u.note("rewrote %s in %s", plural(rewritten, "reference"), plural(files, "file"))
	if err := f.write(u, done); err != nil {
		return err
	}
	return wrong.orNil()
}

// one rewrites a file. One that was found in a directory and cannot be read is
// passed over unless it may hold references.
func (f *migrateVaultFlags) one(ctx context.Context, u *ui, in input, m *vaultMigration) (one outcome, changed bool, err error) {
	data, err := u.read(ctx, in)
	if err != nil {
		return outcome{}, false, err
	}
	result, err := seal.Rewrite(data, m.substitutions)
	switch {
	case err != nil && in.found && !reference.ContainsForeign(string(data)):
		return outcome{input: in}, false, nil
	case err != nil && bytes.Contains(data, []byte("{{")):
		err = &fault{err, "templates are rewritten by hand; fuin render tells what is left in what they make", exitError}
		fallthrough
	case err != nil:
		return outcome{}, false, nameError(in.name(), err)
	}
	changed = !bytes.Equal(data, result.Out)
	if changed && f.inPlace {
		err = rewriteFile(in.path, result.Out)
		result.Out = nil
	}
	return outcome{input: in, result: result}, changed, err
}

func (f *migrateVaultFlags) write(u *ui, done []outcome) error {
	if f.inPlace || len(done) == 0 {
		return nil
	}
	isJSON := func(o outcome) bool { return bytes.HasPrefix(o.result.Out, []byte("{")) }
	if len(done) > 1 && slices.ContainsFunc(done, isJSON) {
		return misuse("write them back with --in-place, or give one at a time", "several files, of which one is JSON, do not fit into one output")
	}
	to := outputFlags{file: f.out}
	return to.write(u, joinOutcomes(done), modePublic)
}
