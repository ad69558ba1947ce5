package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"fuin.dev/keys"
)

// A Finding is something that a .fuin.yaml says and that does not hold.
type Finding struct {
	File     string   `json:"file"` // in the repository
	Line     int      `json:"line"` // from 1
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
}

// A Severity tells whether sealing can go wrong, or whether it is only odd.
type Severity string

// The severities.
const (
	Wrong  Severity = "error"
	Advice Severity = "advice"
)

// The rules of findings.
const (
	RuleInvalid   = "invalid"         // the file does not say what it should
	RuleKeys      = "unreadable-keys" // a cluster's file of keys is missing or none
	RuleMixed     = "mixed-keys"      // keys that cannot seal together
	RuleFormer    = "former-key"      // that values would still be sealed with
	RuleExpired   = "expired-certificate"
	RuleExpiring  = "expiring-certificate"
	RuleUnmatched = "unmatched-rule" // no path of the repository
	RuleUnreached = "unreached-rule" // rules before it take all its paths
	RuleUnused    = "unused-cluster"
	RuleShared    = "shared-key" // of two clusters
	RuleRender    = "unmatched-render"
)

// soon is how long before its end a certificate is reported.
const soon = 30 * 24 * time.Hour

// Validate looks for what is wrong with the .fuin.yaml of a repository, in the
// order of its lines. The error is fs.ErrNotExist where there is none.
func Validate(files fs.FS, now time.Time) ([]Finding, error) {
	c, err := Read(files)
	var own *Error
	if errors.As(err, &own) {
		return []Finding{{own.File, max(own.Line, 1), RuleInvalid, Wrong, own.Reason, own.hint}}, nil
	}
	if err != nil {
		return nil, err
	}
	v := &validation{config: c, files: files, now: now}
	for _, cluster := range c.Clusters {
		v.cluster(cluster)
	}
	v.shared()
	v.together()
	if err := v.paths(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(v.found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return v.found, nil
}

type validation struct {
	config *Config
	files  fs.FS
	now    time.Time
	broken map[string]bool // clusters whose keys cannot be used
	found  []Finding
}

func (v *validation) report(line int, rule string, severity Severity, hint, format string, args ...any) {
	v.found = append(v.found, Finding{File, line, rule, severity, fmt.Sprintf(format, args...), hint})
}

// cluster looks at one cluster's keys, and whether any rule names it.
func (v *validation) cluster(c Cluster) {
	if !slices.ContainsFunc(v.config.Rules, func(r Rule) bool { return slices.Contains(r.Clusters, c.Name) }) {
		v.report(c.Line, RuleUnused, Advice, "add a rule that names it", "no rule names cluster %s", c.Name)
	}
	readable := true
	for _, file := range c.Recipients {
		_, err := c.Keys(file, v.files)
		if err == nil {
			_, err = c.Former(file, v.files)
		}
		if err != nil {
			v.report(c.Line, RuleKeys, Wrong, hintOf(err), "%v", err)
			readable = false
		}
	}
	rs, err := v.config.Recipients(c.Name, v.files, time.Time{})
	if err != nil {
		if !v.former(c) && readable {
			v.report(c.Line, RuleMixed, Wrong, hintOf(err), "%s", reasonOf(err))
		}
		if v.broken == nil {
			v.broken = map[string]bool{}
		}
		v.broken[c.Name] = true
	}
	for _, r := range rs {
		v.expiry(c, r)
	}
}

// former reports keys that one of a cluster's files has and any gives up.
func (v *validation) former(c Cluster) (isFound bool) {
	held := map[string]bool{}
	for _, file := range c.Recipients {
		rs, _ := c.Keys(file, v.files)
		for _, r := range rs {
			held[r.Fingerprint()] = true
		}
	}
	for _, file := range c.Recipients {
		all, _ := c.Former(file, v.files)
		for _, f := range all {
			if held[f.Fingerprint] {
				isFound = true
				v.report(c.Line, RuleFormer, Wrong, hintFormer, "cluster %s has the key %s to seal with, and by %s it is %s", c.Name, f.Fingerprint, file, f)
			}
		}
	}
	return isFound
}

func (v *validation) expiry(c Cluster, r *keys.Recipient) {
	end := r.Expires()
	hint := "fuin keys sync fetches the cluster's newest"
	switch day := end.UTC().Format(time.DateOnly); {
	case end.IsZero():
	case v.now.After(end):
		v.report(c.Line, RuleExpired, Wrong, hint, "the certificate of cluster %s expired on %s; nothing can be sealed with it", c.Name, day)
	case v.now.Add(soon).After(end):
		v.report(c.Line, RuleExpiring, Advice, hint, "the certificate of cluster %s expires on %s", c.Name, day)
	}
}

// reasonOf leaves out the place, which the finding has.
func reasonOf(err error) string {
	var own *Error
	if errors.As(err, &own) && own.File == File {
		return own.Reason
	}
	return err.Error()
}

// shared looks for keys of which nobody can tell whose they are.
func (v *validation) shared() {
	told := map[string]bool{}
	for _, cluster := range v.config.Clusters {
		for _, names := range v.config.Holders(v.files) {
			id := strings.Join(names, " and ")
			if len(names) < 2 || names[len(names)-1] != cluster.Name || told[id] {
				continue
			}
			told[id] = true
			v.report(cluster.Line, RuleShared, Advice, "make it one cluster of them, or sync each file with its own: fuin keys sync",
				"clusters %s have the same key: nothing tells for which of them a value was sealed", id)
		}
	}
}

// together looks whether the clusters of each rule can be sealed for at once.
func (v *validation) together() {
	for _, rule := range v.config.Rules {
		var all []*keys.Recipient
		for _, name := range rule.Clusters {
			if v.broken[name] {
				all = nil
				break
			}
			rs, _ := v.config.Recipients(name, v.files, time.Time{}) // not broken
			for _, r := range rs {
				if !slices.ContainsFunc(all, func(o *keys.Recipient) bool { return o.Fingerprint() == r.Fingerprint() }) {
					all = append(all, r)
				}
			}
		}
		if len(all) == 0 {
			continue
		}
		if err := keys.Compatible(all); err != nil {
			v.report(rule.Line, RuleMixed, Wrong, hintOf(err), "clusters %s cannot be sealed for at once: %v", strings.Join(rule.Clusters, ", "), err)
		}
	}
}
