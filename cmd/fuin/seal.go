package main

import (
	"bytes"
	"context"
	"slices"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// sealFlags are those of fuin seal.
type sealFlags struct {
	keys     recipientFlags
	output   outputFlags
	inPlace  bool
	scope    choice
	fromFile []string
	tokens   tokenFlags
	options  seal.Options
}

func newSeal(u *ui) *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use:   "seal PATH...|-",
		Short: "Seal Secrets, so that they can be kept in Git",
		Long: `Seal Secrets: turn every Secret of the manifests into a SealedSecret that only
the cluster with the private key can open. Other objects are passed through as
they are. A PATH is a file, a directory (all *.yaml, *.yml and *.json below it
that hold a Secret), or - for standard input.

The path tells for which clusters: by the rules of .fuin.yaml, which fuin init
writes, with the public keys that the repository holds. Keys of --cert and -r go
before it, but not to seal for another of its clusters. Nothing is ever sealed
for a cluster that happens to be the current one; neither a cluster nor a
private key is needed.

A value is bound to its namespace and name unless --scope says otherwise: to the
final ones, as the kustomizations that reach the file make them. Of standard
input, the path is that of --out, or else the working directory.

--token and --field make tokens: sealed values in text, for the values of a Helm
chart and other places where no SealedSecret stands. fuin filter and fuin render
turn the Secrets that hold them into SealedSecrets.`,
		Example: `  fuin seal --in-place overlays/production/db.yaml
  fuin seal --cert cert.pem secret.yaml > sealed.yaml
  fuin seal -r staging.txt --in-place overlays/staging
  kubectl create secret generic db --from-file=password --dry-run=client \
      -o yaml | fuin seal --cert cluster:staging -n shop -
  fuin seal -r age1... -n shop --name tls --from-file key.pem --from-file ca.pem
  fuin seal -r staging.txt -n shop values.yaml --field auth.password
  pass show shop/db | fuin seal -r staging.txt -n shop --token`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args)
		},
	}
	f.keys.add(cmd)
	f.output.add(cmd)
	f.tokens.add(cmd)
	cmd.Flags().BoolVar(&f.inPlace, "in-place", false, "write each file back instead, keeping its mode and owner; files that fail stay as they are")
	addScope(cmd, &f.scope)
	cmd.Flags().StringVarP(&f.options.Namespace, "namespace", "n", "", "`NAMESPACE` of Secrets that name none; an error for those that name another")
	cmd.Flags().StringVar(&f.options.Name, "name", "", "`NAME` of Secrets that have none; an error for those that have another")
	cmd.Flags().StringArrayVar(&f.fromFile, "from-file", nil,
		"make a Secret of files instead of reading manifests: `[KEY=]PATH`, where KEY is the file's name by default and PATH may be -; may be given several times, needs --name")
	cmd.Flags().BoolVar(&f.options.AllowEmpty, "allow-empty-data", false, "seal Secrets that hold no value")
	return cmd
}

// addScope adds the flag --scope.
func addScope(cmd *cobra.Command, scope *choice) {
	addChoice(cmd, scope, "scope", "",
		"how far a sealed value may be moved: `SCOPE` is strict (this namespace and name), namespace-wide (any name in it) or cluster-wide; the default is what the annotations of the Secret say, else strict",
		"", string(seal.Strict), string(seal.NamespaceWide), string(seal.ClusterWide))
}

// check refuses what contradicts itself, before anything is read.
func (f *sealFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case f.tokens.wanted():
		return f.tokens.check(cmd, f, args)
	case len(f.fromFile) > 0 && (len(args) > 0 || f.inPlace):
		return misuse("seal them in two runs", "--from-file makes a Secret of its own; it goes with no PATH and no --in-place")
	case len(f.fromFile) > 0 && f.options.Name == "":
		return misuse("give the name of the new Secret with --name", "--from-file needs --name")
	case len(f.fromFile) > 0:
		return nil
	case len(args) == 0:
		return misuse("name a file or a directory, or - for standard input; see "+helpHint(cmd), "no manifest to seal")
	case f.inPlace && f.output.file != "":
		return misuse("give one of them", "--in-place and --out exclude each other")
	case f.inPlace && f.output.format.value != "":
		return misuse("leave -o out", "--in-place keeps the format of each file")
	case f.inPlace && slices.Contains(args, "-"):
		return misuse("leave --in-place out", "standard input cannot be written in place")
	}
	return nil
}

func (f *sealFlags) run(ctx context.Context, u *ui, args []string) error {
	if err := oneStdin(f.sources(args)...); err != nil {
		return err
	}
	inputs, err := f.inputs(u, args)
	if err != nil {
		return err
	}
	plans, err := f.keys.planner(ctx, u)
	if err != nil {
		return err
	}
	if f.tokens.wanted() {
		return f.tokens.run(ctx, u, f, plans, args)
	}
	if err := plans.ready(f.planned(u, inputs)...); err != nil {
		return err
	}
	f.options.Scope = seal.Scope(f.scope.value)
	if !f.inPlace {
		f.options.Format = f.output.formatFor(len(inputs))
	}
	if len(f.fromFile) > 0 {
		return f.sealFiles(ctx, u, plans)
	}
	if f.inPlace {
		u.recallFrom(ctx, "", inputs)
	} else {
		u.recallFrom(ctx, f.output.file, nil)
	}
	return f.sealManifests(ctx, u, plans, inputs)
}

// planned are the paths that decide for which keys.
func (f *sealFlags) planned(u *ui, inputs []input) []string {
	if len(inputs) == 0 {
		inputs = []input{{path: "-"}}
	}
	paths := make([]string, 0, len(inputs))
	for _, in := range inputs {
		paths = append(paths, u.planPath(in.path, f.output.file))
	}
	return paths
}

// inputs are the manifests to seal.
func (f *sealFlags) inputs(u *ui, args []string) ([]input, error) {
	if f.tokens.wanted() {
		return nil, nil
	}
	return u.inputs(args)
}

// sources are all names of files to read.
func (f *sealFlags) sources(args []string) []string {
	all := slices.Concat(args, f.keys.recipients, []string{f.keys.cert})
	if f.tokens.wanted() {
		return append(all, f.fromFile...)
	}
	for _, spec := range f.fromFile {
		_, path := splitSpec(spec)
		all = append(all, path)
	}
	return all
}

func (f *sealFlags) sealManifests(ctx context.Context, u *ui, plans *planner, inputs []input) error {
	b := batch{verb: "sealing", want: kindSecret, inputs: inputs}
	b.do = func(_ context.Context, in input, data []byte) (seal.Result, error) {
		result, err := f.seal(plans, in, data)
		if err == nil && f.inPlace && !bytes.Equal(data, result.Out) {
			err = rewriteFile(in.path, result.Out)
			result.Out = nil // a large tree need not stay in memory
		}
		return result, err
	}
	done, err := b.run(ctx, u)
	if f.inPlace {
		f.summarize(u, done)
		return err
	}
	if err != nil || len(done) == 0 {
		return err
	}
	return f.output.write(u, joinOutcomes(done), modePublic)
}

// seal seals a file by the plan for its path. One that was found in a directory
// needs none if it holds no Secret.
func (f *sealFlags) seal(plans *planner, in input, data []byte) (seal.Result, error) {
	plan, err := plans.at(f.planned(plans.u, []input{in})[0])
	if err != nil && in.found {
		if none := seal.NeedSecret(data); none != nil {
			return seal.Result{}, none
		}
	}
	if err != nil {
		return seal.Result{}, err
	}
	options := f.options
	if options.Format == "" && !f.inPlace && plan.repository != nil {
		options.Format = plan.repository.config.Defaults.Output
	}
	return plan.seal(data, options)
}

func (f *sealFlags) summarize(u *ui, done []outcome) {
	objects := 0
	for _, out := range done {
		objects += len(out.result.Objects)
	}
	if objects > 0 {
		u.note("sealed %s in %s", plural(objects, "Secret"), plural(len(done), "file"))
	}
}
