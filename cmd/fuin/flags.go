package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A choice is a flag that takes one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.words, s) {
		return errors.New("use " + strings.Join(c.words, ", "))
	}
	c.value = s
	return nil
}

// addChoice adds the flag with its shell completion; value is its default.
func addChoice(cmd *cobra.Command, c *choice, name, short, usage, value string, words ...string) {
	c.value, c.words = value, words
	cmd.Flags().VarP(c, name, short, usage)
	complete(cmd, name, words...)
}

// complete offers fixed values for a flag.
func complete(cmd *cobra.Command, name string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag does not exist: a mistake in this program
	}
}

// envAnnotation is the flag annotation that names its environment variable.
const envAnnotation = "fuin_env"

// fromEnvironment lets FUIN_NAME stand in for flags that are not given.
func fromEnvironment(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		variable := "FUIN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if err := cmd.Flags().SetAnnotation(name, envAnnotation, []string{variable}); err != nil {
			panic(err) // the flag does not exist: a mistake in this program
		}
	}
}

// exclusive names flags of which one on the command line makes the variables
// of all void: who says --cert does not want to seal for $FUIN_RECIPIENT, too.
var exclusive = []string{"cert", "recipient"}

// readEnvironment sets the flags of a command that were not given.
func (u *ui) readEnvironment(cmd *cobra.Command) error {
	explicit := slices.ContainsFunc(exclusive, func(name string) bool {
		f := cmd.Flags().Lookup(name)
		return f != nil && f.Changed
	})
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		vars := f.Annotations[envAnnotation]
		if len(vars) == 0 || f.Changed || explicit && slices.Contains(exclusive, f.Name) {
			return
		}
		if value := u.getenv(vars[0]); value != "" {
			failed = errors.Join(failed, setFlag(cmd, f, value, vars[0]))
		}
	})
	return failed
}

// setFlag sets a flag from a variable; a repeatable one from a list.
func setFlag(cmd *cobra.Command, f *pflag.Flag, value, variable string) error {
	values := []string{value}
	if _, repeatable := f.Value.(pflag.SliceValue); repeatable {
		values = strings.Split(value, ",")
	}
	for _, v := range values {
		if err := cmd.Flags().Set(f.Name, strings.TrimSpace(v)); err != nil {
			return misuse("unset "+variable+", or correct it", "%s: %w", variable, err)
		}
	}
	return nil
}
