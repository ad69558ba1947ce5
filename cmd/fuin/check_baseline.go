package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fuin.dev/check"
	"github.com/spf13/cobra"
)

// baselineFlags are those about findings that are known.
type baselineFlags struct {
	file  string
	write bool
}

// defaultBaseline is where a baseline is written if nothing says otherwise.
const defaultBaseline = ".fuin-baseline.json"

func (f *baselineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "baseline", "", "leave out the findings that `FILE` lists; the default is check.baseline of .fuin.yaml")
	cmd.Flags().BoolVar(&f.write, "write-baseline", false, "write the findings to the baseline, to look for new ones only; it holds paths, objects, keys and rules, and nothing of a value")
	fromEnvironment(cmd, "baseline")
}

// save writes a baseline.
func (f *baselineFlags) save(u *ui, c *checkRun, findings []check.Finding) error {
	prefix, file, err := f.fileFor(c, "x")
	if err != nil {
		return err
	}
	if file == "" {
		file = filepath.Join(c.root, defaultBaseline)
	}
	for i := range findings {
		findings[i].File = strings.TrimPrefix(findings[i].File, prefix)
	}
	data, err := check.WriteBaseline(findings)
	if err != nil {
		return err
	}
	if err := writeFile(file, data, modePublic); err != nil {
		return err
	}
	u.note("wrote %s to %s", plural(len(findings), "finding"), file)
	return nil
}

// leaveOut drops what baselines list.
func (f *baselineFlags) leaveOut(c *checkRun, findings []check.Finding) ([]check.Finding, error) {
	read := map[string]check.Baseline{}
	var out []check.Finding
	for _, found := range findings {
		prefix, file, err := f.fileFor(c, found.File)
		if err != nil {
			return nil, err
		}
		baseline, ok := read[file]
		if !ok && file != "" {
			if baseline, err = f.read(file); err != nil {
				return nil, err
			}
			read[file] = baseline
		}
		named := found
		named.File = strings.TrimPrefix(found.File, prefix)
		if !baseline.Holds(named) {
			out = append(out, found)
		}
	}
	return out, nil
}

// fileFor is the baseline of a file, and the prefix that its names leave out;
// "" if there is none.
func (f *baselineFlags) fileFor(c *checkRun, name string) (prefix, file string, err error) {
	if f.file != "" {
		return "", f.file, nil
	}
	known, err := c.configuredFor(name)
	if err != nil || known.config == nil || known.config.Check.Baseline == "" {
		return "", "", err
	}
	return known.prefix, filepath.Join(c.root, filepath.FromSlash(known.prefix+known.config.Check.Baseline)), nil
}

// read takes a file that .fuin.yaml names, and nobody wrote yet, for empty.
func (f *baselineFlags) read(file string) (check.Baseline, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && f.file == "" {
		return check.Baseline{}, nil
	}
	if err != nil {
		return check.Baseline{}, fileError(file, err)
	}
	baseline, err := check.ParseBaseline(data)
	if err != nil {
		return check.Baseline{}, failAt(file, "fuin check --write-baseline writes it anew", "%w", err)
	}
	return baseline, nil
}
