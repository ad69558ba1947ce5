package config

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxPaths bounds the files and directories that rules are compared with.
const maxPaths = 1_000_000

// paths looks for rules that decide nothing. Git's own directory is no part of
// what they are about.
func (v *validation) paths() error {
	u := newUsage(v.config)
	err := fs.WalkDir(v.files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return fs.SkipDir
		case path.Base(name) == ".git":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if u.count++; u.count > maxPaths {
			return &Error{File: ".", Reason: "too many files to compare the rules with"}
		}
		u.see(name, d.IsDir())
		return nil
	})
	if err != nil {
		return err
	}
	for i, rule := range v.config.Rules {
		v.rule(i, rule, u)
	}
	for i, pattern := range v.config.Check.Render {
		if !u.rendered[i] {
			v.report(v.config.Check.Line, RuleRender, Wrong, "correct it, or take it out", "check.render: no directory matches %s", pattern)
		}
	}
	return nil
}

// rule reports what keeps a rule from deciding anything.
func (v *validation) rule(i int, rule Rule, u *usage) {
	by := u.taken[i]
	switch {
	case u.first[i]:
		return
	case by == nil:
		if j := v.covering(i); j >= 0 {
			by = map[int]bool{j: true}
		}
	}
	if by == nil {
		v.report(rule.Line, RuleUnmatched, Wrong, "correct it, or take it out; * does not cross slashes, ** does", "no path matches %s", rule.Path)
		return
	}
	var before []string
	for j := range v.config.Rules {
		if by[j] {
			before = append(before, v.config.Rules[j].Path)
		}
	}
	v.report(rule.Line, RuleUnreached, Wrong, "the first rule that matches counts: move this one up, or take it out",
		"the rule for %s is never reached: all its paths match %s before it", rule.Path, abridged(before))
}

func abridged(names []string) string {
	const shown = 5
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// covering finds an earlier rule that matches all that a rule could, as far as
// the patterns tell; -1 if there is none.
func (v *validation) covering(i int) int {
	return slices.IndexFunc(v.config.Rules[:i], func(earlier Rule) bool { return covers(earlier.Path, v.config.Rules[i].Path) })
}

// covers reports that whatever the second pattern matches, the first one does.
// It may miss some, but is never wrong: names that stand for anything are put
// in place of the second's wildcards.
func covers(first, second string) bool {
	if strings.ContainsAny(first, "?[") || strings.ContainsAny(second, "[\\") {
		return false
	}
	const anything = "\x00"
	name := strings.NewReplacer("*", anything, "?", anything)
	for _, depth := range []int{0, 1, 2} {
		var parts []string
		for _, part := range split(second) {
			if part != anyParts {
				parts = append(parts, name.Replace(part))
				continue
			}
			for range depth {
				parts = append(parts, anything)
			}
		}
		if !matches(split(first), parts) {
			return false
		}
	}
	return true
}

// usage is what the rules do for the paths of a repository.
type usage struct {
	rules    [][]string // their paths in parts
	renders  [][]string
	count    int
	first    map[int]bool         // rules that decide a path
	taken    map[int]map[int]bool // rules that match a path, and those that decide it instead
	rendered map[int]bool
}

func newUsage(c *Config) *usage {
	u := &usage{first: map[int]bool{}, taken: map[int]map[int]bool{}, rendered: map[int]bool{}}
	for _, rule := range c.Rules {
		u.rules = append(u.rules, split(rule.Path))
	}
	for _, pattern := range c.Check.Render {
		u.renders = append(u.renders, split(pattern))
	}
	return u
}

// see compares a path with the rules.
func (u *usage) see(name string, isDir bool) {
	parts, decides := split(name), -1
	for i, rule := range u.rules {
		switch {
		case decides >= 0 && u.first[i] || !matches(rule, parts):
		case decides < 0:
			decides, u.first[i] = i, true
		case u.taken[i] == nil:
			u.taken[i] = map[int]bool{decides: true}
		default:
			u.taken[i][decides] = true
		}
	}
	for i, pattern := range u.renders {
		if isDir && !u.rendered[i] {
			u.rendered[i] = matches(pattern, parts)
		}
	}
}
