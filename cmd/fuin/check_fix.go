package main

import (
	"context"
	"errors"
	"slices"

	"fuin.dev/check"
	"fuin.dev/seal"
)

// seal seals the Secrets of files with findings, where a rule of .fuin.yaml
// tells for whom, and reports whether it changed any. What it cannot seal stays
// as it is, and a finding.
func (c *checkRun) seal(ctx context.Context, findings []check.Finding) (changed bool, err error) {
	plans, err := (&recipientFlags{}).planner(ctx, c.u)
	if err != nil {
		return false, err
	}
	secrets, files := 0, 0
	for _, file := range c.files {
		isFound := slices.ContainsFunc(findings, func(f check.Finding) bool { return f.File == file.name && f.Rule == check.PlaintextSecret })
		if !isFound || file.path == "-" {
			continue
		}
		sealed, err := c.sealFile(ctx, plans, c.shown(file.name))
		if ctx.Err() != nil {
			return files > 0, ctx.Err()
		}
		if err != nil {
			c.u.warn("", "not sealed: %v", nameError(c.shown(file.name), err))
			continue
		}
		secrets, files = secrets+sealed, files+min(sealed, 1)
	}
	if files > 0 {
		c.u.note("sealed %s in %s", plural(secrets, "Secret"), plural(files, "file"))
	}
	return files > 0, nil
}

// sealFile returns how many Secrets it sealed; none in a file without any, as a
// kustomization with a patch.
func (c *checkRun) sealFile(ctx context.Context, plans *planner, path string) (int, error) {
	plan, err := plans.one(path)
	if err != nil {
		return 0, err
	}
	data, err := readFile(ctx, path, seal.MaxManifest)
	if err != nil {
		return 0, err
	}
	result, err := plan.seal(data, seal.Options{})
	if errors.Is(err, seal.ErrNothing) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, w := range result.Warnings {
		c.u.warn(path, "%s", w)
	}
	return len(result.Objects), rewriteFile(path, result.Out)
}
