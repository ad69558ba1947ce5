package config

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fuin.dev/keys"
)

// RuleFor is the first rule that matches a path of the repository, slashes
// between its parts; "." is the root. In a rule's path * and ? and [a-z] match
// within one part, and ** any number of parts, also none: overlays/** matches
// overlays itself. A path that leaves the repository matches nothing.
func (c *Config) RuleFor(file string) (Rule, bool) {
	file, ok := inside(file)
	if !ok || len(file) > maxPath {
		return Rule{}, false
	}
	parts := split(file)
	for _, rule := range c.Rules {
		if matches(split(rule.Path), parts) {
			return rule, true
		}
	}
	return Rule{}, false
}

// Holders tells for each fingerprint which clusters' files hold the key, in the
// order of the file; expired certificates count. Files that cannot be read hold
// none.
func (c *Config) Holders(files fs.FS) map[string][]string {
	out := map[string][]string{}
	for _, cluster := range c.Clusters {
		for _, file := range cluster.Recipients {
			rs, err := cluster.Keys(file, files)
			if err != nil {
				continue
			}
			for _, r := range rs {
				if of := out[r.Fingerprint()]; !slices.Contains(of, cluster.Name) {
					out[r.Fingerprint()] = append(of, cluster.Name)
				}
			}
		}
	}
	return out
}

// Renders reports whether check.render names a directory.
func (c *Config) Renders(dir string) bool {
	parts := split(dir)
	return slices.ContainsFunc(c.Check.Render, func(pattern string) bool { return matches(split(pattern), parts) })
}

// Allows reports whether a finding of a rule may stand in a file.
func (k *Check) Allows(file, rule string) bool {
	file, ok := inside(file)
	return ok && slices.ContainsFunc(k.Allow, func(a Allow) bool {
		return (len(a.Rules) == 0 || slices.Contains(a.Rules, rule)) && matches(split(a.Path), split(file))
	})
}

// maxPath is the longest path that an operating system takes, in bytes.
const maxPath = 4096

// split takes a clean path apart; the root has no parts.
func split(p string) []string {
	if p == "." {
		return nil
	}
	return strings.Split(p, "/")
}

// matches compares the parts of a pattern with those of a path. Only the last
// ** is gone back to, since what the ones before it took can stay. It is
// written here since doublestar.Match says that a*/** is not for a, where a/**
// is: the rules of production must not hang on that.
func matches(pattern, parts []string) bool {
	p, at, again, from := 0, 0, -1, 0
	for at < len(parts) {
		switch {
		case p < len(pattern) && pattern[p] == anyParts:
			again, from = p, at
			p++
		case p < len(pattern) && matchesOne(pattern[p], parts[at]):
			p++
			at++
		case again >= 0:
			from++
			p, at = again+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == anyParts {
		p++
	}
	return p == len(pattern)
}

// anyParts stands for any number of parts of a path, also none.
const anyParts = "**"

func matchesOne(pattern, part string) bool {
	ok, err := path.Match(pattern, part)
	return ok && err == nil
}

// valid reports whether every part of a pattern is one that path.Match takes.
func valid(pattern string) bool {
	for _, part := range split(pattern) {
		if _, err := path.Match(part, ""); err != nil {
			return false
		}
	}
	return true
}

// Recipients reads the public keys of a cluster from its files, in their
// order, without the recovery keys: of a file that holds age recipients beside
// a certificate, the age recipients. A value can be sealed to all of them, and
// to the recovery keys beside age ones, or it is an error. Certificates that
// expired before now are errors; the zero time lets them pass. Errors are of
// type *[Error].
func (c *Config) Recipients(cluster string, files fs.FS, now time.Time) ([]*keys.Recipient, error) {
	known, ok := c.Cluster(cluster)
	if !ok {
		return nil, refuseAt(0, "", "there is no cluster %.80q", cluster)
	}
	var out []*keys.Recipient
	for _, file := range known.Recipients {
		rs, err := known.read(file, files, func(data []byte) ([]*keys.Recipient, error) { return keys.ParseSealing(data, now) })
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	all := out
	if out[0].Kind().Age() {
		all = slices.Concat(out, c.Recovery)
	}
	if err := keys.Compatible(all); err != nil {
		return nil, refuseAt(known.Line, hintOf(err), "the recipients of cluster %s: %v", cluster, err)
	}
	if err := known.refuseFormer(out, files); err != nil {
		return nil, err
	}
	return out, nil
}

// Keys reads all public keys of one of the cluster's files, also those that
// nothing is sealed with: expired ones, and a certificate beside age recipients.
func (c Cluster) Keys(file string, files fs.FS) ([]*keys.Recipient, error) {
	return c.read(file, files, keys.ParsePublic)
}

// read reads one file of public keys; it returns one at least.
func (c Cluster) read(file string, files fs.FS, parse func([]byte) ([]*keys.Recipient, error)) (rs []*keys.Recipient, err error) {
	err = c.parse(file, files, func(data []byte) (err error) {
		rs, err = parse(data)
		return err
	})
	return rs, err
}

// parse has one file of public keys parsed.
func (c Cluster) parse(file string, files fs.FS, parse func([]byte) error) error {
	data, err := readFile(files, file, maxRecipients)
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{
			File: file, Reason: "missing; " + File + " names it for cluster " + c.Name, err: fs.ErrNotExist,
			hint: "commit it: fuin keys sync cluster " + file + " makes it",
		}
	}
	if err == nil {
		err = parse(data)
	}
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return &Error{File: file, Reason: "cluster " + c.Name + ": " + err.Error(), hint: hintOf(err)}
}

// ForeignTo tells a cluster whether a directory is another's. The rule for it
// names clusters; if known, which is to report whether a fingerprint is in the
// asking cluster's ring, knows no key of any of them, it is foreign. It
// is not if no rule matches or the rule names no cluster. The names are those
// of the rule.
//
// The ring is the identity of a cluster: names prove nothing, and recovery
// keys, which may be in any ring, do not count. Expired certificates do. Files
// that cannot be read are an error only while no other file decides.
func (c *Config) ForeignTo(dir string, files fs.FS, known func(fingerprint string) bool) (clusters []string, foreign bool, err error) {
	rule, ok := c.RuleFor(dir)
	if !ok || len(rule.Clusters) == 0 {
		return nil, false, nil
	}
	var errs []error
	for _, name := range rule.Clusters {
		cluster, _ := c.Cluster(name)
		for _, file := range cluster.Recipients {
			rs, err := cluster.Keys(file, files)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if slices.ContainsFunc(rs, func(r *keys.Recipient) bool { return known(r.Fingerprint()) }) {
				return rule.Clusters, false, nil
			}
		}
	}
	if len(errs) > 0 {
		return rule.Clusters, false, errs[0]
	}
	return rule.Clusters, true, nil
}
