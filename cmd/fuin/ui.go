package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"fuin.dev/keys"
	"fuin.dev/render"
	"fuin.dev/seal"
	"golang.org/x/term"
)

// ui is what a run of the program touches of its surroundings. Standard output
// takes data; whatever is said to people goes through the methods below.
type ui struct {
	stdin      io.Reader
	stdout     io.Writer
	stderr     io.Writer
	isTerminal func(stream any) bool
	hidden     func(ctx context.Context) ([]byte, error) // reads a line that is not shown
	echoOff    func() (restore func())                   // before it is asked for; may be nil
	getenv     func(string) string
	now        func() time.Time

	repositories repositories // whose configuration was read
	remembered   sync.Once
	remembers    *memory     // of what was sealed; see memory
	yields       atomic.Bool // another program has the terminal: interrupts are for it
}

func newUI() *ui {
	return &ui{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		isTerminal: isTerminal, hidden: readHidden, echoOff: echoOff, getenv: os.Getenv, now: time.Now,
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run carries out one command line and returns the exit code.
func (u *ui) run(ctx context.Context, args []string) int {
	root := newRoot(u)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if u.remembers != nil {
		u.remembers.write()
	}
	if err != nil && ctx.Err() != nil {
		err = &fault{errors.New("interrupted"), "nothing is half-written; run it again", exitInterrupted}
	}
	u.report(err)
	return exitCode(err)
}

// A fault is an error of this program: with a way out, and an exit code unless
// the error it wraps decides that.
type fault struct {
	err  error
	hint string
	code int
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Hint() string  { return f.hint }
func (f *fault) Unwrap() error { return f.err }

func fail(hint, format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), hint, exitError}
}

func misuse(hint, format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), hint, exitUsage}
}

func unreachable(hint, format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), hint, exitUnreachable}
}

// faults are the errors of several files, each reported by itself.
type faults []error

func (fs faults) Error() string   { return errors.Join(fs...).Error() }
func (fs faults) Unwrap() []error { return fs }

// orNil is the list as an error.
func (fs faults) orNil() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// exitCode is that of the error; of several, what they have in common.
func exitCode(err error) int {
	var many faults
	var one *fault
	var object *seal.ObjectError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &many):
		return commonCode(many)
	case errors.As(err, &one) && one.code != 0:
		return one.code
	case errors.As(err, &object):
		errs := make([]error, 0, len(object.Keys))
		for _, k := range object.Keys {
			errs = append(errs, k.Err)
		}
		return commonCode(errs)
	case errors.Is(err, seal.ErrNoKey):
		return exitUnreachable
	}
	return exitError
}

func commonCode(errs []error) int {
	code := exitError
	for i, err := range errs {
		if c := exitCode(err); i == 0 {
			code = c
		} else if c != code {
			return exitError
		}
	}
	return code
}

// hinter is an error that knows the way out, as those of keys and seal do.
type hinter interface {
	error
	Hint() string
}

// hintOf finds the first hint in an error and what it wraps.
func hintOf(err error) string {
	for {
		var h hinter
		if !errors.As(err, &h) {
			return hintOfSentinel(err)
		}
		if hint := h.Hint(); hint != "" {
			return hint
		}
		inner := errors.Unwrap(h)
		if inner == nil {
			return hintOfSentinel(err)
		}
		err = inner
	}
}

// hintOfSentinel is for errors that others return without a hint.
func hintOfSentinel(err error) string {
	switch {
	case errors.Is(err, seal.ErrNoKey):
		return "give the key of its cluster with -i; fuin inspect names the keys it was sealed with"
	case errors.Is(err, render.ErrUnavailable):
		return "templates and directories are rendered by the program fuin-render; install it beside fuin, of the same release"
	}
	return ""
}

// report prints an error and its hint; of several, a hint only once in a row.
func (u *ui) report(err error) {
	var many faults
	if !errors.As(err, &many) {
		many = faults{err}
	}
	shown := ""
	for _, e := range many {
		if e == nil {
			continue
		}
		hint := hintOf(e)
		if shown != "" && shown != hint {
			u.say("hint", shown)
		}
		u.say("error", e.Error())
		shown = hint
	}
	if shown != "" {
		u.say("hint", shown)
	}
}

// warn prints what is worth a look about a file; the file may be empty.
func (u *ui) warn(file, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if file != "" {
		text = file + ": " + text
	}
	u.say("warning", text)
}

// note tells what is going on.
func (u *ui) note(format string, args ...any) {
	fmt.Fprintf(u.stderr, "fuin: %s\n", printable(fmt.Sprintf(format, args...)))
}

func (u *ui) say(what, text string) {
	fmt.Fprintf(u.stderr, "fuin: %s: %s\n", what, printable(text))
}

// printable keeps names that come from files from steering the terminal.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// publicKey prints the public half of a new key, as age-keygen does.
func (u *ui) publicKey(r *keys.Recipient) {
	fmt.Fprintf(u.stderr, "public key: %s\n", r)
}
