package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (b *bench) fuinIn(ctx context.Context, dir string, args ...string) process {
	return command(ctx, dir, filepath.Join(b.bin, "fuin"), args...)
}

// gitleaks runs with its default rules; what it finds is no failure of it.
func (b *bench) gitleaks(ctx context.Context, dir string, args ...string) process {
	args = append(args, "--no-banner", "--redact", "--exit-code", "0")
	return command(ctx, dir, filepath.Join(b.peers, "gitleaks"), args...)
}

// check measures one staged file, in a repository and in a small one, and
// all files of it.
func (b *bench) check(ctx context.Context) error {
	manifests := 10 * b.objects
	for _, n := range []int{100, manifests} {
		dir := filepath.Join(b.trees, fmt.Sprintf("apps-%d", n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := b.writeApps(ctx, dir, n); err != nil {
			return err
		}
		if b.wants(checkStaged) {
			if err := b.checkStaged(ctx, dir, fmt.Sprintf("of %d", n)); err != nil {
				return err
			}
			if err := stageSealed(ctx, dir); err != nil {
				return err
			}
			if err := b.checkStaged(ctx, dir, fmt.Sprintf("sealed: %d", n)); err != nil {
				return err
			}
		}
		if n == manifests && b.wants(checkTree) {
			if err := b.checkTree(ctx, dir, fmt.Sprintf("of %d", n)); err != nil {
				return err
			}
		}
	}
	if b.wants(checkTree) && !b.alone {
		return b.compareFindings(ctx)
	}
	return nil
}

// checkStaged takes turns; the first one warms up the file cache.
func (b *bench) checkStaged(ctx context.Context, dir, size string) error {
	b.say("%s, %s", checkStaged, size)
	for turn := range 10*b.rounds + 1 {
		sides := map[string]process{
			fuin:    b.fuinIn(ctx, dir, "check", "--staged"),
			gitDiff: command(ctx, dir, "/usr/bin/env", "git", "diff", "--cached", "--raw", "-z"),
		}
		if !b.alone {
			sides[scanner] = b.gitleaks(ctx, dir, "git", "--staged")
		}
		for side, p := range sides {
			_, s, err := p.run()
			if err != nil {
				return err
			}
			if turn > 0 {
				b.results.add(row{checkStaged, size, side}, s)
			}
		}
	}
	return nil
}

func (b *bench) checkTree(ctx context.Context, dir, size string) error {
	for round := range b.rounds {
		b.say("%s, round %d of %d", checkTree, round+1, b.rounds)
		_, s, err := b.fuinIn(ctx, dir, "check").run()
		if err != nil {
			return err
		}
		b.results.add(row{checkTree, size, fuin}, s)
		if b.alone {
			continue
		}
		if _, s, err = b.gitleaks(ctx, dir, "dir", ".").run(); err != nil {
			return err
		}
		b.results.add(row{checkTree, size, scanner}, s)
	}
	return nil
}

// compareFindings counts the cases of the corpora in which either finds
// anything.
func (b *bench) compareFindings(ctx context.Context) error {
	for name, meaning := range map[string]string{"leaks": "leaks found", "lookalikes": "look-alikes flagged"} {
		dir := filepath.Join(b.trees, name)
		n, err := b.writeCorpus(name, dir)
		if err != nil {
			return err
		}
		ours, err := b.ourFindings(ctx, dir)
		if err != nil {
			return err
		}
		theirs, err := b.theirFindings(ctx, dir)
		if err != nil {
			return err
		}
		b.results.note("testdata/%s: of %d %s, fuin check: %d, gitleaks with its default rules: %d.", name, n, meaning, ours, theirs)
	}
	return nil
}

// ourFindings reads what fuin check writes; its exit code tells of findings.
func (b *bench) ourFindings(ctx context.Context, dir string) (int, error) {
	report := filepath.Join(b.dir, "fuin.json")
	p := b.fuinIn(ctx, dir, "check", "-o", "json", "--out", report, ".")
	if _, _, err := p.run(); err != nil && p.cmd.ProcessState.ExitCode() != 3 {
		return 0, err
	}
	var found struct {
		Findings []struct {
			File string `json:"file"`
		} `json:"findings"`
	}
	if err := readJSON(report, &found); err != nil {
		return 0, err
	}
	cases := map[string]bool{}
	for _, f := range found.Findings {
		cases[caseOf(dir, f.File)] = true
	}
	return len(cases), nil
}

func (b *bench) theirFindings(ctx context.Context, dir string) (int, error) {
	report := filepath.Join(b.dir, "gitleaks.json")
	if _, _, err := b.gitleaks(ctx, dir, "dir", ".", "-f", "json", "-r", report).run(); err != nil {
		return 0, err
	}
	var found []struct{ File string }
	if err := readJSON(report, &found); err != nil {
		return 0, err
	}
	cases := map[string]bool{}
	for _, f := range found {
		cases[caseOf(dir, f.File)] = true
	}
	return len(cases), nil
}

func readJSON(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// caseOf is the directory of a case, of a path in or relative to the corpus.
func caseOf(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
		file = rel
	}
	name, _, _ := strings.Cut(filepath.ToSlash(file), "/")
	return name
}
