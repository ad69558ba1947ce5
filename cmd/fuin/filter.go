package main

import (
	"context"
	"slices"
	"strings"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// filterFlags are those of fuin filter.
type filterFlags struct {
	keys      recipientFlags
	output    outputFlags
	namespace string
	scope     choice
	plain     []string
	values    []string
}

func newFilter(u *ui) *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "filter [FILE|-]",
		Short: "Turn rendered Secrets that hold tokens into SealedSecrets",
		Long: `Turn rendered manifests into sealed ones: a Secret that holds tokens, as fuin
seal --token makes them, becomes a SealedSecret, whose templates write the text
around the tokens, with base64 and JSON as the chart did. No key is needed.
Without FILE standard input is read: this is a pipe, a post-renderer of Helm
(3 and 4), and a KRM function of kustomize, kpt and Skaffold. Everything else is
passed through byte for byte.

What would give a Secret that holds a token in place of its value is an error:
a token in a ConfigMap or in an argument, one that was cut or hashed, values of
two scopes in one Secret. A value in plain beside tokens is refused, too, unless
--plain or the annotation fuin.dev/plain of the Secret names its key.

With a key (-r, --cert) what is in plain is sealed instead, also Secrets without
any token. Sealed again for the same place, the same value keeps its bytes where
this user has a state directory ($XDG_STATE_HOME, ~/.local/state); elsewhere it
gets other bytes each time, which tokens never do.`,
		Example: `  helm template shop ./chart | fuin filter | kubectl apply -f -
  helm upgrade shop ./chart --post-renderer fuin --post-renderer-args filter
  kustomize build overlays/staging | fuin filter --plain user`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse("filter one after the other", "more than one FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, input{path: append(args, "-")[0]})
		},
	}
	f.keys.add(cmd)
	f.output.add(cmd)
	cmd.Flags().StringArrayVar(&f.plain, "plain", nil,
		"let this `KEY` stay in plain in Secrets that hold tokens, readable in the SealedSecret; * is all; may be given several times")
	cmd.Flags().StringArrayVar(&f.values, "values", nil,
		"a `FILE` with tokens that the manifests were made of: hashes of these are found, too; may be given several times")
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of Secrets that name none, where they are sealed with a key")
	addChoice(cmd, &f.scope, "scope", "", "scope of what is sealed with a key: `SCOPE` is strict, namespace-wide or cluster-wide; the default is what the annotations of the Secret say, else strict",
		"", string(seal.Strict), string(seal.NamespaceWide), string(seal.ClusterWide))
	return cmd
}

func (f *filterFlags) run(ctx context.Context, u *ui, in input) error {
	if err := oneStdin(slices.Concat(f.keys.recipients, f.values, []string{f.keys.cert, in.path})...); err != nil {
		return err
	}
	data, err := u.read(ctx, in)
	if err != nil {
		return err
	}
	if err := f.configure(data); err != nil {
		return nameError(in.name(), err)
	}
	o, err := f.options(ctx, u)
	if err != nil {
		return err
	}
	result, err := seal.Filter(data, o)
	if err != nil {
		return nameError(in.name(), err)
	}
	for _, w := range result.Warnings {
		u.warn(in.name(), "%s", w)
	}
	return f.output.write(u, result.Out, modePublic)
}

// configure takes what the functionConfig of a KRM function says. Flags count
// more.
func (f *filterFlags) configure(data []byte) error {
	said, err := seal.FunctionConfig(data)
	if err != nil {
		return err
	}
	lists := map[string]*[]string{"plain": &f.plain, "recipients": &f.keys.recipients}
	texts := map[string]*string{"cert": &f.keys.cert, "namespace": &f.namespace, "scope": &f.scope.value}
	for name, words := range said {
		list, text := lists[name], texts[name]
		switch {
		case list != nil && len(*list) == 0:
			*list = split(words)
		case text != nil && *text == "" && len(words) == 1:
			*text = words[0]
		case list == nil && text == nil:
			return misuse("use plain, recipients, cert, namespace or scope", "functionConfig: unknown field %.60q", name)
		}
	}
	if f.scope.value != "" {
		_, err = seal.ParseScope(f.scope.value)
	}
	return err
}

// split takes lists apart that are written as one text.
func split(words []string) []string {
	return strings.FieldsFunc(strings.Join(words, ","), func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
}

func (f *filterFlags) options(ctx context.Context, u *ui) (seal.FilterOptions, error) {
	o := seal.FilterOptions{Plain: f.plain, Options: seal.Options{
		Namespace: f.namespace, Scope: seal.Scope(f.scope.value), Format: seal.Format(f.output.format.value), AllowEmpty: true,
	}}
	for _, file := range f.values {
		data, err := readFile(ctx, file, seal.MaxManifest)
		if err != nil {
			return o, err
		}
		for _, found := range seal.FindTokens(string(data)) {
			if found.Err != nil {
				return o, nameError(file, found.Err)
			}
			o.Known = append(o.Known, found.Token)
		}
	}
	if f.keys.cert == "" && len(f.keys.recipients) == 0 {
		return o, nil
	}
	recipients, err := f.keys.load(ctx, u)
	if err != nil {
		return o, err
	}
	if o.Sealer, err = seal.NewSealer(recipients...); err != nil {
		return o, err
	}
	if m := u.memory(); m != nil {
		u.recallFrom(ctx, f.output.file, nil)
		u.keepValues()
		o.Sealer = o.Sealer.Remembering(m)
	}
	return o, nil
}
