package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fuin.dev/render"
	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// openFlags are those of fuin open.
type openFlags struct {
	keys   identityFlags
	output outputFlags
	key    string
}

func newOpen(u *ui) *cobra.Command {
	var f openFlags
	cmd := &cobra.Command{
		Use:   "open PATH...|-",
		Short: "Open SealedSecrets with a private key, offline",
		Long: `Open SealedSecrets: print the Secrets that the cluster would make of them.
Needs a private key and no cluster. A PATH is a file, a directory, or - for
standard input; other objects are passed through. Values open where the
kustomizations that reach the file put them, as fuin seal binds them. Templates
of a SealedSecret are run in the sandbox, the program fuin-render beside fuin;
one with a reference to Vault is refused, as only the cluster reads it.

The result is plain text: keep it out of Git. --out makes a file that only you
can read.`,
		Example: `  fuin open -i identity.txt sealed.yaml
  fuin open -i identity.txt --key password sealed.yaml
  kubectl get secret -n kube-system -o yaml \
      -l sealedsecrets.bitnami.com/sealed-secrets-key > keys.yaml
  fuin open -i keys.yaml overlays/production`,
		Args: needArgs("a manifest to open, or - for standard input,", 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args)
		},
	}
	f.keys.add(cmd)
	f.output.add(cmd)
	cmd.Flags().StringVar(&f.key, "key", "", "print only the value of `KEY`, as it is; for a single SealedSecret")
	return cmd
}

func (f *openFlags) run(ctx context.Context, u *ui, args []string) error {
	if err := oneStdin(slices.Concat(args, f.keys.files)...); err != nil {
		return err
	}
	inputs, err := u.inputs(args)
	if err != nil {
		return err
	}
	opener := seal.Opener{}
	if opener.Identities, err = f.keys.load(ctx, u); err != nil {
		return err
	}
	sandbox := render.NewPool(render.Config{}) // starts nothing until an object has templates
	defer sandbox.Close()
	opener.Render = withoutReferences(sandbox.Render)

	format := f.output.formatFor(len(inputs))
	if f.key != "" {
		format = seal.JSON
	}
	b := batch{verb: "opening", want: kindSealedSecret, inputs: inputs}
	b.do = func(ctx context.Context, in input, data []byte) (seal.Result, error) {
		at, err := u.targetOf(in.path)
		if err != nil {
			return seal.Result{}, err
		}
		o := opener
		o.Final = at.final
		return o.Manifest(ctx, data, format)
	}
	done, err := b.run(ctx, u)
	if err != nil {
		return err
	}
	if f.key != "" {
		return f.printValue(u, done)
	}
	return f.output.write(u, joinOutcomes(done), modePrivate)
}

// printValue writes the bytes of one value.
func (f *openFlags) printValue(u *ui, done []outcome) error {
	if len(done) != 1 || len(done[0].result.Objects) != 1 {
		return misuse("name one file with one SealedSecret", "--key prints a value of one SealedSecret, and there are several")
	}
	result := done[0].result
	data, err := secretData(result)
	if err != nil {
		return nameError(done[0].name(), err)
	}
	value, ok := data[f.key]
	if !ok {
		return failAt(done[0].name(), "fuin inspect lists its keys", "%s has no key %q", result.Objects[0], f.key)
	}
	if f.output.file == "" && u.isTerminal(u.stdout) && isBinary(value) {
		return failAt(done[0].name(), "write it to a file: --out FILE, or > FILE", "the value of key %q is binary, and this is a terminal", f.key)
	}
	return f.output.write(u, value, modePrivate)
}

// isBinary reports whether a terminal could be steered by the value.
func isBinary(value []byte) bool {
	return !utf8.Valid(value) || bytes.ContainsFunc(value, func(r rune) bool {
		return !unicode.IsPrint(r) && !unicode.IsSpace(r)
	})
}

// openedSecret is what of the output's objects leads to a value.
type openedSecret struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
	Data  map[string][]byte `json:"data"`
	Items []json.RawMessage `json:"items"`
}

// secretData finds the data of the one Secret that was opened.
func secretData(result seal.Result) (map[string][]byte, error) {
	for dec := json.NewDecoder(bytes.NewReader(result.Out)); ; {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return nil, errors.New("no Secret was made")
		} else if err != nil {
			return nil, errors.New("its output does not read as JSON") // json's message can quote it
		}
		if data := findSecret(raw, result.Objects[0]); data != nil {
			return data, nil
		}
	}
}

func findSecret(raw json.RawMessage, place string) map[string][]byte {
	var s openedSecret
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	if s.Kind == kindSecret && s.Metadata.Namespace+"/"+s.Metadata.Name == place {
		return s.Data
	}
	for _, item := range s.Items {
		if strings.HasSuffix(s.Kind, "List") {
			if data := findSecret(item, place); data != nil {
				return data
			}
		}
	}
	return nil
}
