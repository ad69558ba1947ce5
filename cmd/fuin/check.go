package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"fuin.dev/check"
	"fuin.dev/config"
	"github.com/spf13/cobra"
)

// checkFlags are those of fuin check.
type checkFlags struct {
	staged   bool
	history  string
	strict   bool
	render   bool
	fix      bool
	output   outputFlags
	baseline baselineFlags

	renderSaid bool // a flag decided on render
}

func newCheck(u *ui) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [PATH...|-]",
		Short: "Find plaintext secrets, and sealed ones that will not open",
		Long: `Find what ought not be in a repository: Secrets in plain or base64, passwords in
values, ConfigMaps, workloads, patches, templates, env files, Terraform and
Jsonnet, private keys, comments that hold a value; and SealedSecrets that are
sealed for another place or cluster than the one they stand at. No key and no
cluster is asked, and no value is ever shown.

Without a PATH, all files of the Git work tree are checked but those that Git
ignores. --staged checks what is about to be committed, as the index has it,
and reports the documents that changed. --history checks what the commits of a
range added.

--render also looks at what directories render to, in the sandbox: SealedSecrets
that a kustomization renames or moves, so that they do not open, and workloads
that name a Secret or a key which nothing makes in any of these directories of
the same cluster and namespace.

--fix seals what is found where it stands: Secrets and their patches, what a
secretGenerator makes, values of charts (as tokens), text in the template of a
SealedSecret.

A comment lets a finding pass if it gives a reason: # fuin:allow reason=WHY, on
the line, the line above, or at what encloses it. A baseline lists findings that
are known; check.allow in .fuin.yaml leaves out paths. docs/check.md describes
the rules. The exit code is 3 if there are findings; advice alone is none.`,
		Example: `  fuin check
  fuin check --staged
  fuin check --render
  fuin check --history origin/main..HEAD -o github
  fuin check overlays/production -o sarif --out findings.sarif
  helm template shop | fuin check -`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.renderSaid = cmd.Flags().Changed("render")
			return f.run(cmd.Context(), u, args)
		},
	}
	cmd.Flags().BoolVar(&f.staged, "staged", false, "check what is staged in Git's index; reports only documents that changed")
	cmd.Flags().StringVar(&f.history, "history", "", "check what the commits of a `RANGE` added, as git log takes it: main..HEAD, or HEAD for all")
	addChoice(cmd, &f.output.format, "output", "o", "`FORMAT`: text, yaml, json, sarif, junit, or github (annotations); the default is text",
		"text", "text", "yaml", "json", "sarif", "junit", "github")
	cmd.Flags().StringVar(&f.output.file, "out", "", "write to `FILE` instead of standard output, atomically")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "let advice count as findings, too")
	cmd.Flags().BoolVar(&f.render, "render", false, "render the directories of check.render, or else every kustomization that no other includes, and check what comes out; where .fuin.yaml has check.render, the default of a check of the whole tree")
	cmd.Flags().BoolVar(&f.fix, "fix", false, "seal what is found, where a rule of .fuin.yaml tells for which cluster and rendering proves that the Secrets stay the same; what is left is printed")
	f.baseline.add(cmd)
	return cmd
}

// check refuses what contradicts itself, before anything is read.
func (f *checkFlags) check(_ *cobra.Command, args []string) error {
	switch {
	case f.staged && f.history != "":
		return misuse("run it twice", "--staged and --history exclude each other")
	case (f.staged || f.history != "") && slices.Contains(args, "-"):
		return misuse("leave - out", "standard input is not in Git")
	case f.render && (f.staged || f.history != ""):
		return misuse("run it twice", "what is rendered are the files of the work tree, not --staged or --history")
	case f.fix && (f.staged || f.history != "" || f.baseline.write):
		return misuse("run fuin check --fix, look at what it changed, and stage that", "--fix changes files of the work tree, not --staged, --history or a baseline")
	case f.render && slices.Contains(args, "-"):
		return misuse("leave - out", "standard input is no directory to render")
	case f.baseline.write && (f.staged || f.history != ""):
		return misuse("write it of the whole work tree", "a baseline is not written of --staged or --history")
	}
	return oneStdin(args...)
}

func (f *checkFlags) run(ctx context.Context, u *ui, args []string) error {
	c, err := f.source(ctx, u, args)
	if err != nil {
		return err
	}
	if err := f.renderMarked(c, args); err != nil {
		return err
	}
	findings, err := f.find(ctx, c)
	if err != nil {
		return err
	}
	if f.baseline.write {
		return f.baseline.save(u, c, findings)
	}
	if findings, err = f.baseline.leaveOut(c, findings); err != nil {
		return err
	}
	if f.fix {
		if findings, err = f.fixed(ctx, c, findings); err != nil {
			return err
		}
	}
	if err := f.print(u, c, findings); err != nil {
		return err
	}
	return f.judge(findings)
}

// renderMarked has the whole tree rendered where its configuration names
// directories for that.
func (f *checkFlags) renderMarked(c *checkRun, args []string) error {
	if f.renderSaid || f.staged || f.history != "" || len(args) > 0 {
		return nil
	}
	known, err := c.configuredFor(config.File)
	if err == nil && known.config != nil {
		f.render = len(known.config.Check.Render) > 0
	}
	return err
}

// find returns all findings, in the order of files and lines.
func (f *checkFlags) find(ctx context.Context, c *checkRun) ([]check.Finding, error) {
	findings, err := c.run(ctx)
	if err != nil || !f.render {
		return findings, err
	}
	more, err := c.rendered(ctx)
	findings = append(findings, more...)
	slices.SortStableFunc(findings, func(a, b check.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line)
	})
	return findings, err
}

// fixed seals what it can, and returns what is found then.
func (f *checkFlags) fixed(ctx context.Context, c *checkRun, findings []check.Finding) ([]check.Finding, error) {
	fix, err := newFix(ctx, c)
	if err != nil {
		return nil, err
	}
	defer fix.close()
	changed, err := fix.seal(ctx, findings)
	if err != nil {
		return nil, err
	}
	fix.tell(ctx)
	if changed {
		if findings, err = f.find(ctx, c); err != nil {
			return nil, err
		}
		if findings, err = f.baseline.leaveOut(c, findings); err != nil {
			return nil, err
		}
	}
	return fix.explained(findings), nil
}

// judge is the exit code.
func (f *checkFlags) judge(findings []check.Finding) error {
	serious := 0
	for _, found := range findings {
		if f.strict || found.Severity == check.Error {
			serious++
		}
	}
	if serious == 0 {
		return nil
	}
	return &fault{errors.New(plural(serious, "finding")), "docs/check.md describes the rules, and how to let a finding pass", exitFindings}
}
