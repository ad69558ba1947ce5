package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// sopsFlags are those of fuin migrate sops.
type sopsFlags struct {
	keys    recipientFlags
	output  outputFlags
	inPlace bool
	scope   choice
	program string
	options seal.Options
}

func newMigrateSops(u *ui) *cobra.Command {
	var f sopsFlags
	cmd := &cobra.Command{
		Use:   "sops PATH...",
		Short: "Seal Secrets that SOPS encrypted",
		Long: `Seal Secrets that SOPS encrypted: each file is decrypted by the program sops,
with the keys that it finds as always, and sealed. What is decrypted passes
through this process alone and is never written. Comments and order stay.

A PATH is a file or a directory: all *.yaml, *.yml and *.json below it that SOPS
encrypted. Values of charts are no Secrets: for these see fuin seal --field.`,
		Example: `  fuin migrate sops --in-place overlays/production
  fuin migrate sops -r keys/production.txt secret.enc.yaml > secret.yaml`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), u, args) },
	}
	f.keys.add(cmd)
	f.output.add(cmd)
	cmd.Flags().BoolVar(&f.inPlace, "in-place", false, "write each file back instead, keeping its mode and owner; files that fail stay as they are")
	cmd.Flags().StringVar(&f.program, "sops", "sops", "`PROGRAM` that decrypts")
	addScope(cmd, &f.scope)
	return cmd
}

func (f *sopsFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case f.inPlace && (f.output.file != "" || f.output.format.value != ""):
		return misuse("give one of them", "--in-place goes with no --out and no -o")
	case slices.Contains(args, "-"):
		return misuse("name a file", "sops reads files")
	}
	return needArgs("a PATH", 0)(cmd, args)
}

func (f *sopsFlags) run(ctx context.Context, u *ui, args []string) error {
	program, err := exec.LookPath(f.program)
	if err != nil {
		return unreachable("install it, or name it with --sops", "there is no program %s", f.program)
	}
	inputs, err := encryptedOf(ctx, u, args)
	if err != nil {
		return err
	}
	planner, err := f.keys.planner(ctx, u)
	if err != nil {
		return err
	}
	if err := planner.ready(args...); err != nil {
		return err
	}
	f.options.Scope = seal.Scope(f.scope.value)
	if !f.inPlace {
		f.options.Format = f.output.formatFor(len(inputs))
	}
	b := batch{verb: "sealing", want: kindSecret, inputs: inputs}
	b.do = func(ctx context.Context, in input, data []byte) (seal.Result, error) {
		return f.one(ctx, planner, program, in, data)
	}
	done, err := b.run(ctx, u)
	switch {
	case f.inPlace:
		if len(done) > 0 {
			u.note("sealed %s that SOPS had encrypted", plural(len(done), "file"))
		}
		return err
	case err != nil || len(done) == 0:
		return err
	}
	return f.output.write(u, joinOutcomes(done), modePublic)
}

// encryptedOf lists the files that were named, and of directories those that
// SOPS encrypted: kind may be encrypted, too.
func encryptedOf(ctx context.Context, u *ui, args []string) ([]input, error) {
	all, err := u.inputs(args)
	if err != nil {
		return nil, err
	}
	var out []input
	for _, in := range all {
		if in.found {
			data, err := u.read(ctx, in)
			if err != nil {
				return nil, nameError(in.name(), err)
			}
			if !bytes.Contains(data, []byte(sopsMark)) {
				continue
			}
			in.found = false
		}
		out = append(out, in)
	}
	if len(out) == 0 {
		return nil, fail("manifests are *.yaml, *.yml and *.json; hidden directories are left out", "no file that SOPS encrypted")
	}
	return out, nil
}

// sopsMark stands in every file that SOPS encrypted.
const sopsMark = "ENC[AES256_GCM,"

func (f *sopsFlags) one(ctx context.Context, planner *planner, program string, in input, data []byte) (seal.Result, error) {
	if !bytes.Contains(data, []byte(sopsMark)) {
		return seal.Result{}, fail("seal it with fuin seal", "not encrypted by SOPS")
	}
	plan, err := planner.at(in.path)
	if err != nil {
		return seal.Result{}, err
	}
	plain, err := decryptSops(ctx, program, in.path)
	if err != nil {
		return seal.Result{}, err
	}
	result, err := plan.seal(plain, f.options)
	switch {
	case errors.Is(err, seal.ErrNothing):
		return result, fail("values of a chart are sealed one by one: fuin seal --field", "it holds no Secret")
	case err == nil && f.inPlace:
		err = rewriteFile(in.path, result.Out)
		result.Out = nil
	}
	return result, err
}

const sopsTimeout = time.Minute // a key service may be slow

// sopsReasons are what the exit codes of sops mean.
var sopsReasons = map[int]string{
	24:  "a value does not decrypt: the file was altered",
	25:  "a value does not decrypt: the file was altered",
	51:  "the file was altered since it was encrypted",
	52:  "the file has no MAC",
	128: "none of the keys at hand opens it",
}

// decryptSops has sops decrypt a file. What it says of a failure is not passed
// on: parsers quote what they do not understand.
func decryptSops(ctx context.Context, program, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, sopsTimeout)
	defer cancel()
	kind := "yaml"
	if strings.EqualFold(filepath.Ext(path), ".json") {
		kind = "json"
	}
	abs, err := filepath.Abs(path) // it may begin with a dash
	if err != nil {
		return nil, fileError(path, err)
	}
	cmd := exec.CommandContext(ctx, program, "--decrypt", "--input-type", kind, "--output-type", kind, abs)
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout = &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, unreachable("are its key services up?", "sops gave no answer in time")
	case errors.As(err, &exit):
		reason := cmp.Or(sopsReasons[exit.ExitCode()], exit.String())
		return nil, unreachable("sops needs one of the keys that the file was encrypted to; sops --decrypt "+path+" tells more", "sops: %s", reason)
	case err != nil:
		return nil, unreachable("name it: --sops PROGRAM", "sops: %w", err)
	}
	return out.Bytes(), nil
}
