package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// valueFlags say where a plain value comes from. It is no argument: every
// process of the machine can read those, and shells keep them.
type valueFlags struct {
	file       string
	generate   int
	allowEmpty bool
}

// The lengths that --generate takes, in characters.
const (
	minGenerated = 8
	maxGenerated = 1024
)

func (f *valueFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "from-file", "", "take the value from the file `PATH`, or - for standard input, with all its bytes")
	cmd.Flags().IntVar(&f.generate, "generate", 0,
		fmt.Sprintf("make a random value of `N` letters and digits (%d to %d); it is never printed", minGenerated, maxGenerated))
	cmd.Flags().BoolVar(&f.allowEmpty, "allow-empty", false, "take an empty value, too")
}

func (f *valueFlags) check(cmd *cobra.Command) error {
	generates := cmd.Flags().Changed("generate")
	switch {
	case generates && cmd.Flags().Changed("from-file"):
		return misuse("give one of them", "--from-file and --generate exclude each other")
	case cmd.Flags().Changed("from-file") && f.file == "":
		return misuse("give --from-file PATH, or - for standard input", "--from-file names no file")
	case generates && (f.generate < minGenerated || f.generate > maxGenerated):
		return misuse(fmt.Sprintf("give --generate N with N from %d to %d", minGenerated, maxGenerated), "a random value of %d characters", f.generate)
	}
	return nil
}

// source is the file that the value is read from; standard input by default.
func (f *valueFlags) source() string {
	switch {
	case f.generate > 0:
		return ""
	case f.file == "":
		return "-"
	}
	return f.file
}

// read returns the value of a key.
func (f *valueFlags) read(ctx context.Context, u *ui, key string) ([]byte, error) {
	value, err := f.bytes(ctx, u, key)
	switch {
	case err != nil:
		return nil, err
	case len(value) > seal.MaxValue:
		return nil, fail("a Secret holds 1 MiB in all", "the value is larger than one can be")
	case len(value) == 0 && !f.allowEmpty:
		return nil, fail("if it is meant to be, add --allow-empty", "the value is empty")
	}
	return value, nil
}

func (f *valueFlags) bytes(ctx context.Context, u *ui, key string) ([]byte, error) {
	switch {
	case f.generate > 0:
		return generated(f.generate), nil
	case f.file != "":
		return u.readValue(ctx, f.file)
	case u.isTerminal(u.stdin):
		return u.ask(ctx, key)
	}
	value, err := u.readStdin(ctx, "a value", seal.MaxValue+int64(len("\r\n")))
	if err != nil {
		return nil, err
	}
	if line, ok := bytes.CutSuffix(value, []byte("\n")); ok {
		u.note("dropped the line end behind the value; --from-file - keeps it")
		return bytes.TrimSuffix(line, []byte("\r")), nil
	}
	return value, nil
}

// generated is text of letters and digits, each as likely as the others.
func generated(n int) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	const fair = 256 - 256%len(alphabet) // bytes from here on would favour the first letters
	out := make([]byte, 0, n)
	for b := make([]byte, 1); len(out) < n; {
		_, _ = rand.Read(b) // it does not fail
		if int(b[0]) < fair {
			out = append(out, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return out
}

// maxLine is where terminals cut lines off, in bytes, without a word.
const maxLine = 4095

// ask reads a value from the terminal, twice. What is typed early is not shown
// either.
func (u *ui) ask(ctx context.Context, key string) ([]byte, error) {
	if u.echoOff != nil {
		defer u.echoOff()()
	}
	var values [2][]byte
	for i, prompt := range []string{"value of " + key + ", not shown: ", "again: "} {
		fmt.Fprint(u.stderr, printable(prompt))
		value, err := u.hidden(ctx)
		fmt.Fprintln(u.stderr)
		switch {
		case err != nil:
			return nil, fileError("the terminal", err)
		case len(value) >= maxLine:
			return nil, fail("give it with --from-file PATH", "the value is longer than a line of a terminal can be")
		}
		values[i] = value
	}
	if !bytes.Equal(values[0], values[1]) {
		return nil, fail("run it again", "the two values differ; nothing was changed")
	}
	return values[0], nil
}

// readHidden reads a line of standard input without echo, which comes back
// also when the user gives up.
func readHidden(ctx context.Context) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	line, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		_ = term.Restore(fd, before)
	}
	return line, err
}
