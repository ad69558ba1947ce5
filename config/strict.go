package config

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fields are what a mapping may hold, and what reads each.
type fields map[string]func(*yaml.Node) error

// each reads a mapping of known fields. A field that is unknown is an error,
// since a misspelled one would silently protect nothing.
func each(n *yaml.Node, known fields) error {
	return eachEntry(n, func(key, value *yaml.Node) error {
		read := known[key.Value]
		if read == nil {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			return refuseAt(key.Line, didYouMean(key.Value, names), "unknown field %.80q", key.Value)
		}
		if value.Tag == "!!null" {
			return nil
		}
		return read(value)
	})
}

// eachEntry visits a mapping.
func eachEntry(n *yaml.Node, visit func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return refuseAt(n.Line, "", "%s, where fields with values belong", describe(n))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			return refuseAt(key.Line, "", "%s, where a field's name belongs", describe(key))
		case seen[key.Value]:
			return refuseAt(key.Line, "keep one", "%.80q stands twice", key.Value)
		}
		seen[key.Value] = true
		if err := visit(key, value); err != nil {
			return err
		}
	}
	return nil
}

func eachItem(n *yaml.Node, visit func(*yaml.Node) error) error {
	return sequence(n, maxList, visit)
}

func sequence(n *yaml.Node, limit int, visit func(*yaml.Node) error) error {
	switch {
	case n.Kind != yaml.SequenceNode:
		return refuseAt(n.Line, "write [a, b] or lines that begin with -", "%s, where a list belongs", describe(n))
	case len(n.Content) > limit:
		return refuseAt(n.Line, "", "a list of more than %d", limit)
	}
	for _, item := range n.Content {
		if err := visit(item); err != nil {
			return err
		}
	}
	return nil
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func text(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		switch {
		case n.Kind != yaml.ScalarNode:
			return refuseAt(n.Line, "", "%s, where text belongs", describe(n))
		case n.Tag != "!!str":
			return refuseAt(n.Line, "put it in quotes", "a number, date or truth value, where text belongs")
		case len(n.Value) > maxText:
			return refuseAt(n.Line, "", "more than %d bytes of text", maxText)
		}
		*to = n.Value
		return nil
	}
}

func list(to *[]string, one func(*string) func(*yaml.Node) error) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		return eachItem(n, func(item *yaml.Node) error {
			var s string
			if err := one(&s)(item); err != nil {
				return err
			}
			*to = append(*to, s)
			return nil
		})
	}
}

func texts(to *[]string) func(*yaml.Node) error { return list(to, text) }
func paths(to *[]string) func(*yaml.Node) error { return list(to, filePath) }
func globs(to *[]string) func(*yaml.Node) error { return list(to, glob) }

// filePath reads the path of a file in the repository.
func filePath(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		var s string
		if err := text(&s)(n); err != nil {
			return err
		}
		var ok bool
		if *to, ok = inside(s); !ok || *to == "." {
			return refuseAt(n.Line, "write it from the repository's root, as keys/production.txt", "%.80q is no path in the repository", s)
		}
		return nil
	}
}

// inside cleans a path, and reports whether it is one in the repository.
func inside(p string) (string, bool) {
	if p == "" || strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\\\x00") {
		return "", false
	}
	p = path.Clean(p)
	return p, p != ".." && !strings.HasPrefix(p, "../")
}

// glob reads a pattern on paths. Braces are no part of it: two rules say the same.
func glob(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		var s string
		if err := text(&s)(n); err != nil {
			return err
		}
		pattern, ok := inside(s)
		switch {
		case strings.ContainsAny(s, "{}"):
			return refuseAt(n.Line, "write a rule for each", "%.80q: braces are not known", s)
		case strings.HasSuffix(s, "/"):
			return refuseAt(n.Line, "write "+s+"** for all below it", "%.80q ends with a slash", s)
		case !ok || !valid(pattern):
			return refuseAt(n.Line, "write it from the repository's root, as overlays/production/**", "%.80q is no pattern for paths in the repository", s)
		}
		for part := range strings.SplitSeq(pattern, "/") {
			if strings.Contains(part, "**") && part != "**" {
				return refuseAt(n.Line, "** stands alone between slashes", "%.80q: ** beside other characters", s)
			}
		}
		*to = pattern
		return nil
	}
}

// didYouMean is a hint with the nearest name, or with all of them if they are
// few.
func didYouMean(name string, known []string) string {
	slices.Sort(known)
	best, least := "", 3
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	switch {
	case best != "":
		return "did you mean " + best + "?"
	case len(known) == 0:
		return "add it under clusters"
	case len(known) > 8:
		return ""
	}
	return "known are " + strings.Join(known, ", ")
}

// distance is how many letters differ (Levenshtein), for names of at most 64
// bytes.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
