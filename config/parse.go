package config

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"time"

	"fuin.dev/keys"
	"fuin.dev/lazy"
	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// What a name may be. A cluster's stands in commands and messages.
var (
	clusterName   = lazy.Regexp(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	namespaceName = lazy.Regexp(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// IsClusterName reports whether a cluster can be called so.
func IsClusterName(name string) bool { return clusterName().MatchString(name) }

func parse(data []byte) (*Config, error) {
	root, err := document(data)
	if err != nil {
		return nil, err
	}
	c, versioned := &Config{}, false
	err = each(root, fields{
		"version":  func(n *yaml.Node) error { versioned = true; return version(n) },
		"clusters": c.readClusters,
		"recovery": c.readRecovery,
		"rules":    c.readRules,
		"defaults": c.Defaults.read,
		"check":    c.Check.read,
	})
	switch {
	case err != nil:
		return nil, err
	case !versioned:
		return nil, refuseAt(0, "begin it with version: 1", "it has no version")
	}
	return c, c.resolve()
}

// document is the file's one document, without aliases: none is needed here,
// and without them the tree is no larger than the text.
func document(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil, refuseAt(0, "begin it with version: 1", "it is empty")
	case err != nil:
		return nil, notYAML(err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, refuseAt(more.Line, "keep one", "more than one document")
	}
	return doc.Content[0], noAliases(doc.Content[0])
}

var yamlLine = lazy.Regexp(`line (\d+): `)

// notYAML keeps the line of a parser's message, and leaves out what may be
// text of the file.
func notYAML(err error) error {
	line := 0
	if m := yamlLine().FindStringSubmatch(err.Error()); m != nil {
		for _, digit := range m[1] {
			line = line*10 + int(digit-'0')
		}
	}
	return refuseAt(line, "", "this is no YAML")
}

func noAliases(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return refuseAt(n.Line, "write it out", "an anchor or alias")
	}
	for _, child := range n.Content {
		if err := noAliases(child); err != nil {
			return err
		}
	}
	return nil
}

func version(n *yaml.Node) error {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!int":
		return refuseAt(n.Line, "write version: 1", "the version is no number")
	case n.Value != "1":
		return refuseAt(n.Line, "use a newer fuin", "version %.20s; this fuin reads version %d", n.Value, Version)
	}
	return nil
}

func (c *Config) readClusters(n *yaml.Node) error {
	return eachEntry(n, func(key, value *yaml.Node) error {
		cluster := Cluster{Name: key.Value, Line: key.Line}
		switch {
		case len(c.Clusters) == maxClusters:
			return refuseAt(key.Line, "", "more than %d clusters", maxClusters)
		case !clusterName().MatchString(key.Value):
			return refuseAt(key.Line, "use letters, digits, - . and _, 63 at most", "%.80q is no name for a cluster", key.Value)
		}
		err := each(value, fields{
			"recipients": paths(&cluster.Recipients),
			"context":    text(&cluster.Context),
		})
		switch {
		case err != nil:
			return err
		case len(cluster.Recipients) == 0:
			return refuseAt(key.Line, "name a file of the repository: fuin keys sync cluster FILE makes it",
				"cluster %s has no recipients", cluster.Name)
		}
		c.Clusters = append(c.Clusters, cluster)
		return nil
	})
}

func (c *Config) readRecovery(n *yaml.Node) error {
	return eachItem(n, func(item *yaml.Node) error {
		if item.Kind != yaml.ScalarNode || len(item.Value) > maxRecovery {
			return refuseAt(item.Line, "", "no age recipient")
		}
		rs, err := keys.ParseRecipients([]byte(item.Value), time.Time{})
		switch {
		case err != nil:
			return refuseAt(item.Line, hintOf(err), "recovery: %v", err)
		case len(rs) != 1 || !rs[0].Kind().Age():
			return refuseAt(item.Line, "name one age recipient an entry", "recovery: a certificate, or several keys, where an age recipient belongs")
		}
		c.Recovery = append(c.Recovery, rs[0])
		if err := keys.Compatible(c.Recovery); err != nil {
			return refuseAt(item.Line, hintOf(err), "recovery: %v", err)
		}
		return nil
	})
}

func (c *Config) readRules(n *yaml.Node) error {
	return sequence(n, maxRules, func(item *yaml.Node) error {
		rule := Rule{Line: item.Line}
		err := each(item, fields{
			"path":      glob(&rule.Path),
			"clusters":  texts(&rule.Clusters),
			"namespace": text(&rule.Namespace),
			"scope":     scope(&rule.Scope),
		})
		switch {
		case err != nil:
			return err
		case rule.Path == "":
			return refuseAt(item.Line, `every file is path: "**"`, "a rule without path")
		case rule.Namespace != "" && !namespaceName().MatchString(rule.Namespace):
			return refuseAt(item.Line, "", "%.80q is no namespace", rule.Namespace)
		}
		c.Rules = append(c.Rules, rule)
		return nil
	})
}

func (d *Defaults) read(n *yaml.Node) error {
	return each(n, fields{"scope": scope(&d.Scope), "output": format(&d.Output)})
}

func format(to *seal.Format) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		var name string
		if err := text(&name)(n); err != nil {
			return err
		}
		*to = seal.Format(name)
		if *to != seal.YAML && *to != seal.JSON {
			return refuseAt(n.Line, "write yaml or json", "%.80q is no format", name)
		}
		return nil
	}
}

func scope(to *seal.Scope) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		var name string
		if err := text(&name)(n); err != nil {
			return err
		}
		var err error
		if *to, err = seal.ParseScope(name); err != nil {
			return refuseAt(n.Line, hintOf(err), "%.80q is no scope", name)
		}
		return nil
	}
}

func (k *Check) read(n *yaml.Node) error {
	k.Line = n.Line
	return each(n, fields{"render": globs(&k.Render), "baseline": filePath(&k.Baseline), "allow": k.readAllow})
}

func (k *Check) readAllow(n *yaml.Node) error {
	return eachItem(n, func(item *yaml.Node) error {
		var a Allow
		err := each(item, fields{"path": glob(&a.Path), "rules": texts(&a.Rules), "reason": text(&a.Reason)})
		switch {
		case err != nil:
			return err
		case a.Path == "" || a.Reason == "":
			return refuseAt(item.Line, "write {path: GLOB, reason: WHY}", "what is allowed needs a path and a reason")
		}
		k.Allow = append(k.Allow, a)
		return nil
	})
}

// resolve checks that the clusters exist that rules name, and gives rules their
// defaults.
func (c *Config) resolve() error {
	for i := range c.Rules {
		c.Rules[i].Scope = cmp.Or(c.Rules[i].Scope, c.Defaults.Scope)
	}
	known := make([]string, 0, len(c.Clusters))
	for _, cluster := range c.Clusters {
		known = append(known, cluster.Name)
	}
	for _, rule := range c.Rules {
		for _, name := range rule.Clusters {
			if _, ok := c.Cluster(name); !ok {
				return refuseAt(rule.Line, didYouMean(name, known), "the rule for %s names cluster %.80q, which is not under clusters", rule.Path, name)
			}
		}
	}
	return nil
}
