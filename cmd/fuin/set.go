package main

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// setFlags are those of fuin set.
type setFlags struct {
	keys   recipientFlags
	value  valueFlags
	target targetFlags
}

func newSet(u *ui) *cobra.Command {
	var f setFlags
	cmd := &cobra.Command{
		Use:   "set FILE KEY",
		Short: "Seal one value into a SealedSecret",
		Long: `Seal one value into a SealedSecret of a file: KEY is added, or its value
replaced. Every other byte of the file stays as it is, but for the annotation
fuin.dev/key, which names the keys used. Needs no private key and no cluster:
the path tells whom to seal for, by the rules of .fuin.yaml, unless --cert or -r
names a key. FILE - is standard input, which is written to standard output.

The value is asked for on a terminal, or read from standard input, without the
line end behind it. It is never an argument: those can be read by others.`,
		Example: `  fuin set overlays/production/db.yaml password
  fuin set --cert cert.pem sealed.yaml password
  pass show shop/db | fuin set -r staging.txt sealed.yaml password
  fuin set -r staging.txt --generate 32 sealed.yaml token
  fuin set -r staging.txt --name tls --from-file key.pem all.yaml tls.key`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args[0], args[1])
		},
	}
	f.keys.add(cmd)
	f.value.add(cmd)
	f.target.add(cmd)
	return cmd
}

// check refuses what contradicts itself. It repeats no argument: a value may
// stand among them by mistake.
func (f *setFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 2 || len(args) == 2 && strings.Contains(args[1], "="):
		return misuse("pipe it in, or give --from-file PATH; what stood there is in your shell's history now",
			"more than FILE and KEY; a value is no argument")
	case len(args) < 2:
		return misuse(helpHint(cmd), "FILE or KEY is missing")
	case !seal.IsKey(args[1]):
		return misuse("use letters, digits, '-', '_' and '.'", "KEY is no key of a Secret")
	case args[0] == "-" && f.value.source() == "-":
		return misuse("give the value with --from-file PATH or --generate N", "standard input is the manifest already")
	}
	return f.value.check(cmd)
}

func (f *setFlags) run(ctx context.Context, u *ui, file, key string) error {
	if err := oneStdin(slices.Concat(f.keys.recipients, []string{f.keys.cert, file, f.value.source()})...); err != nil {
		return err
	}
	data, err := u.read(ctx, input{path: file})
	if err != nil {
		return err
	}
	if _, err := f.target.of(key).Find(data); err != nil {
		return nameError(input{path: file}.name(), err)
	}
	plans, err := f.keys.planner(ctx, u)
	if err != nil {
		return err
	}
	plan, err := plans.one(u.planPath(file, f.target.out))
	if err != nil {
		return err
	}
	value, err := f.value.read(ctx, u, key)
	if err != nil {
		return err
	}
	result, err := plan.set(data, f.target.of(key), value)
	if err != nil {
		return nameError(input{path: file}.name(), err)
	}
	if err := f.target.write(u, file, data, result); err != nil {
		return err
	}
	u.note("sealed key %q of %s", key, objectOf(result))
	return nil
}

// targetFlags choose a SealedSecret of a file that is changed, and say where
// the file goes.
type targetFlags struct {
	namespace, name string
	out             string
}

func (f *targetFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of a SealedSecret that names none; chooses among several in FILE")
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` of the SealedSecret, where FILE holds several")
	cmd.Flags().StringVar(&f.out, "out", "", "write to this `FILE` instead, atomically")
}

func (f *targetFlags) of(key string) seal.Target {
	return seal.Target{Key: key, Namespace: f.namespace, Name: f.name}
}

// write puts the changed file where it belongs.
func (f *targetFlags) write(u *ui, file string, before []byte, result seal.Result) error {
	for _, w := range result.Warnings {
		u.warn(input{path: file}.name(), "%s", w)
	}
	switch {
	case f.out != "":
		return writeFile(f.out, result.Out, modePublic)
	case file == "-":
		_, err := u.stdout.Write(result.Out)
		return err
	case bytes.Equal(before, result.Out):
		return nil
	}
	return rewriteFile(file, result.Out)
}

func objectOf(result seal.Result) string { return strings.TrimPrefix(result.Objects[0], "/") }
