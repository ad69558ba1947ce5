package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// mergeFlags are those of fuin merge-driver.
type mergeFlags struct{ marker int }

// newMergeDriver is for git: it merges a file that two branches changed.
func newMergeDriver() *cobra.Command {
	var f mergeFlags
	cmd := &cobra.Command{
		Use:    "merge-driver BASE OURS THEIRS PATH",
		Hidden: true,
		Short:  "Merge SealedSecrets key by key, for git merge",
		Long: `Merge a file that two branches changed, for git merge: it writes the outcome to
OURS, and exits with code 1 where conflicts are left between markers. It is
what .gitattributes calls merge=fuin. SealedSecrets are merged key by key, also
in Lists and in indented JSON, so that only a value that both rewrote is a
conflict; whichever side is chosen, the file can be read. All else is merged as
Git does, unless that makes of manifests what is none.`,
		Example: `  git config merge.fuin.driver \
      "fuin merge-driver --marker-size=%L %O %A %B %P"
  fuin merge-driver base.yaml ours.yaml theirs.yaml sealed.yaml`,
		Args: cobra.MatchAll(needArgs("BASE", 4), func(cmd *cobra.Command, args []string) error {
			if len(args) < 4 {
				return misuse(helpHint(cmd), "BASE, OURS, THEIRS and PATH are needed")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args[0], args[1], args[2], args[3])
		},
	}
	cmd.Flags().IntVar(&f.marker, "marker-size", defaultMarker, "width `N` of a conflict marker")
	return cmd
}

// The names behind conflict markers.
const (
	oursName   = "ours"
	theirsName = "theirs"
)

func (f *mergeFlags) run(ctx context.Context, base, ours, theirs, path string) error {
	var sides [3][]byte
	for i, file := range []string{base, ours, theirs} {
		var err error
		if sides[i], err = readFile(ctx, file, seal.MaxManifest); err != nil {
			return err
		}
	}
	merged, err := f.merge(ctx, sides[0], sides[1], sides[2])
	if err != nil {
		return nameError(path, err)
	}
	if err := writeFile(ours, merged.Out, modePublic); err != nil {
		return err
	}
	if len(merged.Conflicts) > 0 {
		return failAt(path, "choose between the markers, or write the value anew: fuin edit or fuin set", "both changed %s", abridge(merged.Conflicts))
	}
	return nil
}

// merge merges value by value, or else, as Git does with any text, by lines.
func (f *mergeFlags) merge(ctx context.Context, base, ours, theirs []byte) (seal.Merged, error) {
	m := seal.Merge{Marker: f.marker, OursName: oursName, TheirsName: theirsName}
	m.Lines = func(base, ours, theirs []byte) ([]byte, bool, error) { return f.lines(ctx, base, ours, theirs) }
	if merged, err := m.Files(base, ours, theirs); err == nil {
		return merged, nil
	}
	return m.ByLines(base, ours, theirs)
}

// defaultMarker is how wide Git makes a conflict marker.
const defaultMarker = 7

// lines merges as git does. Git reads files: they are private, and gone at the
// end.
func (f *mergeFlags) lines(ctx context.Context, base, ours, theirs []byte) (merged []byte, conflict bool, err error) {
	dir, err := os.MkdirTemp("", "fuin-merge-*")
	if err != nil {
		return nil, false, fileError(os.TempDir(), err)
	}
	defer os.RemoveAll(dir)
	args := []string{"merge-file", "--stdout", "--quiet", "--marker-size=" + strconv.Itoa(f.marker), "-L", oursName, "-L", "base", "-L", theirsName}
	for _, side := range []struct {
		name string
		data []byte
	}{{"ours", ours}, {"base", base}, {"theirs", theirs}} {
		file := filepath.Join(dir, side.name)
		if err := os.WriteFile(file, side.data, modePrivate); err != nil {
			return nil, false, fileError(file, err)
		}
		args = append(args, file)
	}
	merged, err = (&worktree{dir: "."}).command(ctx, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < 128 { // the number of conflicts
		return merged, true, nil
	}
	if err != nil {
		return nil, false, fail("merge it by hand", "git merge-file: %w", err)
	}
	return merged, false, nil
}

// gitSettings make git diff and git merge see SealedSecrets value by value:
// lines of .gitattributes, and what the configuration of a clone says of the
// names in them. program is how to call fuin.
func gitSettings(program string) (attributes []string, config [][2]string) {
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		attributes = append(attributes, pattern+" diff=fuin merge=fuin")
	}
	return attributes, [][2]string{
		{"diff.fuin.textconv", program + " textconv"},
		{"merge.fuin.name", "SealedSecrets, key by key"},
		{"merge.fuin.driver", program + " merge-driver --marker-size=%L %O %A %B %P"},
	}
}
