package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// tokenFlags make tokens in place of SealedSecrets.
type tokenFlags struct {
	token  bool
	fields []string
}

func (f *tokenFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.token, "token", false,
		"seal one value, from standard input, a prompt or --from-file PATH, as a token for the values of a chart; it is bound to the namespace unless --scope says otherwise")
	cmd.Flags().StringArrayVar(&f.fields, "field", nil,
		"seal the value of a `FIELD` of a file of values, such as auth.password or users[0].password, as a token in place; may be given several times; --from-file PATH gives it another value")
}

func (f *tokenFlags) wanted() bool { return f.token || len(f.fields) > 0 }

// check refuses what does not go with tokens.
func (f *tokenFlags) check(cmd *cobra.Command, all *sealFlags, args []string) error {
	for _, name := range []string{"name", "output"} {
		if cmd.Flags().Changed(name) {
			return misuse("leave it out", "--%s is for SealedSecrets, not for tokens", name)
		}
	}
	switch {
	case f.token && len(f.fields) > 0:
		return misuse("give one of them", "--token and --field exclude each other")
	case len(all.fromFile) > 1:
		return misuse("seal them in several runs", "a token holds one value")
	case f.token && all.inPlace:
		return misuse("leave --in-place out", "--token writes no file in place")
	case f.token && (len(args) > 1 || len(args) == 1 && args[0] != "-"):
		return misuse("pipe the value in, or give --from-file PATH", "--token takes no PATH")
	case f.token:
		return nil
	case len(args) != 1:
		return misuse("name one file of values, or - for standard input", "--field is about one PATH")
	case len(all.fromFile) > 0 && len(f.fields) > 1:
		return misuse("seal them in several runs", "--from-file gives one --field its value")
	case all.inPlace && all.output.file != "":
		return misuse("give one of them", "--in-place and --out exclude each other")
	}
	return nil
}

// run seals a token, or fields of a file.
func (f *tokenFlags) run(ctx context.Context, u *ui, all *sealFlags, plans *planner, args []string) error {
	path := "-"
	if !f.token {
		path = args[0]
	}
	plan, err := plans.one(u.planPath(path, all.output.file))
	if err != nil {
		return err
	}
	scope := seal.Scope(all.scope.value)
	all.options.Namespace, scope = plan.tokenPlace(all.options.Namespace, scope)
	all.scope.value = string(scope)
	if f.token {
		return f.sealToken(ctx, u, all, plan.sealer)
	}
	return f.sealFields(ctx, u, all, plan.sealer, path)
}

// tokenPlace is the namespace and scope of tokens at the path, as far as nobody
// asked for others. A token cannot be strict.
func (pl *plan) tokenPlace(namespace string, scope seal.Scope) (string, seal.Scope) {
	if scope == "" && pl.rule.Scope == seal.ClusterWide {
		scope = seal.ClusterWide
	}
	return cmp.Or(namespace, pl.rule.Namespace), scope
}

func (f *tokenFlags) sealToken(ctx context.Context, u *ui, all *sealFlags, sealer *seal.Sealer) error {
	value, err := all.tokenValue().read(ctx, u, "the token")
	if err != nil {
		return err
	}
	token, err := sealer.Token(all.tokenScope(), all.options.Namespace, value)
	if err != nil {
		return err
	}
	return all.output.write(u, fmt.Appendf(nil, "%s\n", token), modePublic)
}

// tokenValue is where the value of a token comes from.
func (f *sealFlags) tokenValue() *valueFlags {
	v := &valueFlags{allowEmpty: f.options.AllowEmpty}
	if len(f.fromFile) > 0 {
		v.file = f.fromFile[0]
	}
	return v
}

// tokenScope is strict only where somebody asks for it, which is refused.
func (f *sealFlags) tokenScope() seal.Scope {
	if f.scope.value == "" {
		return seal.NamespaceWide
	}
	return seal.Scope(f.scope.value)
}

func (f *tokenFlags) sealFields(ctx context.Context, u *ui, all *sealFlags, sealer *seal.Sealer, path string) error {
	in := input{path: path}
	before, err := u.read(ctx, in)
	if err != nil {
		return err
	}
	o := seal.FieldOptions{Scope: all.tokenScope(), Namespace: all.options.Namespace, AllowEmpty: all.options.AllowEmpty}
	if len(all.fromFile) > 0 {
		if o.Value, err = all.tokenValue().read(ctx, u, f.fields[0]); err != nil {
			return err
		}
	}
	data, sealed := before, 0
	for _, text := range f.fields {
		result, err := sealField(sealer, data, text, o)
		if err != nil {
			return nameError(in.name(), err)
		}
		for _, w := range result.Warnings {
			u.warn(in.name(), "%s", w)
		}
		data, sealed = result.Out, sealed+len(result.Objects)
	}
	if err := all.writeValues(u, path, before, data); err != nil {
		return err
	}
	u.note("sealed %s of %s", plural(sealed, "field"), in.name())
	return nil
}

func sealField(sealer *seal.Sealer, data []byte, text string, o seal.FieldOptions) (seal.Result, error) {
	field, err := seal.ParseField(text)
	if err != nil {
		return seal.Result{}, err
	}
	return sealer.Field(data, field, o)
}

// writeValues puts a file of values where it belongs: back in its place, as
// fuin set does.
func (f *sealFlags) writeValues(u *ui, path string, before, after []byte) error {
	switch {
	case path == "-" || f.output.file != "":
		return f.output.write(u, after, modePublic)
	case bytes.Equal(before, after):
		return nil
	}
	return rewriteFile(path, after)
}
