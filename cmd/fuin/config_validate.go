package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"fuin.dev/config"
	"github.com/spf13/cobra"
)

func newConfigValidate(u *ui) *cobra.Command {
	var format choice
	cmd := &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Look for what is wrong with .fuin.yaml",
		Long: `Look for what is wrong with the .fuin.yaml of a directory, by default the
working directory: rules that match no path or are never reached, clusters that
are unknown or without keys, keys that cannot seal together, certificates that
expired or soon will. It needs no cluster, and exits with 3 if there is an
error; advice alone is no reason to fail.`,
		Example: `  fuin config validate
  fuin config validate -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse(helpHint(cmd), "too many arguments: %q", args[1])
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return validateConfig(u, append(args, ".")[0], format.value)
		},
	}
	addChoice(cmd, &format, "output", "o", "`FORMAT`: text, yaml or json; the default is text", "text", "text", "yaml", "json")
	return cmd
}

func validateConfig(u *ui, path, format string) error {
	_, at, err := u.around(path)
	if err != nil {
		return err
	}
	if at.root == "" {
		return errNoConfig(path)
	}
	dir, err := os.OpenRoot(at.root)
	if err != nil {
		return fileError(at.root, err)
	}
	defer dir.Close()
	found, err := config.Validate(dir.FS(), u.now())
	if err != nil {
		return locatedIn(at.root, err)
	}
	for i := range found {
		found[i].File = fromHere(at.root, found[i].File)
	}
	if err := printValidation(u.stdout, found, format); err != nil {
		return err
	}
	return judgeValidation(u, fromHere(at.root, config.File), found)
}

func errNoConfig(path string) error {
	return failAt(path, "fuin init writes one", "there is no %s in its directory, nor in those above it up to the repository's root", config.File)
}

func printValidation(w io.Writer, found []config.Finding, format string) error {
	if format != "text" {
		if found == nil {
			found = []config.Finding{}
		}
		return encode(w, format, map[string]any{"findings": found})
	}
	var t table
	for i, f := range found {
		if i > 0 {
			t.line("")
		}
		severity := ""
		if f.Severity == config.Advice {
			severity = " (advice)"
		}
		fmt.Fprintf(&t, "%s:%d: %s%s\n", printable(f.File), f.Line, f.Rule, severity)
		t.text(2, tableRows, printable(f.Message))
		if f.Hint != "" {
			t.text(2, tableRows, "hint: "+printable(f.Hint))
		}
	}
	_, err := w.Write(t.Bytes())
	return err
}

// judgeValidation is the exit code: advice alone is none.
func judgeValidation(u *ui, file string, found []config.Finding) error {
	wrong := len(slices.DeleteFunc(slices.Clone(found), func(f config.Finding) bool { return f.Severity != config.Wrong }))
	switch {
	case wrong > 0:
		return &fault{&named{file, fmt.Errorf("%s", plural(wrong, "error"))}, "", exitFindings}
	case len(found) == 0:
		u.note("%s: nothing is wrong with it", file)
	}
	return nil
}
